"""Measured elastic constants of cubic crystals, and those of a potential: relaxed cells, relaxed atoms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from matwright.errors import CalculationError
from matwright.materials.crystal import Crystal
from matwright.physics.elasticity import PAIRS
from matwright.screening.potential import GPA_PER_EV_A3, Failure, PointResult, Potential
from matwright.screening.relax import RelaxationSettings, relax

Array = NDArray[np.float64]
FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])

MEASURED = {
    "Si": (5.431, (14, 14), 0.25, (166.0, 64.0, 80.0)),
    "MgO": (4.212, (12, 8), 0.5, (297.0, 95.0, 156.0)),
    "Cu": (3.615, (29,), 0.0, (168.0, 121.0, 75.0)),
}
"""Formula → lattice constant in Å, atoms, place of the second on the diagonal, and C11, C12, C44 in GPa; all measured
at room temperature."""

STEP = 0.01
"""Largest component of the strains by which potentials are probed."""


def measured_crystal(formula: str) -> Crystal:
    """The primitive cell of a face-centred crystal at its measured lattice constant, axes along x, y, z."""
    edge, numbers, place, _ = MEASURED[formula]
    sites = np.array([[0.0] * 3, [place] * 3])[: len(numbers)]
    return Crystal(lattice=edge * FCC, frac_coords=sites, numbers=np.array(numbers))


def relaxed_stiffness(potential: Potential, crystal: Crystal) -> Array:
    """(6, 6) Voigt, GPa: stresses of strained cells around the relaxed one, the atoms relaxed at each strain."""
    (outcome,) = relax([crystal], potential, settings=RelaxationSettings(fmax=0.001, smax=0.02))
    if isinstance(outcome, Failure):
        raise CalculationError(outcome.reason)
    deformations = []
    for row, column in PAIRS:
        strain = np.zeros((3, 3))
        strain[row, column] += STEP / 2
        strain[column, row] += STEP / 2
        deformations += [np.eye(3) + strain, np.eye(3) - strain]
    strained = [replace(outcome.crystal, lattice=outcome.crystal.lattice @ matrix) for matrix in deformations]
    rows, columns = zip(*PAIRS, strict=True)
    stresses = np.array([point.stress[rows, columns] for point in settled(potential, strained)])
    stiffness = (stresses[0::2] - stresses[1::2]).T * GPA_PER_EV_A3 / (2 * STEP)
    return (stiffness + stiffness.T) / 2


def settled(potential: Potential, crystals: list[Crystal], steps: int = 3) -> list[PointResult]:
    """Crystals of one or two atoms where no force acts on them, cells held: Newton's method on the second atom."""
    for _ in range(steps if len(crystals[0]) == 2 else 0):
        force_constants = -np.array(
            [
                (after.forces[1] - before.forces[1]) / 0.02
                for after, before in zip(
                    evaluated(potential, [moved(crystals[0], 0.01 * axis) for axis in np.eye(3)]),
                    evaluated(potential, [moved(crystals[0], -0.01 * axis) for axis in np.eye(3)]),
                    strict=True,
                )
            ]
        )
        forces = [point.forces[1] for point in evaluated(potential, crystals)]
        pairs = zip(crystals, forces, strict=True)
        crystals = [moved(crystal, np.linalg.solve(force_constants.T, force)) for crystal, force in pairs]
    return evaluated(potential, crystals)


def moved(crystal: Crystal, way: Array) -> Crystal:
    """The crystal with its second atom moved by `way`, (3,) Å."""
    places = crystal.frac_coords.copy()
    places[1] += way @ np.linalg.inv(crystal.lattice)
    return replace(crystal, frac_coords=places)


def evaluated(potential: Potential, crystals: list[Crystal]) -> list[PointResult]:
    results = potential.evaluate(crystals)
    for result in results:
        if isinstance(result, Failure):
            raise CalculationError(result.reason)
    return [result for result in results if isinstance(result, PointResult)]
