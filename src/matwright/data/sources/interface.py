"""What every data source offers, and how it is told what to read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, final

from matwright.data.cell_values import ParsedValue, is_missing, parse_class, parse_part, parse_value
from matwright.data.record import RawRow, StructureKind
from matwright.data.sources.bundle import TablePath
from matwright.data.sources.reading import Reading
from matwright.errors import InputError
from matwright.materials.conditions import ConditionColumn, ConditionSchema
from matwright.materials.material import Structure
from matwright.materials.properties import PropertySpec, nearest_hint

ID_COLUMNS = ("material_id", "id", "ID", "mpid", "jid", "name")
"""Names under which an id column is found when none is stated."""


class Source(Protocol):
    """A file or folder of materials with values; reading it needs memory that does not depend on its length."""

    @property
    def path(self) -> Path:
        """The file or folder."""
        ...

    @property
    def wanted(self) -> Wanted:
        """What is read from it."""
        ...

    @property
    def targets(self) -> tuple[PropertySpec, ...]:
        """What the values of each row are, in order."""
        ...

    def rows(self) -> Iterator[RawRow]:
        """The rows from the first on; each call starts again. Rows that cannot be used come with their problem."""
        ...

    def cells(self) -> Iterator[Mapping[str, Any]]:
        """The cells of each row that has any, by column, as they stand; at least those of the columns wanted."""
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
        logarithms: names of targets whose column holds the value itself and whose unit is that of its logarithm.
        reading: what the materials and their conditions are read from.
        schema: the conditions, None where there are none.
        split_column, group_column: None for no split, and for no groups.
    """

    targets: tuple[PropertySpec, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    logarithms: frozenset[str] = frozenset()
    reading: Reading = field(default_factory=Reading)
    schema: ConditionSchema | None = None
    split_column: str | None = None
    group_column: str | None = None

    def column_of(self, spec: PropertySpec) -> str:
        """The column that holds a property."""
        return self.columns.get(spec.name, spec.name)

    def named(self) -> list[str]:
        """Every column that the user named."""
        stated = (self.split_column, self.group_column)
        columns = [*(self.column_of(spec) for spec in self.targets), *self.reading.named()]
        return [*columns, *(name for name in stated if name is not None)]

    def row(
        self,
        cells: Mapping[str, Any],
        *,
        name: str,
        file: str,
        number: int,
        kind: StructureKind,
        payload: str | Structure,
        problem: str | None = None,
    ) -> RawRow:
        """The row of some cells; `problem` is what is wrong with its structure or its place in the file."""
        values, bad_value = self._values(cells)
        conditions, bad_condition = self._conditions(cells)
        steps, doubts, bad_step = self._steps(cells)
        return RawRow(
            id=name,
            file=file,
            number=number,
            kind=kind,
            payload=payload,
            targets=tuple(read.value for read in values),
            censored=tuple(read.sign for read in values),
            conditions=conditions,
            steps=steps,
            group="" if self.group_column is None else str(cells.get(self.group_column) or "").strip(),
            part="" if self.split_column is None else parse_part(cells.get(self.split_column)),
            doubts=doubts,
            problem=problem or bad_value or bad_condition or bad_step,
        )

    def _values(self, cells: Mapping[str, Any]) -> tuple[list[ParsedValue], str | None]:
        """One value a target, and the first thing that is wrong; that of a class is its place in the spec's classes."""
        found = [self._value(spec, cells.get(self.column_of(spec))) for spec in self.targets]
        return found, next((read.problem for read in found if read.problem is not None), None)

    def _value(self, spec: PropertySpec, cell: object) -> ParsedValue:
        if spec.classes:
            return parse_class(cell, spec.name, spec.classes)
        return parse_value(cell, spec.name, spec.lower, spec.upper, logarithm=spec.name in self.logarithms)

    def _conditions(self, cells: Mapping[str, Any]) -> tuple[tuple[float, ...], str | None]:
        if self.schema is None:
            return (), None
        columns = dict(self.reading.conditions)
        found = [_condition(column, cells.get(columns.get(column.name, ""))) for column in self.schema.columns]
        return tuple(read.value for read in found), next((read.problem for read in found if read.problem), None)

    def _steps(self, cells: Mapping[str, Any]) -> tuple[tuple[tuple[float, ...], ...], tuple[str, ...], str | None]:
        """The steps as numbers, what is hard to believe of them, and what is wrong with them."""
        columns, schema = self.reading.steps, self.schema
        if schema is None or schema.steps is None or columns is None:
            return (), (), None
        try:
            steps = columns.steps(cells)
            used = steps if columns.keep_doubtful else [step.believed() for step in steps]
            encoded = tuple(schema.steps.encode(step) for step in used)
        except InputError as problem:
            return (), (), str(problem)
        doubts = [f"step {n}: {doubt}" for n, step in enumerate(steps, start=1) for doubt in step.doubts().values()]
        return encoded, tuple(doubts), None


def _condition(column: ConditionColumn, cell: object) -> ParsedValue:
    if column.is_number:
        read = parse_value(cell, column.name, None, None)
        return read if read.sign == 0 else ParsedValue(problem=f"{column.name} is a bound, not a number")
    if is_missing(cell):
        return ParsedValue(value=math.nan)
    try:
        return ParsedValue(value=column.encode(column.checked(str(cell).strip())))
    except InputError as problem:
        return ParsedValue(problem=str(problem))


def check_columns(path: TablePath, existing: Iterable[str], named: Iterable[str]) -> None:
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


def with_usual_id(wanted: Wanted, existing: Iterable[str]) -> Wanted:
    """With the id column of a usual name where none is stated."""
    name = find_column(wanted.reading.id_column, ID_COLUMNS, existing)
    return replace(wanted, reading=replace(wanted.reading, id_column=name))


def row_name(cells: Mapping[str, Any], column: str | None, otherwise: str) -> str:
    """What the id column of a row says, else another name."""
    cell = cells.get(column) if column else None
    return otherwise if cell is None or cell == "" else str(cell)
