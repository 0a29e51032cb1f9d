"""Chemistry of a composition: charge neutrality with an electronegativity test, oxidation states, noble gases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import gcd, log
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.elements import ELECTRONEGATIVITY, SYMBOLS
from matwright.errors import InputError
from matwright.materials.crystal import Crystal

OXIDATION_STATES = "smact14"
"""Set of oxidation states; the reference of published validity numbers (SMACT 4 itself has another default)."""

NOBLE_GASES = frozenset({2, 10, 18, 36, 54, 86, 118})

MAX_COMBINATIONS = 2_000_000
"""Choices of states that are looked through; a composition with more is said to have no likely one."""
_RARE = 0.01
_MIXED_ATOMS = 40
"""Atoms of a formula unit up to which mixed valence is looked for."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OxidationStates:
    """A neutral choice of oxidation states for a composition.

    Attributes:
        states: atomic number → state, the mean over the atoms of an element of mixed valence.
        mixed: whether an element has atoms in different states.
    """

    states: Mapping[int, float]
    mixed: bool

    @property
    def margin(self) -> float:
        """Lowest electronegativity of an anion minus the highest of a cation (Pauling scale); NaN where unknown.

        Infinity where there are only cations or only anions.
        """
        cations = [float(ELECTRONEGATIVITY[number]) for number, state in self.states.items() if state > 0]
        anions = [float(ELECTRONEGATIVITY[number]) for number, state in self.states.items() if state < 0]
        if np.isnan([*cations, *anions]).any():
            return float("nan")
        return min(anions, default=np.inf) - max(cations, default=-np.inf)

    def __str__(self) -> str:
        """The states as chemists write them: "Fe3+ O2-", "Fe2.67+ O2-"."""
        ordered = sorted(self.states.items(), key=lambda pair: (ELECTRONEGATIVITY[pair[0]], pair[0]))
        return " ".join(f"{SYMBOLS[number]}{_charge_text(state)}" for number, state in ordered)


def _charge_text(state: float) -> str:
    size = f"{abs(state):.3g}".removesuffix(".0")
    return f"{'' if size == '1' else size}{'+' if state > 0 else '-' if state < 0 else ''}"


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


def is_alloy(numbers: Iterable[int]) -> bool:
    """Whether all elements are metals (by SMACT's list)."""
    from smact import metals  # heavy: behind its door

    return all(SYMBOLS[number] in metals for number in numbers)


def neutral_states(counts: Mapping[int, int]) -> tuple[OxidationStates, ...]:
    """Every neutral choice of one state of `OXIDATION_STATES` an element, the likeliest first.

    First come the choices whose anions are the more electronegative elements (`margin` above 0), and among them those
    whose states are frequent in the Inorganic Crystal Structure Database (through pymatgen).

    Args:
        counts: atomic number → number of atoms, whole numbers.
    """
    return _neutral(tuple(sorted(counts.items())))


@lru_cache(maxsize=4096)
def _neutral(counts: tuple[tuple[int, int], ...]) -> tuple[OxidationStates, ...]:
    options = [known_states(number) for number, _ in counts]
    found = [
        OxidationStates(
            states={number: states[place] for (number, _), states, place in zip(counts, options, at, strict=True)},
            mixed=False,
        )
        for at in np.argwhere(_total_charges(counts) == 0).tolist()
    ]
    return tuple(sorted(found, key=lambda one: (not one.margin > 0, -_frequency(one))))


def least_charge(counts: Mapping[int, int]) -> float:
    """Size of the smallest total charge that one state an element gives the formula unit, in e; NaN where unknown."""
    totals = _total_charges(tuple(sorted(counts.items())))
    return float(np.abs(totals).min()) if totals.size else float("nan")


def _total_charges(counts: tuple[tuple[int, int], ...]) -> NDArray[np.int64]:
    """Total charge for every choice of states, one axis an element; empty where there are none or too many."""
    options = [known_states(number) for number, _ in counts]
    if not all(options) or np.prod([float(len(states)) for states in options]) > MAX_COMBINATIONS:
        return np.zeros(0, dtype=np.int64)
    totals: NDArray[np.int64] = np.zeros((), dtype=np.int64)
    for (_, count), states in zip(counts, options, strict=True):
        totals = np.add.outer(totals, count * np.array(states, dtype=np.int64))
    return totals


@lru_cache(maxsize=128)
def known_states(number: int) -> tuple[int, ...]:
    """The oxidation states of an element in the set `OXIDATION_STATES`; empty where it has none."""
    from smact import Element  # heavy: behind its door

    return tuple(getattr(Element(SYMBOLS[number]), f"oxidation_states_{OXIDATION_STATES}") or ())


def _frequency(choice: OxidationStates) -> float:
    """Σ log of each state's share among the entries of its element."""
    return sum(log(state_shares(number).get(int(state), 1e-6)) for number, state in choice.states.items())


def _has_rare_state(choice: OxidationStates) -> bool:
    """Whether an element is in a state that under a hundredth of its entries show: mixed valence may be likelier."""
    return any(state_shares(number).get(int(state), 0.0) < _RARE for number, state in choice.states.items())


@lru_cache(maxsize=128)
def state_shares(number: int) -> dict[int, float]:
    """Oxidation state → its share among the entries of an element in the Inorganic Crystal Structure Database.

    As pymatgen counts them; at least 1e-6 each, of sum 1 otherwise, and empty where the element is not counted.
    """
    from pymatgen.analysis.bond_valence import PRIOR_PROB  # heavy: behind its door

    found = {
        round(species.oxi_state or 0): float(count) for species, count in PRIOR_PROB.items() if number == species.Z
    }
    return {state: max(count / sum(found.values()), 1e-6) for state, count in found.items()}


def likely_states(counts: Mapping[int, int]) -> OxidationStates | None:
    """The likeliest neutral oxidation states: one an element, else with mixed valence; None where there are none.

    Mixed valence follows pymatgen's `oxi_state_guesses` (states seen in the Inorganic Crystal Structure Database).
    """
    single = next(iter(neutral_states(counts)), None)
    if single is not None and single.margin > 0 and not _has_rare_state(single):
        return single
    return _mixed_states(tuple(sorted(counts.items()))) or single


@lru_cache(maxsize=4096)
def _mixed_states(counts: tuple[tuple[int, int], ...]) -> OxidationStates | None:
    from pymatgen.core.composition import Composition  # heavy: behind its door

    if sum(count for _, count in counts) > _MIXED_ATOMS:
        return None
    numbers = {SYMBOLS[number]: number for number, _ in counts}
    formula = Composition({SYMBOLS[number]: count for number, count in counts})
    for guess in formula.oxi_state_guesses():
        states = {numbers[name]: float(state) for name, state in guess.items()}
        choice = OxidationStates(states=states, mixed=any(not state.is_integer() for state in states.values()))
        if choice.margin > 0:
            return choice
    return None
