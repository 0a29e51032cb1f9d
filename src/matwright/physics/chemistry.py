"""Chemistry of a composition as rules: charge neutrality with an electronegativity test, noble gases."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import gcd

import numpy as np

from matwright.errors import InputError
from matwright.materials.crystal import Crystal

OXIDATION_STATES = "smact14"
"""Set of oxidation states; the reference of published validity numbers (SMACT 4 itself has another default)."""

NOBLE_GASES = frozenset({2, 10, 18, 36, 54, 86, 118})


def counts_of(crystal: Crystal) -> dict[int, int]:
    """Atomic number → atoms in the smallest whole formula unit of an ordered crystal.

    Raises:
        InputError: for a disordered crystal, whose formula need not be whole.
    """
    if not crystal.is_ordered:
        raise InputError("a disordered crystal has no formula of whole numbers")
    numbers, counts = np.unique(crystal.numbers, return_counts=True)
    unit = gcd(*(int(count) for count in counts))
    return {int(number): int(count) // unit for number, count in zip(numbers, counts, strict=True)}


def is_charge_balanced(counts: Mapping[int, int]) -> bool:
    """Whether the composition passes the SMACT test (Davies et al., Chem 1, 617, 2016).

    Some choice of one oxidation state an element must be neutral and put the more negative charge on the more
    electronegative element. Single elements and compositions of metals only pass, as is usual for generated crystals.

    Args:
        counts: atomic number → number of atoms, whole numbers.
    """
    return _balanced(tuple(sorted(counts.items())))


@lru_cache(maxsize=65536)
def _balanced(counts: tuple[tuple[int, int], ...]) -> bool:
    from smact.screening import smact_validity  # heavy: behind its door

    from matwright.elements import symbol

    formula = "".join(f"{symbol(number)}{count}" for number, count in counts)
    return bool(smact_validity(formula, include_alloys=True, oxidation_states_set=OXIDATION_STATES))


def noble_gases_in(counts: Mapping[int, int]) -> frozenset[int]:
    """Atomic numbers of the noble gases that occur."""
    return NOBLE_GASES & counts.keys()
