"""A folder of structure files, with a table beside them that holds the values."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

from matwright.data.record import RawRow, StructureKind
from matwright.data.sources.cells import MALFORMED, Cells, column_names, read_cells, table_format
from matwright.data.sources.interface import ID_COLUMNS, Wanted, check_columns
from matwright.errors import InputError
from matwright.materials.properties import PropertySpec
from matwright.serialization import hash_file, hash_json

_FILE_COLUMNS = ("file", "filename", "path", "structure", "cif", "poscar", *ID_COLUMNS)
_ENDINGS = (".cif", ".vasp", ".poscar", ".xyz", ".extxyz")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSource:
    """A folder; made by `open_folder`, which looks for its table.

    Attributes:
        table: the table of values, None where the folder has none and none is needed.
        key_column: the table's column that names the files, with or without their ending.
    """

    path: Path
    wanted: Wanted
    table: Path | None
    key_column: str

    @property
    def targets(self) -> tuple[PropertySpec, ...]:
        """What the values of each row are, in order."""
        return self.wanted.targets

    def rows(self) -> Iterator[RawRow]:
        """First the rows of the table, then the files that no row names; see `Source.rows`."""
        if self.table is None:
            for number, single in enumerate(structure_files(self.path), start=1):
                yield self._file_row(number, single, None)
            return
        names = set(structure_files(self.path))
        by_stem = {_stem(name): name for name in sorted(names)}
        seen: set[str] = set()
        for number, cells in enumerate(read_cells(self.table), start=1):
            key = str(cells.get(self.key_column) or "").strip()
            name = key if key in names else by_stem.get(key)
            problem = f"there is no structure file {key!r} in {self.path}" if name is None else None
            if name in seen:
                problem = f"a second row for the file {name!r}"
            seen.add(name or key)
            yield self._table_row(number, cells, key, name, problem)
        for number, unnamed in enumerate(sorted(names - seen), start=1):
            yield self._file_row(number, unnamed, f"no row of {self.table.name} names this file")

    def _table_row(self, number: int, cells: Cells, key: str, name: str | None, problem: str | None) -> RawRow:
        values, bad_value = self.wanted.values(cells)
        stated = cells.get(self.wanted.id_column) if self.wanted.id_column else None
        return RawRow(
            id=str(stated or _stem(key) or f"row-{number}"),
            file=str(self.table),
            number=number,
            kind=StructureKind.PATH,
            payload=str(self.path / (name or key)),
            targets=values,
            part=self.wanted.part(cells),
            problem=cells.get(MALFORMED) or problem or bad_value,
        )

    def _file_row(self, number: int, name: str, problem: str | None) -> RawRow:
        path = str(self.path / name)
        missing = (float("nan"),) * len(self.targets)
        return RawRow(
            id=_stem(name),
            file=path,
            number=number,
            kind=StructureKind.PATH,
            payload=path,
            targets=missing,
            problem=problem,
        )

    def data_hash(self) -> str:
        """A hex digest of the names and bytes of all structure files, of the table, and of what is read from it."""
        digest = hashlib.sha256(hash_json(self.wanted).encode())
        for name in structure_files(self.path):
            digest.update(f"{name}\0{hash_file(self.path / name)}\0".encode())
        if self.table is not None:
            digest.update(hash_file(self.table).encode())
        return digest.hexdigest()


def structure_files(folder: Path) -> list[str]:
    """The names of the structure files in a folder, sorted."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_file() and _is_structure(entry.name))


def _is_structure(name: str) -> bool:
    bare = name.lower().removesuffix(".gz")
    return bare.endswith(_ENDINGS) or bare.startswith(("poscar", "contcar"))


def _stem(name: str) -> str:
    bare = name.removesuffix(".gz")
    return next((bare[: -len(end)] for end in _ENDINGS if bare.lower().endswith(end)), bare)


def open_folder(path: Path, wanted: Wanted) -> FolderSource:
    """A folder of structure files; where values are wanted, the one table in it that has their columns.

    Raises:
        InputError: the folder holds no structure file, or values are wanted and no table, or several, can give them.
    """
    files = structure_files(path)
    if not files:
        raise InputError(f"the folder {path} holds no structure file (.cif, .vasp, POSCAR, .xyz, .extxyz)")
    if not wanted.named():
        return FolderSource(path=path, wanted=wanted, table=None, key_column="")
    tables = sorted(entry for entry in path.iterdir() if entry.is_file() and table_format(entry) is not None)
    if not tables:
        raise InputError(f"the folder {path} holds no table (.csv, .parquet, .json) with the values of its structures")
    fitting = [table for table in tables if set(wanted.named()) <= set(_columns(table))]
    if len(fitting) > 1:
        raise InputError(f"several tables in {path} have these columns: {', '.join(table.name for table in fitting)}")
    table = fitting[0] if fitting else tables[0]
    check_columns(table, _columns(table), wanted.named())
    return FolderSource(path=path, wanted=wanted, table=table, key_column=_key_column(table, wanted, files))


def _columns(table: Path) -> list[str]:
    first = next(read_cells(table), None)
    return [] if first is None else column_names(table, first)


def _key_column(table: Path, wanted: Wanted, files: list[str]) -> str:
    """The stated column, else the first usual one whose cells name files of the folder."""
    if wanted.structure is not None:
        return wanted.structure
    first = next(read_cells(table))
    known = {*files, *map(_stem, files)}
    named = [column for column in (*_FILE_COLUMNS, *first) if str(first.get(column) or "").strip() in known]
    usual = [column for column in _FILE_COLUMNS if column in first]
    if not named and not usual:
        raise InputError(
            f"no column of {table} names the structure files beside it; its columns are: {', '.join(first)}"
        )
    return (named or usual)[0]
