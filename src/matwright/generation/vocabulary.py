"""The order and the features of the elements that a learned generator speaks of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.elements import ELECTRONEGATIVITY, ELEMENT_FEATURES, symbol
from matwright.errors import InputError


def electronegativity_order(numbers: Iterable[int]) -> tuple[int, ...]:
    """Atomic numbers sorted from the most electropositive to the most electronegative element.

    Cations come before anions, so that the last count of a formula is the one that balances the charge. Elements
    without a Pauling value (noble gases) come last; ties are broken by atomic number.
    """

    def rank(number: int) -> tuple[float, int]:
        value = float(ELECTRONEGATIVITY[number])
        return (value if np.isfinite(value) else np.inf, number)

    return tuple(sorted(set(numbers), key=rank))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The elements a generator has seen, in canonical order, and the largest cell it writes.

    Attributes:
        elements: atomic numbers in the order of `electronegativity_order`; the position is the element's index.
        max_atoms: largest number of atoms in the primitive cell.
        max_elements: largest number of different elements.
    """

    elements: tuple[int, ...]
    max_atoms: int
    max_elements: int

    def __post_init__(self) -> None:
        if self.elements != electronegativity_order(self.elements):
            raise InputError("the elements of a vocabulary stand in electronegativity order, each once")
        if self.max_atoms < 1 or self.max_elements < 1:
            raise InputError(f"a vocabulary needs room for atoms, found {self.max_atoms} and {self.max_elements}")

    def __len__(self) -> int:
        return len(self.elements)

    def index(self, number: int) -> int:
        """The element's position.

        Raises:
            InputError: the generator has not seen this element.
        """
        if number not in self.elements:
            raise InputError(f"the generator has not learned the element {symbol(number)}")
        return self.elements.index(number)

    def features(self) -> NDArray[np.float32]:
        """(n_elements, n_features) standardised periodic-table features, no unit."""
        return np.ascontiguousarray(ELEMENT_FEATURES[list(self.elements)], dtype=np.float32)
