"""The composition: what a material is made of when no structure is known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from matwright.elements import ATOMIC_MASS, symbol
from matwright.errors import InputError
from matwright.materials.formula import check_numbers, formula_text, parse_amounts
from matwright.serialization import hash_json


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """Atomic fractions; "LiFePO4", "Li0.5FePO4" and an alloy in weight percent are all of this kind.

    Attributes:
        fractions: (atomic number, atomic fraction) by rising atomic number; the fractions are positive and sum to 1.

    Raises:
        InputError: at construction, when an element is unknown or named twice, or the fractions do not sum to 1.
    """

    fractions: tuple[tuple[int, float], ...]

    def __post_init__(self) -> None:
        amounts = dict(self.fractions)
        if not amounts:
            raise InputError("a composition is empty")
        if len(amounts) != len(self.fractions):
            raise InputError("a composition names an element twice")
        check_numbers(amounts)
        total = math.fsum(amounts.values())
        if abs(total - 1.0) > 1e-6:
            raise InputError(f"the atomic fractions of a composition sum to 1, found {total:.6g}")
        ordered = tuple((number, amounts[number] / total) for number in sorted(amounts))
        object.__setattr__(self, "fractions", ordered)

    @classmethod
    def from_amounts(cls, amounts: Mapping[int, float]) -> Self:
        """The composition of atomic number → amount in any measure of atoms (counts, fractions, atomic percent).

        Raises:
            InputError: it is empty, or an element or amount is impossible.
        """
        if not amounts:
            raise InputError("a composition is empty")
        check_numbers(amounts)
        total = math.fsum(amounts.values())
        return cls(fractions=tuple((number, amount / total) for number, amount in amounts.items()))

    @classmethod
    def from_formula(cls, text: str) -> Self:
        """The composition of a formula, partial amounts allowed: "Li0.35La0.55TiO3".

        Raises:
            InputError: the formula cannot be read.
        """
        return cls.from_amounts(parse_amounts(text))

    @classmethod
    def from_atomic_percent(cls, percent: Mapping[int, float], *, balance: int | None = None) -> Self:
        """The composition of atomic percents; see `from_weight_percent` for `balance` and errors."""
        return cls.from_amounts(_completed(percent, balance))

    @classmethod
    def from_weight_percent(cls, percent: Mapping[int, float], *, balance: int | None = None) -> Self:
        """The composition of weight percents; elements at 0 are left out.

        Args:
            percent: atomic number → weight percent.
            balance: the element that makes up the rest to 100 %; None demands a sum of 100 within 1.

        Raises:
            InputError: a percent is negative or not finite, or the sum is not 100.
        """
        weights = _completed(percent, balance)
        return cls.from_amounts({number: weight / float(ATOMIC_MASS[number]) for number, weight in weights.items()})

    def weight_percent(self) -> dict[int, float]:
        """Atomic number → weight percent, summing to 100."""
        weights = {number: fraction * float(ATOMIC_MASS[number]) for number, fraction in self.fractions}
        total = math.fsum(weights.values())
        return {number: 100.0 * weight / total for number, weight in weights.items()}

    @property
    def elements(self) -> frozenset[int]:
        """The atomic numbers that occur."""
        return frozenset(number for number, _ in self.fractions)

    @property
    def formula(self) -> str:
        """The reduced formula, elements by rising electronegativity; fractions where no whole numbers fit."""
        return formula_text(dict(self.fractions))

    def content_hash(self) -> str:
        """A hex digest of the fractions to nine digits, so that rounding on the way in does not matter."""
        return hash_json(["composition", [(number, round(fraction, 9)) for number, fraction in self.fractions]])


def _completed(percent: Mapping[int, float], balance: int | None) -> dict[int, float]:
    for number, share in percent.items():
        if not 0 <= share <= 100:
            raise InputError(f"the percent of {symbol(number)} lies in 0..100, found {share}")
    present = {number: share for number, share in percent.items() if share > 0}
    total = math.fsum(present.values())
    if balance is None:
        if abs(total - 100.0) > 1.0:
            raise InputError(f"the percents of a composition sum to 100, found {total:.6g}; name the balance element")
        return present
    if balance in present or total >= 100.0:
        raise InputError(f"{symbol(balance)} cannot balance percents that already sum to {total:.6g}")
    return present | {balance: 100.0 - total}


def padded_compositions(
    compositions: Sequence[Mapping[int, float]],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return atomic numbers and amounts, (n, width) each with 0 as padding, of n compositions (number → amount)."""
    width = max(map(len, compositions), default=1)
    numbers = np.zeros((len(compositions), width), dtype=np.int64)
    amounts = np.zeros((len(compositions), width))
    for row, composition in enumerate(compositions):
        numbers[row, : len(composition)] = list(composition)
        amounts[row, : len(composition)] = list(composition.values())
    return numbers, amounts
