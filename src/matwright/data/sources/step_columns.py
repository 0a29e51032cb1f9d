"""Processing steps in a table: one column with text or JSON, or numbered columns, one set a step."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self, final

from matwright.data.cell_values import is_missing, parse_value
from matwright.errors import InputError
from matwright.materials.processing import STEP_UNITS, STEP_WORDS, ProcessStep, parse_steps, step_of_mapping
from matwright.materials.properties import nearest_hint
from matwright.units import convert, same_dimension

PLACE = "{n}"
"""What stands for the number of the step in a column's name."""

_FIELDS = tuple(field.name for field in fields(ProcessStep))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StepField:
    """A column that holds one field of a step.

    Attributes:
        operation: what is done in these steps, "" where a column says it or nobody.
        column: its name, with `PLACE` for the number where there are several such steps.
        field: of `ProcessStep`.
        unit: of a number, "" for a word.
    """

    operation: str
    column: str
    field: str
    unit: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "ageing=Treatment {n} [degC]:temperature:degC" or "Treatment {n} cooling:cooling".

        Raises:
            InputError: the field is unknown, or the unit does not fit it.
        """
        operation, equals, rest = text.partition("=")
        words = [word.strip() for word in (rest if equals else text).rsplit(":", 2)]
        if len(words) == 3 and words[1] not in _FIELDS and words[2] in _FIELDS:
            words = [f"{words[0]}:{words[1]}", words[2]]
        column, field, unit = (*words, "", "")[:3]
        if not column or field not in _FIELDS:
            hint = nearest_hint(field, _FIELDS)
            raise InputError(
                f"a column of steps is written column:field:unit, for instance 'Step {PLACE} [degC]:temperature:degC', "
                f"with the field {', '.join(_FIELDS)}; found {text!r}{hint}"
            )
        if field in STEP_UNITS and (not unit or not same_dimension(unit, STEP_UNITS[field])):
            raise InputError(f"the {field} of a step needs a unit such as {STEP_UNITS[field]}, found {text!r}")
        if field in STEP_WORDS and unit:
            raise InputError(f"the {field} of a step is a word and has no unit, found {text!r}")
        return cls(operation=operation.strip() if equals else "", column=column, field=field, unit=unit)

    def value(self, cells: Mapping[str, Any], number: str) -> float | str | None:
        """What the cell of step `number` says, in the units of `ProcessStep`; None where missing or 0."""
        column = self.column.replace(PLACE, number)
        if self.field in STEP_WORDS:
            cell = cells.get(column)
            return None if is_missing(cell) or str(cell).strip().lower() == "unknown" else str(cell)
        read = parse_value(cells.get(column), column, None, None)
        if read.problem is not None:
            raise InputError(read.problem)
        return None if read.value == 0 or read.is_missing else convert(read.value, self.unit, STEP_UNITS[self.field])


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StepColumns:
    """Where a table states its processing steps.

    Attributes:
        text: the column with "solution 1150 degC 4 h > age 850 degC 24 h" or a JSON list of steps; None without.
        columns: fields of numbered or single steps. Steps follow each other in the order in which their operations
            first appear here, numbered ones by their number. A number 0 in such a column says that there is nothing.
        numbers: the numbers that stand for `PLACE` in this table.
        keep_doubtful: whether numbers that are hard to believe (`ProcessStep.doubts`) are used; else they are missing.
    """

    text: str | None = None
    columns: tuple[StepField, ...] = ()
    numbers: tuple[str, ...] = ()
    keep_doubtful: bool = False

    def __post_init__(self) -> None:
        if (self.text is None) == (not self.columns):
            raise InputError("processing steps stand either in one column or in a column for each field")

    @classmethod
    def find(cls, columns: Sequence[StepField], existing: Iterable[str], *, keep_doubtful: bool = False) -> Self:
        """The numbered columns that exist.

        Raises:
            InputError: a column does not exist under any number, or not under one that the others have.
        """
        there = set(existing)
        numbers: list[str] = []
        for number in map(str, itertools.count(1)):
            if not any(PLACE in one.column and one.column.replace(PLACE, number) in there for one in columns):
                break
            numbers.append(number)
        found = cls(columns=tuple(columns), numbers=tuple(numbers), keep_doubtful=keep_doubtful)
        for one in columns:
            if PLACE in one.column and not numbers:
                raise InputError(f"there is no column {one.column.replace(PLACE, '1')!r}")
        return found

    def named(self) -> list[str]:
        """Every column that must exist."""
        if self.text is not None:
            return [self.text]
        return [one.column.replace(PLACE, number) for one in self.columns for number in self._numbers(one)]

    def _numbers(self, one: StepField) -> tuple[str, ...]:
        return self.numbers if PLACE in one.column else ("",)

    def steps(self, cells: Mapping[str, Any]) -> tuple[ProcessStep, ...]:
        """The steps of a row, in their order.

        Raises:
            InputError: a cell cannot be read.
        """
        if self.text is not None:
            return steps_of_cell(cells.get(self.text))
        found = []
        for operation in dict.fromkeys(one.operation for one in self.columns):
            group = [one for one in self.columns if one.operation == operation]
            for number in self.numbers if any(PLACE in one.column for one in group) else ("",):
                values: dict[str, Any] = {one.field: one.value(cells, number) for one in group}
                if any(
                    value is not None for name, value in values.items() if name in STEP_UNITS or name == "operation"
                ):
                    found.append(ProcessStep(**({"operation": operation or None} | values)))
        return tuple(found)


def steps_of_cell(cell: object) -> tuple[ProcessStep, ...]:
    """The steps of a cell: a text (see `processing.parse_steps`), JSON, or the list that a JSON table holds.

    Raises:
        InputError: it cannot be read.
    """
    if is_missing(cell):
        return ()
    text = str(cell).strip()
    if isinstance(cell, str) and not text.startswith("["):
        return parse_steps(text)
    try:
        entries: Any = json.loads(text) if isinstance(cell, str) else cell
    except json.JSONDecodeError as error:
        raise InputError(f"the processing steps {text[:60]!r} are no valid JSON: {error.msg}") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"processing steps in JSON are a list of objects, found {text[:60]!r}")
    return tuple(step_of_mapping(entry) for entry in entries)
