"""An ASE database: values in its key-value pairs or in the `data` of each row."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from matwright.data.record import RawRow, StructureKind
from matwright.data.sources.interface import ID_COLUMNS, Wanted, check_columns, find_column
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.materials.interop import from_ase
from matwright.materials.properties import PropertySpec
from matwright.materials.silence import quiet_warnings
from matwright.serialization import hash_file, hash_json

_LOOKED_AT = 100


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AseDbSource:
    """An ASE database; made by `open_asedb`, which checks its keys."""

    path: Path
    wanted: Wanted
    id_column: str | None

    @property
    def targets(self) -> tuple[PropertySpec, ...]:
        """What the values of each row are, in order."""
        return self.wanted.targets

    def rows(self) -> Iterator[RawRow]:
        """The rows from the first on; see `Source.rows`."""
        for entry in _entries(self.path):
            cells = _cells(entry)
            values, bad_value = self.wanted.values(cells)
            crystal, problem = _crystal(entry)
            name = cells.get(self.id_column) if self.id_column else None
            yield RawRow(
                id=str(name) if name is not None else f"row-{entry.id}",
                file=str(self.path),
                number=int(entry.id),
                kind=StructureKind.READY,
                payload="" if crystal is None else crystal,
                targets=values,
                part=self.wanted.part(cells),
                problem=problem or bad_value,
            )

    def data_hash(self) -> str:
        """A hex digest of the file's bytes and of what is read from it."""
        return hash_json([hash_file(self.path), self.wanted])


def open_asedb(path: Path, wanted: Wanted) -> AseDbSource:
    """An ASE database (SQLite).

    Raises:
        InputError: it is no database, is empty, or none of its first rows has a value that is wanted.
    """
    keys: dict[str, None] = {}
    count = 0
    for entry in itertools.islice(_entries(path), _LOOKED_AT):
        count += 1
        keys |= dict.fromkeys(_cells(entry))
    if count == 0:
        raise InputError(f"{path} has no rows")
    check_columns(path, keys, wanted.named())
    return AseDbSource(path=path, wanted=wanted, id_column=find_column(wanted.id_column, ID_COLUMNS, keys))


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


def _crystal(entry: Any) -> tuple[Crystal | None, str | None]:
    try:
        return from_ase(entry.toatoms()), None
    except InputError as problem:
        return None, str(problem)
