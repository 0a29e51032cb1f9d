"""Measured elastic constants of cubic crystals, and those of a potential: relaxed cells, relaxed atoms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from matwright.errors import CalculationError
from matwright.materials.crystal import Crystal
from matwright.screening.deformation import elastic_tensors
from matwright.screening.potential import Failure, Potential

Array = NDArray[np.float64]
FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])

MEASURED = {
    "Si": (5.431, (14, 14), 0.25, (166.0, 64.0, 80.0)),
    "MgO": (4.212, (12, 8), 0.5, (297.0, 95.0, 156.0)),
    "Cu": (3.615, (29,), 0.0, (168.0, 121.0, 75.0)),
}
"""Formula → lattice constant in Å, atoms, place of the second on the diagonal, and C11, C12, C44 in GPa; all measured
at room temperature."""


def measured_crystal(formula: str) -> Crystal:
    """The primitive cell of a face-centred crystal at its measured lattice constant, axes along x, y, z."""
    edge, numbers, place, _ = MEASURED[formula]
    sites = np.array([[0.0] * 3, [place] * 3])[: len(numbers)]
    return Crystal(lattice=edge * FCC, frac_coords=sites, numbers=np.array(numbers))


def relaxed_stiffness(potential: Potential, crystal: Crystal) -> Array:
    """(6, 6) Voigt, GPa: the cell relaxed, and the atoms at each strain.

    Raises:
        CalculationError: the potential cannot treat the crystal.
    """
    (answer,) = elastic_tensors([crystal], potential)
    if isinstance(answer, Failure):
        raise CalculationError(answer.reason)
    return answer.stiffness
