"""What every data source offers, and how it is told what to read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, final

from matwright.data.record import RawRow, StructureKind, parse_class, parse_part, parse_value
from matwright.errors import InputError
from matwright.materials.properties import PropertySpec, nearest_hint

STRUCTURE_COLUMNS = ("cif", "structure", "poscar", "file", "filename", "path")
"""Names under which a structure column is found when none is stated."""
ID_COLUMNS = ("material_id", "id", "ID", "mpid", "jid", "name")
"""Names under which an id column is found when none is stated."""


class Source(Protocol):
    """A file or folder of crystals with values; reading it needs memory that does not depend on its length."""

    @property
    def path(self) -> Path:
        """The file or folder."""
        ...

    @property
    def targets(self) -> tuple[PropertySpec, ...]:
        """What the values of each row are, in order."""
        ...

    def rows(self) -> Iterator[RawRow]:
        """The rows from the first on; each call starts again. Rows that cannot be used come with their problem."""
        ...

    def data_hash(self) -> str:
        """A hex digest of what the source holds and of what is read from it."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to read from a source.

    Attributes:
        targets: the properties wanted.
        columns: property name → column, where the two differ.
        structure: name of the structure column, None to look for a usual one.
        id_column, split_column: None for a usual id column, and for no split.
    """

    targets: tuple[PropertySpec, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    structure: str | None = None
    id_column: str | None = None
    split_column: str | None = None

    def column_of(self, spec: PropertySpec) -> str:
        """The column that holds a property."""
        return self.columns.get(spec.name, spec.name)

    def named(self) -> list[str]:
        """Every column that the user named."""
        stated = (self.structure, self.id_column, self.split_column)
        return [*(self.column_of(spec) for spec in self.targets), *(name for name in stated if name is not None)]

    def values(self, cells: Mapping[str, Any]) -> tuple[tuple[float, ...], str | None]:
        """(n_targets,) values of a row, NaN where missing, and the first thing that is wrong with them.

        The value of a class is its place in the spec's `classes`.
        """
        found = [
            parse_class(cells.get(self.column_of(spec)), spec.name, spec.classes)
            if spec.classes
            else parse_value(cells.get(self.column_of(spec)), spec.name, spec.lower, spec.upper)
            for spec in self.targets
        ]
        problems = (problem for _, problem in found if problem is not None)
        return tuple(value for value, _ in found), next(problems, None)

    def part(self, cells: Mapping[str, Any]) -> str:
        """The part of the split that a row names."""
        return "" if self.split_column is None else parse_part(cells.get(self.split_column))


def check_columns(path: Path, existing: Iterable[str], named: Iterable[str]) -> None:
    """Raise InputError unless every named column exists; the message names the nearest and all there are."""
    there = list(existing)
    for name in named:
        if name not in there:
            shown = ", ".join(there[:40]) + (", …" if len(there) > 40 else "")
            raise InputError(f"{path} has no column {name!r}{nearest_hint(name, there)}; it has: {shown}")


def find_column(stated: str | None, usual: Iterable[str], existing: Iterable[str]) -> str | None:
    """The stated column, else the first usual one that exists, else None."""
    if stated is not None:
        return stated
    there = set(existing)
    return next((name for name in usual if name in there), None)


def structure_payload(cell: object, folder: Path) -> tuple[StructureKind, str, str | None]:
    """Kind and text of a structure cell (CIF, POSCAR, pymatgen JSON, or a path relative to `folder`), and a problem."""
    text = "" if cell is None else json.dumps(cell) if isinstance(cell, dict) else str(cell)
    stripped = text.strip()
    if not stripped:
        return StructureKind.CIF, "", "the structure is missing"
    if stripped.startswith("{"):
        return StructureKind.JSON, text, None
    if "_cell_length" in text or stripped.startswith("data_"):
        return StructureKind.CIF, text, None
    if "\n" in stripped or "\\n" in stripped:
        return StructureKind.POSCAR, text, None
    path = folder / stripped
    problem = None if path.is_file() else f"{stripped[:80]!r} is neither CIF nor POSCAR text, nor a file in {folder}"
    return StructureKind.PATH, str(path), problem
