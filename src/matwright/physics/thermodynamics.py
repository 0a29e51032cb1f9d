"""Thermodynamic stability of a computed crystal: formation energy and distance to the hull of known compounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from matwright.elements import symbol
from matwright.errors import CalculationError
from matwright.materials.crystal import Crystal

if TYPE_CHECKING:
    from matwright.data.hull import Hull
    from matwright.data.references import ElementReferences


def formation_energy(
    energy_per_atom: float, composition: Mapping[int, float], references: Mapping[int, float]
) -> float:
    """Formation energy in eV/atom: E/n − Σ x_i μ_i, with x_i the share of element i among the atoms.

    Args:
        energy_per_atom: eV/atom on the scale of one potential.
        composition: atomic number → amount, any normalisation.
        references: atomic number → μ_i in eV/atom, of the same potential and version (never mix two).

    Raises:
        CalculationError: when an element has no reference.
    """
    missing = [symbol(number) for number in composition if number not in references]
    if missing:
        raise CalculationError(f"no reference energy for {', '.join(missing)}")
    total = sum(composition.values())
    return energy_per_atom - sum(amount / total * references[number] for number, amount in composition.items())


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """How stable one potential finds a crystal.

    Attributes:
        potential: whose energy it is.
        formation_energy: eV/atom against that potential's elemental references.
        e_above_hull: eV/atom above the hull of known compounds (DFT); negative below it.
        known_system: whether any compound of these elements is known; without one the hull is a straight line between
            the elements and flatters.
    """

    potential: str
    formation_energy: float
    e_above_hull: float
    known_system: bool


def stability(crystal: Crystal, energy_per_atom: float, references: ElementReferences, hull: Hull) -> Stability:
    """Formation energy and its distance to the hull at the same composition.

    Args:
        crystal: the computed crystal; only its composition is read.
        energy_per_atom: eV/atom on the scale of the potential that `references` belong to (never mix two).
        references: μ_i of each element.
        hull: the hull of known compounds.

    Raises:
        CalculationError: when an element has no reference or no hull data.
    """
    from matwright.materials.interop import amounts

    composition = amounts(crystal)
    formation = formation_energy(energy_per_atom, composition, references.energies)
    return Stability(
        potential=references.potential,
        formation_energy=formation,
        e_above_hull=hull.energy_above_hull(composition, formation),
        known_system=hull.known_system(composition),
    )
