"""What the rules look at: one material with its formula, likely oxidation states and bonds, found once if at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import final

from matwright.elements import ELECTRONEGATIVITY
from matwright.materials.crystal import Crystal
from matwright.materials.formula import formula_text, reduce_amounts
from matwright.materials.material import Structure, amounts_of
from matwright.physics.chemistry import OxidationStates, is_alloy, likely_states
from matwright.physics.rules.coordination import IonicBonds, ionic_bonds

LEAST_DIFFERENCE = 1.0
"""Electronegativity (Pauling): between mean anion and mean cation, from which on bonds count as ionic."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A material as the rules see it.

    Attributes:
        structure: the material itself.
        amounts: atomic number → amount in the reduced formula.
        counts: the same as whole numbers, None where they are none.
        alloy: whether all elements are metals and there are at least two.
    """

    structure: Structure
    amounts: Mapping[int, float]
    counts: Mapping[int, int] | None
    alloy: bool

    @cached_property
    def states(self) -> OxidationStates | None:
        """Likely oxidation states, None where no choice is neutral or nothing is to be balanced."""
        if self.counts is None or len(self.amounts) < 2 or self.alloy:
            return None
        return likely_states(self.counts)

    @cached_property
    def bonds(self) -> IonicBonds | None:
        """Of an ordered crystal with states, else None."""
        if not isinstance(self.structure, Crystal) or not self.structure.is_ordered or self.states is None:
            return None
        return ionic_bonds(self.structure, self.states.states)

    @property
    def formula(self) -> str:
        """The reduced formula."""
        return formula_text(self.amounts)

    @property
    def difference(self) -> float:
        """Mean electronegativity of the anions minus that of the cations; NaN without states or where unknown."""
        if self.states is None:
            return float("nan")
        return self._mean(sign=-1) - self._mean(sign=1)

    def _mean(self, sign: int) -> float:
        chosen = [number for number, state in (self.states.states if self.states else {}).items() if sign * state > 0]
        total = sum(self.amounts[number] for number in chosen)
        return sum(self.amounts[n] * float(ELECTRONEGATIVITY[n]) for n in chosen) / total if total else float("nan")

    def why_not_ionic(self) -> str:
        """Why rules of ionic crystals do not apply; empty where they do."""
        if len(self.amounts) < 2:
            return f"{self.formula} is an element"
        if self.alloy:
            return f"{self.formula} consists of metals only"
        if self.states is None:
            return f"no neutral oxidation states were found for {self.formula}"
        if not self.difference >= LEAST_DIFFERENCE:
            return (
                f"anions and cations differ by {self.difference:.2f} in electronegativity, "
                f"less than the {LEAST_DIFFERENCE:g} of ionic bonds"
            )
        return ""

    def surroundings(self) -> IonicBonds | str:
        """The bonds between ions, or why rules about them do not apply."""
        if reason := self.why_not_ionic():
            return reason
        if not isinstance(self.structure, Crystal) or not self.structure.is_ordered:
            return "it needs an ordered crystal structure"
        return self.bonds if self.bonds is not None else "a cation has no anion within 6 Å"


def examine(structure: Structure) -> Subject:
    """The structure as the rules see it."""
    reduced = reduce_amounts(amounts_of(structure))
    whole = all(float(amount).is_integer() for amount in reduced.values())
    counts = {number: int(amount) for number, amount in reduced.items()} if whole else None
    alloy = len(reduced) > 1 and is_alloy(reduced)
    return Subject(structure=structure, amounts=reduced, counts=counts, alloy=alloy)
