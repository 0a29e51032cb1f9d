"""Phonons: stable and unstable crystals, sound at the speed of the elastic tensor, any choice of cell."""

from __future__ import annotations

import numpy as np
import pytest
from calculators import BCC, FCC, copper, effective_medium, lennard_jones, silicon, tersoff

from matwright.elements import ATOMIC_MASS
from matwright.materials.crystal import Crystal
from matwright.screening.lattice_dynamics import Phonons, phonons, supercell_of
from matwright.screening.potential import Failure


def phonons_of(crystal: Crystal, **how: float) -> Phonons:
    (answer,) = phonons([crystal], effective_medium(), **how)  # type: ignore[arg-type]
    assert isinstance(answer, Phonons)
    return answer


def test_supercells_are_wide_enough_and_no_wider() -> None:
    assert supercell_of(np.diag([3.0, 4.5, 10.0]), 9.0) == (3, 2, 1)
    sheared = np.array([[3.0, 0.0, 0.0], [3.0, 3.0, 0.0], [0.0, 0.0, 3.0]])
    assert supercell_of(sheared, 6.0) == (3, 2, 2)  # the planes across a are 3/√2 Å apart


def test_face_centred_copper_is_stable_and_body_centred_is_not() -> None:
    stable, unstable = phonons_of(copper(3.6 * FCC), min_length=6.0), phonons_of(copper(2.9 * BCC), min_length=6.0)
    assert stable.lowest > 0.5
    assert stable.highest == pytest.approx(8.1, abs=0.3)  # EMT; measured 7.3 THz
    assert unstable.lowest < -0.5
    assert stable.displacements == 1  # one is enough by symmetry
    assert stable.atoms == int(np.prod(stable.supercell))


def test_the_cell_chosen_does_not_matter() -> None:
    cubic = Crystal(
        lattice=3.6 * np.eye(3),
        frac_coords=np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]),
        numbers=np.full(4, 29),
    )
    conventional, primitive = phonons_of(cubic, min_length=6.0), phonons_of(copper(3.6 * FCC), min_length=6.0)
    assert len(conventional.crystal) == 1
    assert conventional.lowest == pytest.approx(primitive.lowest, abs=1e-3)
    assert conventional.highest == pytest.approx(primitive.highest, abs=1e-3)


def test_optical_modes_at_gamma_count() -> None:
    (answer,) = phonons([silicon()], tersoff(), min_length=6.0)
    assert isinstance(answer, Phonons)
    assert answer.highest == pytest.approx(16.1, abs=0.3)  # Tersoff's optical mode at Γ; measured 15.5 THz
    assert answer.lowest > 0


def test_elements_without_a_stable_isotope_have_a_mass() -> None:
    lattice, plutonium = 3.55 * FCC, 94
    light = Crystal(lattice=lattice, frac_coords=np.zeros((1, 3)), numbers=np.array([29]))
    heavy = Crystal(lattice=lattice, frac_coords=np.zeros((1, 3)), numbers=np.array([plutonium]))
    found = phonons([light, heavy], lennard_jones(), min_length=6.0)
    assert isinstance(found[0], Phonons)
    assert isinstance(found[1], Phonons)
    slower = np.sqrt(ATOMIC_MASS[29] / ATOMIC_MASS[plutonium])
    assert found[1].highest == pytest.approx(found[0].highest * slower, rel=1e-3)


def test_too_large_a_supercell_is_a_failure() -> None:
    (answer,) = phonons([copper(3.6 * FCC)], effective_medium(), max_atoms=8)
    assert isinstance(answer, Failure)
    assert "limit of 8" in answer.reason
