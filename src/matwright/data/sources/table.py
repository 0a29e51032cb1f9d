"""A table with a structure column: CSV, Parquet or JSON; the cells hold CIF or POSCAR text, or paths."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

from matwright.data.record import RawRow, StructureKind
from matwright.data.sources.cells import MALFORMED, Cells, column_names, read_cells
from matwright.data.sources.interface import (
    ID_COLUMNS,
    STRUCTURE_COLUMNS,
    Wanted,
    check_columns,
    find_column,
    structure_payload,
)
from matwright.errors import InputError
from matwright.materials.properties import PropertySpec
from matwright.serialization import hash_file, hash_json


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TableSource:
    """A table file; made by `open_table`, which checks its columns."""

    path: Path
    wanted: Wanted
    structure: str
    id_column: str | None

    @property
    def targets(self) -> tuple[PropertySpec, ...]:
        """What the values of each row are, in order."""
        return self.wanted.targets

    def rows(self) -> Iterator[RawRow]:
        """The rows from the first on; see `Source.rows`."""
        needed = [*self.wanted.named(), self.structure, *([self.id_column] if self.id_column else [])]
        for number, cells in enumerate(read_cells(self.path, needed), start=1):
            yield self._row(number, cells)

    def _row(self, number: int, cells: Cells) -> RawRow:
        kind, payload, problem = structure_payload(cells.get(self.structure), self.path.parent)
        values, bad_value = self.wanted.values(cells)
        name = cells.get(self.id_column) if self.id_column else None
        return RawRow(
            id=str(name) if name not in (None, "") else f"row-{number}",
            file=str(self.path),
            number=number,
            kind=kind,
            payload=payload,
            targets=values,
            part=self.wanted.part(cells),
            problem=cells.get(MALFORMED) or problem or bad_value,
        )

    def data_hash(self) -> str:
        """A hex digest of the table's bytes, of the files it points to, and of what is read from it."""
        digest = hashlib.sha256(hash_file(self.path).encode())
        if next(self.rows()).kind is StructureKind.PATH:
            for row in self.rows():
                if row.kind is StructureKind.PATH and row.problem is None:
                    digest.update(hash_file(str(row.payload)).encode())
        digest.update(hash_json(self.wanted).encode())
        return digest.hexdigest()


def open_table(path: Path, wanted: Wanted) -> TableSource:
    """A table with a structure column.

    Raises:
        InputError: the table is empty, cannot be read, or lacks a column that is wanted.
    """
    first = next(read_cells(path), None)
    if first is None:
        raise InputError(f"{path} has no rows")
    existing = column_names(path, first)
    check_columns(path, existing, wanted.named())
    structure = find_column(wanted.structure, STRUCTURE_COLUMNS, existing)
    if structure is None:
        shown = ", ".join(existing[:40])
        raise InputError(f"{path} has no structure column of a usual name; name it, the columns are: {shown}")
    return TableSource(
        path=path, wanted=wanted, structure=structure, id_column=find_column(wanted.id_column, ID_COLUMNS, existing)
    )
