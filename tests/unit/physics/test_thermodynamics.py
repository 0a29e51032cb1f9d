"""Formation energy and hull distance of crystals whose hull is known."""

from __future__ import annotations

import numpy as np
import pytest

from matwright.data.hull import Hull
from matwright.data.references import ElementReferences
from matwright.errors import CalculationError
from matwright.materials.crystal import Crystal
from matwright.physics.thermodynamics import stability

HULL = Hull.from_phases([({11: 1, 17: 1}, -2.0)], elements=[26])
REFERENCES = ElementReferences(potential="test", energies={11: -1.0, 17: -2.0, 26: -8.0}, source="made up")


def _crystal(*numbers: int) -> Crystal:
    coords = np.linspace(0, 0.9, len(numbers))[:, None] * np.ones(3)
    return Crystal(lattice=np.eye(3) * 5, frac_coords=coords, numbers=np.array(numbers))


def test_energies_are_weighed_by_share() -> None:
    found = stability(_crystal(11, 11, 17, 17), -3.6, REFERENCES, HULL)
    assert found.formation_energy == pytest.approx(-2.1)
    assert found.e_above_hull == pytest.approx(-0.1)
    assert found.known_system


def test_a_mixture_lies_on_the_tie_line() -> None:
    found = stability(_crystal(11, 11, 11, 17), -2.25, REFERENCES, HULL)
    assert found.formation_energy == pytest.approx(-1.0)
    assert found.e_above_hull == pytest.approx(0.0)


def test_an_empty_system_is_told() -> None:
    assert not stability(_crystal(11, 26), -4.5, REFERENCES, HULL).known_system


def test_an_element_without_reference_is_a_failed_calculation() -> None:
    with pytest.raises(CalculationError, match="He"):
        stability(_crystal(11, 2), -1.0, REFERENCES, HULL)
