"""A table that says what each material is: by a structure or its path, a formula, percents of elements, a molecule."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from matwright.data.record import RawRow, StructureKind
from matwright.data.sources.bundle import Bundle, Read
from matwright.data.sources.cells import MALFORMED, Cells, column_names, read_cells
from matwright.data.sources.interface import Wanted, check_columns, row_name, with_usual_id
from matwright.data.sources.reading import Payload
from matwright.errors import InputError
from matwright.materials.properties import PropertySpec
from matwright.serialization import hash_file, hash_json


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TableSource:
    """A table file; made by `open_table`, which checks its columns.

    Attributes:
        bundle: where the structures lie that the structure column names; None for cells with text or paths.
    """

    path: Path
    wanted: Wanted
    bundle: Bundle | None = None

    @property
    def targets(self) -> tuple[PropertySpec, ...]:
        """What the values of each row are, in order."""
        return self.wanted.targets

    def cells(self) -> Iterator[Mapping[str, Any]]:
        """See `Source.cells`."""
        return read_cells(self.path, self.wanted.named())

    def rows(self) -> Iterator[RawRow]:
        """The rows from the first on; see `Source.rows`."""
        with nullcontext() if self.bundle is None else self.bundle.opened() as read:
            for number, cells in enumerate(self.cells(), start=1):
                yield self._row(number, cells, read)

    def _row(self, number: int, cells: Cells, read: Read | None) -> RawRow:
        kind, payload, problem = self._payload(cells, read)
        return self.wanted.row(
            cells,
            name=row_name(cells, self.wanted.reading.id_column, f"row-{number}"),
            file=str(self.path),
            number=number,
            kind=kind,
            payload=payload,
            problem=cells.get(MALFORMED) or problem,
        )

    def _payload(self, cells: Cells, read: Read | None) -> Payload:
        reading = self.wanted.reading
        if self.bundle is None or read is None or reading.structure is None:
            return reading.payload(cells, self.path.parent)
        word = str(cells.get(reading.structure) or "").strip()
        name = self.bundle.find(word)
        if name is not None:
            return (*read(name), None)
        kind, payload, problem = replace(reading, structure=None).payload(cells, self.path.parent)
        return kind, payload, problem if reading.formula else f"there is no structure {word!r} in {self.bundle.path}"

    def data_hash(self) -> str:
        """A hex digest of the table's bytes, of the files it points to, and of what is read from it."""
        digest = hashlib.sha256(hash_file(self.path).encode())
        if self.bundle is not None:
            digest.update(self.bundle.hash().encode())
        elif next(self.rows()).kind in (StructureKind.PATH, StructureKind.FORMULA):
            for row in self.rows():
                if row.kind is StructureKind.PATH and row.problem is None:
                    digest.update(hash_file(str(row.payload)).encode())
        digest.update(hash_json(self.wanted).encode())
        return digest.hexdigest()


def open_table(path: Path, wanted: Wanted, structures: Path | None = None) -> TableSource:
    """A table whose columns say what the materials are.

    Args:
        path: of the table.
        wanted: what is read.
        structures: folder or ZIP archive of the structures that the structure column names.

    Raises:
        InputError: the table is empty, cannot be read, or lacks a column that is wanted.
    """
    first = next(read_cells(path), None)
    if first is None:
        raise InputError(f"{path} has no rows")
    existing = column_names(path, first)
    check_columns(path, existing, wanted.named())
    reading = wanted.reading.completed(existing)
    if not reading.says_what:
        shown = ", ".join(existing[:40])
        raise InputError(
            f"{path} has no structure or formula column of a usual name; name it (or the columns of a composition), "
            f"the columns are: {shown}"
        )
    if structures is not None and reading.structure is None:
        raise InputError(f"name the column of {path} that names the structures in {structures}")
    bundle = None if structures is None else Bundle(structures)
    wanted = with_usual_id(replace(wanted, reading=reading), existing)
    return TableSource(path=path, wanted=wanted, bundle=bundle)
