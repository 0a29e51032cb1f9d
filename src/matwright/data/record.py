"""One row of a data source: cheap as it is read, a structure once it is parsed, a rejection when it cannot be."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO, final

from matwright.errors import InputError
from matwright.materials import interop
from matwright.materials.composition import Composition
from matwright.materials.material import Structure
from matwright.materials.microstructure import from_microstructure_json
from matwright.materials.molecule_files import from_molecule_json, from_molfile
from matwright.materials.structure_files import from_frame, read_any


class StructureKind(Enum):
    """What the payload of a raw row is."""

    CIF = "cif"
    POSCAR = "poscar"
    EXTXYZ = "extxyz"
    JSON = "json"
    PATH = "path"
    FORMULA = "formula"
    MOLFILE = "molfile"
    MOLECULE_JSON = "molecule json"
    MICROSTRUCTURE_JSON = "microstructure json"
    READY = "ready"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RawRow:
    """A row as read, not yet parsed; it can be sent to another process.

    Attributes:
        id: name of the material in its source.
        file: the file to name when the row is rejected.
        number: 1-based number of the row, frame or file within `file`.
        kind: what `payload` is.
        payload: text of the structure, path of a structure file, or (READY) the structure itself.
        targets: one value a target in the unit of its spec, NaN where missing.
        censored: one sign a target, -1 where the true value lies below the one given, +1 above, 0 exact; empty for
            all exact.
        conditions: one value a condition, a number in its unit or the code of a category, NaN where missing.
        steps: processing steps in their order (see `materials.conditions`), NaN where a field is missing.
        group: the word of the source that keeps rows together in a split, "" where it names none.
        part: the split's part that the source names ("train", "val", "test" or its own word), "" where it names none.
        doubts: what it states that is hard to believe, a clause each; such numbers count as missing unless they are to
            be kept.
        problem: why the row cannot be used, None where nothing is wrong so far; `parse_row` raises it.
    """

    id: str
    file: str
    number: int
    kind: StructureKind
    payload: str | Structure
    targets: tuple[float, ...] = ()
    censored: tuple[int, ...] = ()
    conditions: tuple[float, ...] = ()
    steps: tuple[tuple[float, ...], ...] = ()
    group: str = ""
    part: str = ""
    doubts: tuple[str, ...] = ()
    problem: str | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A material of a data source with its values (n_targets,), NaN where missing."""

    id: str
    structure: Structure
    targets: tuple[float, ...]
    part: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A row that cannot be used: where it stands and why."""

    file: str
    row: int
    id: str
    reason: str

    @classmethod
    def of(cls, row: RawRow, reason: object) -> Rejection:
        """The rejection of this row for this reason (a text or an error)."""
        return cls(file=row.file, row=row.number, id=row.id, reason=" ".join(str(reason).split()))

    def __str__(self) -> str:
        return f"{self.file}, row {self.row} ({self.id}): {self.reason}"


_READERS: dict[StructureKind, Callable[[str], Structure]] = {
    StructureKind.CIF: interop.from_cif,
    StructureKind.POSCAR: interop.from_poscar,
    StructureKind.EXTXYZ: from_frame,
    StructureKind.JSON: interop.from_json,
    StructureKind.PATH: read_any,
    StructureKind.FORMULA: Composition.from_formula,
    StructureKind.MOLFILE: from_molfile,
    StructureKind.MOLECULE_JSON: from_molecule_json,
    StructureKind.MICROSTRUCTURE_JSON: from_microstructure_json,
}


def parse_row(row: RawRow) -> Structure:
    """The structure of a row; a function of a module, so that worker processes can run it.

    Raises:
        InputError: the row had a problem when it was read, or its structure cannot be read or is impossible.
    """
    if row.problem is not None:
        raise InputError(row.problem)
    if not isinstance(row.payload, str):
        return row.payload
    return _READERS[row.kind](row.payload)


def parse_record(row: RawRow) -> Record:
    """The record of a row; errors as in `parse_row`."""
    return Record(id=row.id, structure=parse_row(row), targets=row.targets, part=row.part)


@final
class RejectionLog:
    """Rejections, written to a CSV file as they come; with `strict` the first one raises instead.

    The file (columns file, row, id, reason) is made with the first rejection. Use as a context manager.
    """

    def __init__(self, path: Path | None = None, *, strict: bool = False) -> None:
        self.count = 0
        self._path = path
        self._strict = strict
        self._stream: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, rejection: Rejection) -> None:
        """Write one rejection down.

        Raises:
            InputError: the log is strict.
        """
        if self._strict:
            raise InputError(f"{rejection} (strict: the first bad row stops)")
        self.count += 1
        if self._path is None:
            return
        if self._stream is None:
            self._stream = self._path.open("w", encoding="utf-8", newline="")
            csv.writer(self._stream).writerow(("file", "row", "id", "reason"))
        csv.writer(self._stream).writerow((rejection.file, rejection.row, rejection.id, rejection.reason))
        self._stream.flush()

    def close(self) -> None:
        """Close the file; adding afterwards would start it anew."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def parsed(rows: Iterator[RawRow], log: RejectionLog) -> Iterator[Record]:
    """The records of rows, one by one in constant memory; rows that cannot be used go to the log."""
    for row in rows:
        try:
            yield parse_record(row)
        except InputError as problem:
            log.add(Rejection.of(row, problem))
