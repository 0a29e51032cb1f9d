"""Conditions: temperature, pressure, processing and the fidelity of a value, as typed columns (C of E1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.materials.properties import nearest_hint
from matwright.serialization import hash_json
from matwright.units import convert, parse_unit

MISSING_CODE = -1
"""The code of a category that is missing."""


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


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The conditions of one material or value, one entry a column; None where it is missing, which is not zero.

    Raises:
        InputError: at construction, when the numbers of columns and values differ, a name stands twice, or a value
            does not fit its column.
    """

    columns: tuple[ConditionColumn, ...]
    values: tuple[float | str | None, ...]

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

    def content_hash(self) -> str:
        """A hex digest of columns and values; the order of columns does not matter."""
        pairs = sorted(zip(self.columns, self.values, strict=True), key=lambda pair: pair[0].name)
        return hash_json(["conditions", pairs])


def condition_arrays(rows: Sequence[Conditions]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Numbers (n_rows, n_numbers) with NaN for missing, and category codes (n_rows, n_categories) with -1 for missing.

    Raises:
        InputError: the rows do not have the same columns.
    """
    if not rows:
        return np.empty((0, 0)), np.empty((0, 0), dtype=np.int64)
    columns = rows[0].columns
    if any(row.columns != columns for row in rows):
        raise InputError("all rows need the same condition columns")
    numbers = [[math.nan if value is None else float(value) for value in _of(row, number=True)] for row in rows]
    codes = [_codes(row) for row in rows]
    n_rows = len(rows)
    return (
        np.array(numbers, dtype=np.float64).reshape(n_rows, -1),
        np.array(codes, dtype=np.int64).reshape(n_rows, -1),
    )


def _of(row: Conditions, *, number: bool) -> list[float | str | None]:
    return [value for column, value in zip(row.columns, row.values, strict=True) if column.is_number == number]


def _codes(row: Conditions) -> list[int]:
    words = [column.categories for column in row.columns if not column.is_number]
    values = _of(row, number=False)
    return [
        MISSING_CODE if value is None else known.index(str(value)) for known, value in zip(words, values, strict=True)
    ]
