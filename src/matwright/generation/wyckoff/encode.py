"""From a crystal to its canonical symmetry-true sequence."""

from __future__ import annotations

import numpy as np

from matwright.generation.wyckoff.canonical import canonical
from matwright.generation.wyckoff.location import project
from matwright.generation.wyckoff.sequence import SymmetrySequence
from matwright.generation.wyckoff.symmetry import DEFAULT_SYMPREC, standardise
from matwright.materials.crystal import Crystal


def encode(
    crystal: Crystal, *, symprec: float = DEFAULT_SYMPREC, angle_tolerance: float | None = None
) -> SymmetrySequence:
    """Return the canonical sequence of a crystal: the same for every cell, origin, orientation and order of atoms.

    The crystal is made exactly symmetric within the tolerance; `decode` gives that crystal back.

    Args:
        crystal: ordered and periodic in three directions.
        symprec: tolerance of the symmetry search in Å.
        angle_tolerance: tolerance of the angles in radians; None leaves it to symprec.

    Raises:
        InputError: the crystal is disordered or not periodic in three directions.
        CalculationError: the symmetry search failed on this crystal.
    """
    found = standardise(crystal, symprec=symprec, angle_tolerance=angle_tolerance)
    located = [
        project(found.space_group, letter, point) for letter, point in zip(found.letters, found.points, strict=True)
    ]
    return canonical(
        found.space_group,
        found.lattice,
        np.array([point for _, point in located]),
        np.array([index for index, _ in located], dtype=np.int64),
        found.numbers,
    )
