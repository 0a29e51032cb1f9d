"""Compositions that a table states as one column an element, in weight or atomic percent."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self, final

from matwright.data.cell_values import parse_value
from matwright.elements import SYMBOLS, atomic_number, symbol
from matwright.errors import InputError
from matwright.materials.composition import Composition
from matwright.materials.properties import nearest_hint

PERCENT_UNITS = ("wt%", "at%")
_SYMBOLS = frozenset(SYMBOLS[1:])
_LARGEST = 1000.0  # percent in one cell; beyond it the column is no percentage


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PercentColumns:
    """Which columns hold the percents of the elements.

    Attributes:
        columns: (atomic number, column), at least one.
        unit: "wt%" or "at%".
        balance: atomic number of the element that makes up the rest to 100 %, None where all are stated.
        rescale: scale percents that do not sum to 100, instead of refusing the row.
    """

    columns: tuple[tuple[int, str], ...]
    unit: str
    balance: int | None = None
    rescale: bool = False

    def __post_init__(self) -> None:
        if self.unit not in PERCENT_UNITS:
            raise InputError(f"the unit of composition columns is {' or '.join(PERCENT_UNITS)}, found {self.unit!r}")
        if not self.columns:
            raise InputError("no column holds the percent of an element")
        if self.balance is not None and self.rescale:
            raise InputError("percents are either completed by a balance element or rescaled, not both")

    @classmethod
    def find(
        cls,
        pattern: str,
        existing: Iterable[str],
        *,
        unit: str = "wt%",
        balance: str | None = None,
        rescale: bool = False,
    ) -> Self:
        """The columns that a pattern with a star for the element names ("wt_*"), or a list "C,Si,Mn".

        Raises:
            InputError: nothing fits, or a name of the list is no column or no element.
        """
        there = list(existing)
        found = _starred(pattern, there) if "*" in pattern else _listed(pattern, there)
        if not found:
            raise InputError(f"no column fits {pattern!r} with an element for the star; there are: {_shown(there)}")
        numbers = [number for number, _ in found]
        if len(set(numbers)) != len(numbers):
            raise InputError(f"several columns of {pattern!r} stand for one element")
        rest = None if balance is None else atomic_number(balance)
        return cls(columns=tuple(found), unit=unit, balance=rest, rescale=rescale)

    def named(self) -> list[str]:
        """The columns."""
        return [column for _, column in self.columns]

    def composition(self, cells: Mapping[str, Any]) -> Composition:
        """The composition of a row; an empty cell is an element that is not there.

        Raises:
            InputError: a cell is no percent, or the percents do not sum to 100.
        """
        percents: dict[int, float] = {}
        for number, column in self.columns:
            read = parse_value(cells.get(column), column, 0.0, _LARGEST)
            if read.problem is not None or read.sign:
                raise InputError(read.problem or f"{column} is a bound, not a percent")
            if read.value > 0:
                percents[number] = read.value
        percents.pop(self.balance or 0, None)
        if self.rescale and percents:
            total = math.fsum(percents.values())
            percents = {number: 100.0 * value / total for number, value in percents.items()}
        if not percents and self.balance is None:
            raise InputError("the composition is missing")
        make = Composition.from_weight_percent if self.unit == "wt%" else Composition.from_atomic_percent
        return make(percents, balance=self.balance)

    def describe(self) -> str:
        """In words, for the card."""
        rest = "" if self.balance is None else f", {symbol(self.balance)} makes up the rest"
        return f"{len(self.columns)} columns in {self.unit}{rest}{', rescaled to 100 %' if self.rescale else ''}"


def _starred(pattern: str, existing: list[str]) -> list[tuple[int, str]]:
    before, star, after = pattern.partition("*")
    if "*" in after or not star:
        raise InputError(f"a pattern of columns has one star, which stands for the element, found {pattern!r}")
    found = []
    for name in existing:
        if len(name) > len(before + after) and name.startswith(before) and name.endswith(after):
            middle = name[len(before) : len(name) - len(after)]
            if middle in _SYMBOLS:
                found.append((atomic_number(middle), name))
    return found


def _listed(pattern: str, existing: list[str]) -> list[tuple[int, str]]:
    names = [name.strip() for name in pattern.split(",") if name.strip()]
    for name in names:
        if name not in existing:
            raise InputError(
                f"there is no column {name!r}{nearest_hint(name, existing)}; there are: {_shown(existing)}"
            )
    return [(atomic_number(name), name) for name in names]


def _shown(names: list[str]) -> str:
    return ", ".join(names[:40]) + (", …" if len(names) > 40 else "")
