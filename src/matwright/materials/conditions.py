"""Conditions: temperature, pressure, processing and the fidelity of a value, as typed columns (C of E1)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self, final

from matwright.errors import InputError
from matwright.materials.processing import ProcessStep, StepVocabulary, describe_steps
from matwright.materials.properties import nearest_hint
from matwright.serialization import hash_json
from matwright.units import convert, parse_unit

__all__ = ["STEPS", "ConditionColumn", "ConditionSchema", "Conditions", "ProcessStep", "StepVocabulary"]

STEPS = "processing steps"
"""The name of the steps where they stand beside conditions."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionColumn:
    """One condition: a number with a unit, or a word out of some categories.

    Attributes:
        name: for instance "temperature", "atmosphere", "fidelity".
        unit: unit of a number, None for a category.
        categories: the words allowed for a category, empty for a number.

    Raises:
        InputError: at construction, when it is neither a number nor a category, or the unit is unknown.
    """

    name: str
    unit: str | None = None
    categories: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name:
            raise InputError("a condition needs a name")
        if (self.unit is None) == (not self.categories):
            raise InputError(f"the condition {self.name!r} needs either a unit or categories")
        if self.unit is not None:
            parse_unit(self.unit)
        if len(set(self.categories)) != len(self.categories):
            raise InputError(f"the condition {self.name!r} names a category twice")

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers (else categories)."""
        return self.unit is not None

    def checked(self, value: float | str | None) -> float | str | None:
        """The value as it is stored: None where it is missing (also NaN and an empty text).

        Raises:
            InputError: it is no finite number, or not one of the categories.
        """
        if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
            return None
        if self.is_number:
            if isinstance(value, str) or not math.isfinite(value):
                raise InputError(f"{self.name} is a number in {self.unit}, found {value!r}")
            return float(value)
        if value not in self.categories:
            hint = nearest_hint(str(value), self.categories)
            raise InputError(f"{self.name} is one of {', '.join(self.categories)}, found {value!r}{hint}")
        return str(value)

    def encode(self, value: float | str | None) -> float:
        """A checked value as a number: a category as its place, NaN for what is missing."""
        if value is None:
            return math.nan
        return float(self.categories.index(str(value))) if self.categories else float(value)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The conditions of one material or value, one entry a column; None where it is missing, which is not zero.

    Attributes:
        columns: what the values are.
        values: one a column.
        steps: how the material was processed, in the order in which it was done.

    Raises:
        InputError: at construction, when the numbers of columns and values differ, a name stands twice, or a value
            does not fit its column.
    """

    columns: tuple[ConditionColumn, ...]
    values: tuple[float | str | None, ...]
    steps: tuple[ProcessStep, ...] = ()

    def __post_init__(self) -> None:
        if len(self.columns) != len(self.values):
            raise InputError(f"{len(self.columns)} conditions need as many values, found {len(self.values)}")
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise InputError(f"a condition stands twice: {', '.join(names)}")
        checked = tuple(column.checked(value) for column, value in zip(self.columns, self.values, strict=True))
        object.__setattr__(self, "values", checked)

    def number(self, name: str, unit: str) -> float | None:
        """The number of that name in `unit`, None where it is missing.

        Raises:
            InputError: there is no such number, or the unit does not fit.
        """
        column, value = self._find(name)
        if column.unit is None:
            raise InputError(f"the condition {name!r} is a category, not a number")
        return None if value is None else convert(float(value), column.unit, unit)

    def category(self, name: str) -> str | None:
        """The word of that name, None where it is missing.

        Raises:
            InputError: there is no such category.
        """
        column, value = self._find(name)
        if column.is_number:
            raise InputError(f"the condition {name!r} is a number, not a category")
        return None if value is None else str(value)

    def _find(self, name: str) -> tuple[ConditionColumn, float | str | None]:
        for column, value in zip(self.columns, self.values, strict=True):
            if column.name == name:
                return column, value
        names = [column.name for column in self.columns]
        raise InputError(f"there is no condition {name!r}{nearest_hint(name, names)}; there are: {', '.join(names)}")

    def in_words(self) -> dict[str, str]:
        """Name → "700 K", a category, or the steps as `parse_steps` reads them; what is missing is left out."""
        found = {
            column.name: f"{value:.10g} {column.unit}".removesuffix(" 1") if isinstance(value, float) else value
            for column, value in zip(self.columns, self.values, strict=True)
            if value is not None
        }
        return found | ({STEPS: describe_steps(self.steps)} if self.steps else {})

    def content_hash(self) -> str:
        """A hex digest of columns, values and steps; the order of columns does not matter, that of steps does."""
        pairs = sorted(zip(self.columns, self.values, strict=True), key=lambda pair: pair[0].name)
        return hash_json(["conditions", pairs, self.steps])


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionSchema:
    """Which conditions a data set states and a model knows, and how they are written as plain numbers.

    A number is written in its column's unit, a category as its place among the column's categories, a step as
    `StepVocabulary.encode` says; NaN is missing.

    Attributes:
        columns: the conditions, in the order in which their numbers stand.
        steps: the words of the processing steps, None where there are no steps.

    Raises:
        InputError: at construction, when it is empty or names a column twice.
    """

    columns: tuple[ConditionColumn, ...] = ()
    steps: StepVocabulary | None = None

    def __post_init__(self) -> None:
        if not self.columns and self.steps is None:
            raise InputError("a schema of conditions has at least one column or steps")
        if len(set(self.names)) != len(self.columns):
            raise InputError(f"a condition stands twice: {', '.join(self.names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def unknown(self) -> Conditions:
        """Conditions of which nothing is known."""
        return Conditions(columns=self.columns, values=(None,) * len(self.columns))

    def conditions(self, values: Mapping[str, float | str | None], steps: Sequence[ProcessStep] = ()) -> Conditions:
        """Conditions by name, numbers in the units of the columns; what is not named is missing.

        Raises:
            InputError: a name is not known, a value does not fit its column, or a word of a step is not known.
        """
        if wrong := next((name for name in values if name not in self.names), None):
            there = ", ".join(self.names) or "none"
            raise InputError(f"there is no condition {wrong!r}{nearest_hint(wrong, self.names)}; there are: {there}")
        found = Conditions(
            columns=self.columns, values=tuple(values.get(name) for name in self.names), steps=tuple(steps)
        )
        self.encode_steps(found)
        return found

    def encode(self, conditions: Conditions) -> tuple[float, ...]:
        """(n_columns,) numbers of conditions, whose own columns may be in another order or unit; NaN where missing.

        Raises:
            InputError: they state a column that is not of the schema, or a value that does not fit.
        """
        values: dict[str, float | str | None] = {column.name: None for column in conditions.columns}
        for column in self.columns:
            if column.name in values and column.unit is not None:
                values[column.name] = conditions.number(column.name, column.unit)
            elif column.name in values:
                values[column.name] = conditions.category(column.name)
        checked = self.conditions(values).values
        return tuple(column.encode(value) for column, value in zip(self.columns, checked, strict=True))

    def encode_steps(self, conditions: Conditions) -> tuple[tuple[float, ...], ...]:
        """One tuple of `StepVocabulary.encode` a step.

        Raises:
            InputError: there are steps but the schema has none, or a word of them is not known.
        """
        if not conditions.steps:
            return ()
        if self.steps is None:
            raise InputError("processing steps are given, but none belong to these conditions")
        return tuple(self.steps.encode(step) for step in conditions.steps)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The schema written by `as_dict`.

        Raises:
            InputError: the values do not describe a schema.
        """
        try:
            columns = tuple(
                ConditionColumn(name=entry["name"], unit=entry["unit"], categories=tuple(entry["categories"]))
                for entry in values["columns"]
            )
            steps = values["steps"]
            words = None if steps is None else StepVocabulary(**{name: tuple(steps[name]) for name in steps})
            return cls(columns=columns, steps=words)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"the conditions of the model cannot be read: {error}") from error
