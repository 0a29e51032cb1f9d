"""The crystals that are screened, from structure files, folders and tables; what cannot be used has its reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

from matwright.api.inputs import read_inputs
from matwright.data.record import RawRow, Rejection, RejectionLog, parse_row
from matwright.errors import InputError, MatwrightError
from matwright.materials.crystal import Crystal


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Where the crystals come from.

    Attributes:
        paths: structure files, folders or archives of them, tables.
        structure: the column of a table that holds the structures.
        id_column: the column of a table that names them.
        strict: whether the first row that cannot be used stops everything.
    """

    paths: tuple[Path, ...]
    structure: str | None = None
    id_column: str | None = None
    strict: bool = False


def read_crystals(inputs: Inputs) -> tuple[list[tuple[str, Crystal]], list[Rejection]]:
    """(name, crystal) of every row that holds one, in order, and the rows that do not."""
    found: list[tuple[str, Crystal]] = []
    rejections: list[Rejection] = []
    log = RejectionLog(strict=inputs.strict)
    for row in read_inputs(inputs.paths, structure=inputs.structure, id_column=inputs.id_column):
        try:
            found.append((row.id, _crystal(row)))
        except MatwrightError as problem:
            rejection = Rejection.of(row, problem)
            log.add(rejection)
            rejections.append(rejection)
    if not found:
        raise InputError(f"none of the {len(rejections)} structures could be used; the first: {rejections[0]}")
    return found, rejections


def _crystal(row: RawRow) -> Crystal:
    structure = parse_row(row)
    if not isinstance(structure, Crystal):
        raise InputError("only crystals are screened; a formula or molecule has no place in the cascade")
    if not structure.is_ordered:
        raise InputError("a disordered crystal cannot be screened: order it first")
    return structure
