"""Corrections of the Materials Project against their published constants, and the way from the old scale to the new."""

from __future__ import annotations

import numpy as np
import pytest

from matwright.materials.crystal import Crystal
from matwright.physics.energy_scale import EnergyScale

ROCK_SALT = (1 - np.eye(3)) / 2


@pytest.fixture(scope="module")
def scale() -> EnergyScale:
    return EnergyScale()


def _pair(length: float, first: int, second: int) -> Crystal:
    coords = np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
    return Crystal(lattice=ROCK_SALT * length, frac_coords=coords, numbers=np.array([first, second]))


@pytest.mark.parametrize(
    ("crystal", "expected"),
    [
        (_pair(5.64, 11, 17), -0.614),  # Cl
        (_pair(4.21, 12, 8), -0.687),  # oxide
        (_pair(4.33, 26, 8), -0.687 - 2.256),  # oxide, and Fe with Hubbard U
        (_pair(3.0, 28, 13), 0.0),  # metals
    ],
)
def test_corrections_are_the_published_ones(scale: EnergyScale, crystal: Crystal, expected: float) -> None:
    assert scale.mp2020(crystal) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("NaBr", -0.534 / 2),  # MP2020 alone corrects bromides,
        ("CdSe", -0.472 / 2),  # selenides,
        ("MgTe", -0.422 / 2),  # tellurides
        ("KI", -0.379 / 2),  # and iodides
        ("Na2S", (0.66346 - 0.503) / 3),  # both correct sulfides
        ("MgO", (0.70229 - 0.687) / 2),  # and oxides
        ("NaCl", (-0.614 - 1.25385 + 1.84854) / 2),  # the old scale moved the gas instead of the chloride
        ("Fe2O3", (2 * (2.733 - 2.256) + 3 * (0.70229 - 0.687)) / 5),  # iron with U
        ("NiAl", 0.0),
        ("Br2", 0.0),
    ],
)
def test_the_old_scale_passes_into_the_new_by_published_constants(
    scale: EnergyScale, formula: str, expected: float
) -> None:
    assert scale.legacy_to_mp2020(formula) == pytest.approx(expected, abs=2e-3)


def test_an_amount_of_substance_does_not_matter(scale: EnergyScale) -> None:
    assert scale.legacy_to_mp2020("Na4Br4") == pytest.approx(scale.legacy_to_mp2020("NaBr"))
