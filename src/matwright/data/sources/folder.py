"""A folder or ZIP archive of structure files, with a table in it that holds the values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from matwright.data.cell_values import is_missing
from matwright.data.record import RawRow, StructureKind
from matwright.data.sources.bundle import Bundle, Read, TablePath, stem
from matwright.data.sources.cells import MALFORMED, Cells, column_names, read_cells, table_format
from matwright.data.sources.interface import ID_COLUMNS, Wanted, check_columns
from matwright.errors import InputError
from matwright.materials.properties import PropertySpec
from matwright.serialization import hash_file, hash_json

_FILE_COLUMNS = ("file", "filename", "path", "structure", "cif", "poscar", *ID_COLUMNS)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSource:
    """A folder or archive; made by `open_folder`, which looks for its table.

    Attributes:
        table: the table of values, None where there is none and none is needed.
        key_column: the table's column that names the files, with or without their ending.
    """

    bundle: Bundle
    wanted: Wanted
    table: TablePath | None
    key_column: str

    @property
    def path(self) -> Path:
        """The folder or archive."""
        return self.bundle.path

    @property
    def targets(self) -> tuple[PropertySpec, ...]:
        """What the values of each row are, in order."""
        return self.wanted.targets

    def cells(self) -> Iterator[Mapping[str, Any]]:
        """See `Source.cells`."""
        return iter(()) if self.table is None else read_cells(self.table)

    def rows(self) -> Iterator[RawRow]:
        """First the rows of the table, then the files that no row names; see `Source.rows`."""
        with self.bundle.opened() as read:
            if self.table is None:
                for number, single in enumerate(self.bundle.names, start=1):
                    yield self._file_row(read, number, single, None)
                return
            seen: set[str] = set()
            for number, cells in enumerate(read_cells(self.table), start=1):
                key = str(cells.get(self.key_column) or "").strip()
                name = self.bundle.find(key)
                second = f"a second row for the file {name!r}" if name in seen else None
                seen.add(name or key)
                yield self._table_row(read, number, cells, key, name, second)
            for number, unnamed in enumerate(sorted(set(self.bundle.names) - seen), start=1):
                yield self._file_row(read, number, unnamed, f"no row of {self.table.name} names this file")

    def _table_row(
        self, read: Read, number: int, cells: Cells, key: str, name: str | None, problem: str | None
    ) -> RawRow:
        formula = self.wanted.reading.formula
        if name is not None:
            kind, payload = read(name)
        elif formula is not None and not is_missing(cells.get(formula)):
            kind, payload = StructureKind.FORMULA, str(cells[formula]).strip()
        else:
            kind, payload = StructureKind.PATH, str(self.path / key)
            problem = f"there is no structure file {key!r} in {self.path}"
        stated = cells.get(self.wanted.reading.id_column) if self.wanted.reading.id_column else None
        return self.wanted.row(
            cells,
            name=str(stated or stem(key) or f"row-{number}"),
            file=str(self.table),
            number=number,
            kind=kind,
            payload=payload,
            problem=cells.get(MALFORMED) or problem,
        )

    def _file_row(self, read: Read, number: int, name: str, problem: str | None) -> RawRow:
        kind, payload = read(name)
        row = self.wanted.row(
            {}, name=stem(name), file=str(self.path / name), number=number, kind=kind, payload=payload, problem=problem
        )
        return row if problem is None else replace(row, part="")

    def data_hash(self) -> str:
        """A hex digest of the names and bytes of all structure files, of the table, and of what is read from it."""
        table = hash_file(self.table) if isinstance(self.table, Path) else ""
        return hash_json([self.bundle.hash(), table, self.wanted])


def open_folder(path: Path, wanted: Wanted) -> FolderSource:
    """A folder or ZIP archive of structure files; where values are wanted, the one table in it with their columns.

    Raises:
        InputError: it holds no structure file, or values are wanted and no table, or several, can give them.
    """
    bundle = Bundle(path)
    if not bundle.names:
        raise InputError(f"{path} holds no structure file (.cif, .vasp, POSCAR, .xyz, .extxyz, .mol, .sdf)")
    if not wanted.named():
        return FolderSource(bundle=bundle, wanted=wanted, table=None, key_column="")
    tables = bundle.tables(lambda found: table_format(found) is not None)
    if not tables:
        raise InputError(f"{path} holds no table (.csv, .parquet, .json) with the values of its structures")
    fitting = [table for table in tables if set(wanted.named()) <= set(_columns(table))]
    if len(fitting) > 1:
        raise InputError(f"several tables in {path} have these columns: {', '.join(table.name for table in fitting)}")
    table = fitting[0] if fitting else tables[0]
    check_columns(table, _columns(table), wanted.named())
    return FolderSource(bundle=bundle, wanted=wanted, table=table, key_column=_key_column(table, wanted, bundle))


def table_columns(path: Path) -> list[str]:
    """The columns of all tables in a folder or archive."""
    tables = Bundle(path).tables(lambda found: table_format(found) is not None)
    return list(dict.fromkeys(name for table in tables for name in _columns(table)))


def _columns(table: TablePath) -> list[str]:
    first = next(read_cells(table), None)
    return [] if first is None else column_names(table, first)


def _key_column(table: TablePath, wanted: Wanted, bundle: Bundle) -> str:
    """The stated column, else the first usual one whose cells name files of the folder."""
    if wanted.reading.structure is not None:
        return wanted.reading.structure
    first = next(read_cells(table))
    named = [
        column for column in (*_FILE_COLUMNS, *first) if bundle.find(str(first.get(column) or "").strip()) is not None
    ]
    usual = [column for column in _FILE_COLUMNS if column in first]
    if not named and not usual:
        raise InputError(
            f"no column of {table} names the structure files beside it; its columns are: {', '.join(first)}"
        )
    return (named or usual)[0]
