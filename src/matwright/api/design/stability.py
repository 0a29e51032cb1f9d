"""Energy above the hull as a belief: from the surrogate's formation energy, or from the potential's."""

from __future__ import annotations

from matwright.api.design.records import Measurement

POTENTIAL_ERROR = 0.055
"""Standard deviation in eV/atom of CHGNet formation energies against density functional theory.

From the mean absolute error of 0.044 eV/atom on 400 crystals of the Materials Project (single points, own elemental
references), as the normal distribution of that mean absolute error: 0.044 · √(π/2).
"""


def shifted(formation: Measurement, hull_energy: float) -> Measurement:
    """The energy above the hull that follows from a formation energy with its interval.

    Args:
        formation: eV/atom.
        hull_energy: formation energy of the hull at this composition, eV/atom.
    """

    def above(value: float | None) -> float | None:
        return None if value is None else value - hull_energy

    return Measurement(
        name="e_above_hull",
        value=above(formation.value),
        unit="eV/atom",
        lower=above(formation.lower),
        upper=above(formation.upper),
        level=formation.level,
    )
