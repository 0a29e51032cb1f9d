"""SevenNet-0 on the corrected scale of the Materials Project."""

from __future__ import annotations

import numpy as np
import pytest

from matwright.data.hull import Hull
from matwright.data.references import load_references
from matwright.materials.crystal import Crystal
from matwright.physics.thermodynamics import stability
from matwright.screening.potential import Failure, PointResult, load_potential

ROCK_SALT = (1 - np.eye(3)) / 2


def _pair(length: float, first: int, second: int) -> Crystal:
    coords = np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
    return Crystal(lattice=ROCK_SALT * length, frac_coords=coords, numbers=np.array([first, second]))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chgnet", "sevennet-0"])
def test_known_compounds_lie_on_the_hull_and_wrong_ones_do_not(name: str) -> None:
    pytest.importorskip("sevenn")
    crystals = [_pair(5.64, 11, 17), _pair(4.21, 12, 8), _pair(4.6, 26, 11)]
    above = []
    for crystal, result in zip(crystals, load_potential(name).evaluate(crystals), strict=True):
        assert isinstance(result, PointResult)
        found = stability(crystal, result.energy / 2, load_references(name), Hull.load())
        above.append(found.e_above_hull)
    assert abs(above[0]) < 0.05
    assert abs(above[1]) < 0.06
    assert above[2] > 0.2  # iron and sodium do not mix


@pytest.mark.slow
def test_a_bad_crystal_costs_only_itself() -> None:
    pytest.importorskip("sevenn")
    unknown = Crystal(lattice=np.eye(3) * 3, frac_coords=np.zeros((1, 3)), numbers=np.array([110]))
    results = load_potential("sevennet-0").evaluate([unknown, _pair(5.64, 11, 17)])
    assert [type(result) for result in results] == [Failure, PointResult]
