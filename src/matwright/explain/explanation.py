"""One structure with its predictions and what they rest on, summed to what a reader asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.elements import SYMBOLS
from matwright.explain.agreement import agreement
from matwright.explain.attribution import Attribution, Explained
from matwright.materials.composition import Composition
from matwright.materials.conditions import ConditionSchema
from matwright.materials.crystal import Crystal
from matwright.materials.formula import formula_text
from matwright.materials.material import Structure, amounts_of
from matwright.materials.molecule import Molecule
from matwright.models.interface import Prediction

Agreement = Mapping[tuple[str, str], float | None]

CUT_SEEN = 1e-4
"""Share of the value below which a cut is rounding: predictions are made in single precision."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ElementSum:
    """What one element adds to a prediction, in its unit.

    Attributes:
        number: atomic number.
        sites: from the sites that it occupies.
        bonds: half of every bond of its atoms.
        fraction: from its fraction in the composition, where the model takes that as an input.
    """

    number: int
    sites: float
    bonds: float
    fraction: float

    @property
    def total(self) -> float:
        """All together."""
        return self.sites + self.bonds + self.fraction


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A contribution with its name, for instance "temperature = 650 degC"."""

    name: str
    value: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BondKind:
    """Bonds between the same elements at the same distance.

    Attributes:
        elements: atomic numbers of the ends, the lower first.
        distance: Å, to 0.01; 0 without geometry.
        count: how many there are in the cell.
        total: their contributions together, in the unit of the property.
    """

    elements: tuple[int, int]
    distance: float
    count: int
    total: float

    @property
    def name(self) -> str:
        """For instance "Na-Cl"."""
        return "-".join(SYMBOLS[number] for number in self.elements)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explanation:
    """One structure, its predictions and their attributions.

    Attributes:
        id: its name in its source.
        structure: as it was read.
        conditions: what is known of each condition, for instance "temperature = 650 degC", in the order of
            `Contributions.conditions`.
        predictions: one prediction of one value a property, by name.
        explained: attributions of the properties asked for.
    """

    id: str
    structure: Crystal | Molecule | Composition
    conditions: tuple[str, ...]
    predictions: Mapping[str, Prediction]
    explained: Explained

    @property
    def formula(self) -> str:
        """The reduced formula, that of the whole molecule for a molecule."""
        return formula_of(self.structure)

    def element_shares(self) -> NDArray[np.float64]:
        """(n_atoms, 119) share of each element at each site; rows sum to 1, a vacancy shares with who is there."""
        shares = np.zeros((len(self.explained.attention_atoms), len(SYMBOLS)))
        if isinstance(self.structure, Composition):
            shares[np.arange(len(shares)), [number for number, _ in self.structure.fractions]] = 1.0
        elif isinstance(self.structure, Crystal) and self.structure.occupancies is not None:
            for site, occupancy in enumerate(self.structure.occupancies):
                for number, share in occupancy:
                    shares[site, number] = share
        else:
            shares[np.arange(len(shares)), self.structure.numbers] = 1.0
        shares /= shares.sum(axis=1, keepdims=True)
        return shares

    def site_names(self) -> list[str]:
        """(n_atoms,) what stands at each site: "Na", or "Na 50 % K 50 %"."""
        return [
            " ".join(SYMBOLS[z] if row[z] == 1 else f"{SYMBOLS[z]} {100 * row[z]:.3g} %" for z in np.flatnonzero(row))
            for row in self.element_shares()
        ]

    def with_bonds(self, attribution: Attribution) -> NDArray[np.float64]:
        """(n_atoms,) half of the contributions of the bonds of each atom."""
        bonds, halves = self.explained.bonds, attribution.contributions.bonds / 2
        sums = np.zeros(len(attribution.contributions.atoms))
        for ends in (bonds.first, bonds.second):
            sums += np.bincount(ends, weights=halves, minlength=len(sums))
        return sums

    def elements(self, attribution: Attribution) -> list[ElementSum]:
        """The sums of each element present, by atomic number; with `others` they make the whole difference."""
        shares, fractions = self.element_shares(), attribution.contributions.fractions
        sites, bonds = attribution.contributions.atoms @ shares, self.with_bonds(attribution) @ shares
        return [
            ElementSum(
                number=int(z),
                sites=float(sites[z]),
                bonds=float(bonds[z]),
                fraction=float(fractions[z]) if len(fractions) else 0.0,
            )
            for z in np.flatnonzero(shares.sum(axis=0))
        ]

    def others(self, attribution: Attribution) -> list[Named]:
        """What belongs to no element of the material, and what cutting at physical bounds adds."""
        parts = attribution.contributions
        found = []
        if len(parts.conditions):
            pairs = zip(self.conditions, parts.conditions, strict=True)
            found = [Named(name=name, value=float(value)) for name, value in pairs]
        if len(parts.fractions):
            absent = self.element_shares().sum(axis=0) == 0
            found.append(Named(name="absent elements", value=float(parts.fractions[absent].sum())))
            found.append(Named(name="element statistics", value=float(parts.statistics.sum())))
        cut = float(self.predictions[attribution.spec.name].mean[0]) - attribution.value
        if abs(cut) > CUT_SEEN * max(abs(attribution.value), abs(attribution.reference)):
            found.append(Named(name="cut at its bound", value=cut))
        return found

    def bond_kinds(self, attribution: Attribution) -> list[BondKind]:
        """The bonds grouped by elements (of the majority at a disordered site) and distance, nearest first."""
        bonds, numbers = self.explained.bonds, self.element_shares().argmax(axis=1)
        groups: dict[tuple[float, int, int], list[float]] = {}
        for first, second, distance, value in zip(
            bonds.first, bonds.second, bonds.distances.round(2), attribution.contributions.bonds, strict=True
        ):
            low, high = sorted((int(numbers[first]), int(numbers[second])))
            groups.setdefault((float(distance), low, high), []).append(float(value))
        return [
            BondKind(elements=(low, high), distance=distance, count=len(values), total=sum(values))
            for (distance, low, high), values in sorted(groups.items())
        ]

    def agreement(self, attribution: Attribution) -> tuple[Agreement, Agreement]:
        """Rank correlations of the three methods, over the atoms and over the bonds."""
        return (
            agreement(
                {
                    "integrated gradients": attribution.contributions.atoms,
                    "saliency": attribution.saliency.atoms,
                    "attention": self.explained.attention_atoms,
                }
            ),
            agreement(
                {
                    "integrated gradients": attribution.contributions.bonds,
                    "saliency": attribution.saliency.bonds,
                    "attention": self.explained.attention_bonds,
                }
            ),
        )


def formula_of(structure: Structure) -> str:
    """The reduced formula of a crystal or composition, the formula of a molecule."""
    return structure.formula if isinstance(structure, Molecule) else formula_text(amounts_of(structure))


def condition_words(
    schema: ConditionSchema | None, values: Sequence[float], steps: Sequence[Sequence[float]]
) -> tuple[str, ...]:
    """What is known of each condition, "temperature = 650 degC", and how many processing steps where there are any."""
    if schema is None:
        return ()
    words = []
    for column, value in zip(schema.columns, values, strict=True):
        if isnan(value):
            words.append(f"{column.name} unknown")
        else:
            shown = f"{value:g} {column.unit}" if column.is_number else column.categories[int(value)]
            words.append(f"{column.name} = {shown}")
    if schema.steps is not None:
        words.append(f"processing ({len(steps)} step{'' if len(steps) == 1 else 's'})")
    return tuple(words)
