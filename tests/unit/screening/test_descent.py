"""One crystal's descent on an energy surface that is known exactly."""

from __future__ import annotations

import numpy as np
import pytest

from matwright.errors import CalculationError
from matwright.materials.crystal import Crystal
from matwright.screening.descent import LONGEST_MOVE, MOST_RETREATS, Descent
from matwright.screening.potential import PointResult

BULK_MODULUS, SIDE, SPRING = 0.6, 4.0, 12.0  # eV/Å³, Å, eV/Å²


def _harmonic(crystal: Crystal) -> PointResult:
    """A spring of rest length √12 Å between two atoms, and a cell that resists leaving the cube of 4 Å."""
    bond = np.mod(crystal.frac_coords[1] - crystal.frac_coords[0], 1.0) @ crystal.lattice
    length = float(np.linalg.norm(bond))
    stretch = length - np.sqrt(12.0)
    metric = crystal.lattice @ crystal.lattice.T / SIDE**2 - np.eye(3)
    stiffness = BULK_MODULUS * SIDE**3
    pull = SPRING * stretch * bond / length
    virial = np.outer(pull, bond) + stiffness / 2 * crystal.lattice.T @ metric @ crystal.lattice / SIDE**2
    energy = SPRING / 2 * stretch**2 + stiffness / 8 * float((metric**2).sum())
    return PointResult(energy=energy, forces=np.array([pull, -pull]), stress=virial / crystal.volume)


def _start() -> Crystal:
    strain = np.array([[1.06, 0.02, 0.0], [0.02, 0.95, 0.0], [0.0, 0.0, 1.03]])
    coords = np.array([[0.0, 0.0, 0.0], [0.45, 0.56, 0.52]])
    return Crystal(lattice=strain * SIDE, frac_coords=coords, numbers=np.array([11, 17]))


def test_the_minimum_of_a_known_surface_is_found() -> None:
    descent = Descent(_start())
    for _ in range(40):
        descent.advance(_harmonic(descent.crystal))
    found = _harmonic(descent.crystal)
    assert found.energy < 1e-6
    assert np.abs(found.forces).max() < 1e-3
    lattice = descent.crystal.lattice
    np.testing.assert_allclose(lattice @ lattice.T, np.eye(3) * SIDE**2, atol=1e-2)


def test_no_step_moves_an_atom_further_than_the_limit() -> None:
    descent = Descent(_start())
    before = descent.crystal
    descent.advance(_harmonic(before))
    change = descent.crystal.frac_coords - before.frac_coords
    moved = (change - np.rint(change)) @ before.lattice
    assert 0 < np.linalg.norm(moved, axis=1).max() <= LONGEST_MOVE + 1e-9


def test_a_step_without_an_answer_is_taken_back_and_shortened() -> None:
    descent = Descent(_start())
    assert not descent.retreat()  # nothing to go back to
    lengths = []
    for _ in range(MOST_RETREATS + 1):
        before = descent.crystal
        descent.advance(_harmonic(before))
        lengths.append(float(np.linalg.norm(descent.crystal.lattice - before.lattice)))
        gone_back = descent.retreat()
        assert not gone_back or descent.crystal is before
    assert not gone_back
    assert lengths[0] > 2 * lengths[1] > 4 * lengths[2]


def test_a_bursting_cell_is_an_error() -> None:
    crystal = Crystal(lattice=np.eye(3) * 7.3, frac_coords=np.zeros((1, 3)), numbers=np.array([11]))
    outwards = PointResult(energy=0.0, forces=np.zeros((1, 3)), stress=np.eye(3) * -5.0)
    descent = Descent(crystal)

    def burst() -> None:
        for _ in range(50):
            descent.advance(outwards)

    with pytest.raises(CalculationError, match="per atom"):
        burst()
