"""An ASE database: values in its key-value pairs or in the `data` of each row."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from matwright.data.record import RawRow, StructureKind
from matwright.data.sources.interface import Wanted, check_columns, row_name, with_usual_id
from matwright.errors import InputError
from matwright.materials.interop import from_ase
from matwright.materials.material import Structure
from matwright.materials.molecule_files import molecule_of
from matwright.materials.properties import PropertySpec
from matwright.materials.silence import quiet_warnings
from matwright.serialization import hash_file, hash_json

_LOOKED_AT = 100
_FLAT = 1e-3  # Å³ below which a cell is none


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AseDbSource:
    """An ASE database; made by `open_asedb`, which checks its keys."""

    path: Path
    wanted: Wanted

    @property
    def targets(self) -> tuple[PropertySpec, ...]:
        """What the values of each row are, in order."""
        return self.wanted.targets

    def cells(self) -> Iterator[Mapping[str, Any]]:
        """See `Source.cells`."""
        return map(_cells, _entries(self.path))

    def rows(self) -> Iterator[RawRow]:
        """The rows from the first on; see `Source.rows`."""
        for entry in _entries(self.path):
            cells = _cells(entry)
            structure, problem = _structure(entry)
            yield self.wanted.row(
                cells,
                name=row_name(cells, self.wanted.reading.id_column, f"row-{entry.id}"),
                file=str(self.path),
                number=int(entry.id),
                kind=StructureKind.READY,
                payload="" if structure is None else structure,
                problem=problem,
            )

    def data_hash(self) -> str:
        """A hex digest of the file's bytes and of what is read from it."""
        return hash_json([hash_file(self.path), self.wanted])


def open_asedb(path: Path, wanted: Wanted) -> AseDbSource:
    """An ASE database (SQLite).

    Raises:
        InputError: it is no database, is empty, or none of its first rows has a value that is wanted.
    """
    keys = entry_keys(path)
    check_columns(path, keys, wanted.named())
    return AseDbSource(path=path, wanted=with_usual_id(wanted, keys))


def entry_keys(path: Path) -> list[str]:
    """The keys of the first rows.

    Raises:
        InputError: there is no row.
    """
    keys: dict[str, None] = {}
    count = 0
    for entry in itertools.islice(_entries(path), _LOOKED_AT):
        count += 1
        keys |= dict.fromkeys(_cells(entry))
    if count == 0:
        raise InputError(f"{path} has no rows")
    return list(keys)


def _entries(path: Path) -> Iterator[Any]:
    import sqlite3  # heavy: behind its door

    import ase.db

    try:
        with quiet_warnings():
            database = ase.db.connect(path, type="db")  # type: ignore[no-untyped-call]  # of ASE
        yield from database.select()
    except (sqlite3.DatabaseError, OSError, KeyError) as problem:
        raise InputError(f"{path} cannot be read as an ASE database: {problem}") from problem


def _cells(entry: Any) -> dict[str, Any]:
    return {**entry.data, **entry.key_value_pairs}


def _structure(entry: Any) -> tuple[Structure | None, str | None]:
    """The crystal of an entry, the molecule of one without a cell, or what is wrong with it."""
    try:
        atoms = entry.toatoms()
        if abs(atoms.cell.volume) < _FLAT and not atoms.pbc.any():
            return molecule_of(atoms.numbers.tolist(), atoms.positions.tolist()), None
        return from_ase(atoms), None
    except InputError as problem:
        return None, str(problem)
