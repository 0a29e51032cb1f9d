"""Validity, uniqueness, novelty and S.U.N. on crystals whose answers are known by construction."""

from __future__ import annotations

import numpy as np
import pytest

from matwright.errors import InputError
from matwright.evaluation.generation import (
    Assessed,
    Share,
    StructureComparison,
    is_compositionally_valid,
    is_stable,
    is_structurally_valid,
    share_of_group_one,
    stable_unique_novel,
)
from matwright.materials.crystal import Crystal

BOTH = ("chgnet", "sevennet-0")


def _rock_salt(length: float, numbers: tuple[int, int] = (11, 17), shift: float = 0.0) -> Crystal:
    coords = np.array([[0, 0, 0], [0.5, 0.5, 0.5]]) + shift
    return Crystal(lattice=(1 - np.eye(3)) / 2 * length, frac_coords=coords, numbers=np.array(numbers))


def _caesium_chloride(length: float, numbers: tuple[int, int] = (11, 17)) -> Crystal:
    coords = np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
    return Crystal(lattice=np.eye(3) * length, frac_coords=coords, numbers=np.array(numbers))


def _item(crystal: Crystal | None, first: float, second: float, *, known: bool = True) -> Assessed:
    energies = {"chgnet": first, "sevennet-0": second}
    return Assessed(crystal=crystal, e_above_hull=energies, known_system=known, known_formula=known)


def test_structural_validity_sees_self_images() -> None:
    flat = Crystal(lattice=np.diag([5.0, 5.0, 0.45]), frac_coords=np.zeros((1, 3)), numbers=np.array([29]))
    assert not is_structurally_valid(flat)
    assert is_structurally_valid(_rock_salt(5.6))


def test_compositional_validity() -> None:
    assert is_compositionally_valid(_rock_salt(5.6))
    assert is_compositionally_valid(_rock_salt(5.0, (28, 13)))  # metals only
    assert not is_compositionally_valid(_rock_salt(5.0, (56, 9)))


def test_structures_are_the_same_beyond_origin_and_volume() -> None:
    comparison = StructureComparison()
    crystals = [
        _rock_salt(5.6),
        _caesium_chloride(3.4),
        _rock_salt(5.7, shift=0.13),
        _rock_salt(5.6, (19, 17)),
        _caesium_chloride(3.5),
    ]
    assert comparison.classes(crystals).tolist() == [0, 1, 0, 3, 1]
    assert comparison.novel(crystals, lambda _key: [_rock_salt(5.5)]).tolist() == [False, True, False, True, True]


def test_stable_needs_every_potential_and_no_noble_gas() -> None:
    assert is_stable(_item(_rock_salt(5.6), 0.04, 0.08), BOTH, 0.1)
    assert not is_stable(_item(_rock_salt(5.6), 0.04, 0.08), BOTH, 0.05)
    assert is_stable(_item(_rock_salt(5.6), 0.04, 0.08), ("chgnet",), 0.05)
    assert not is_stable(_item(_rock_salt(5.0, (23, 2)), -0.1, -0.1), BOTH, 0.1)
    assert not is_stable(_item(None, -0.1, -0.1), BOTH, 0.1)
    alone = Assessed(crystal=_rock_salt(5.6), e_above_hull={"chgnet": -0.1}, known_system=True)
    assert not is_stable(alone, BOTH, 0.1)


def test_sun_counts_a_structure_once_out_of_all_generated() -> None:
    items = [
        _item(_rock_salt(5.6), 0.06, 0.02),
        _item(_rock_salt(5.7, shift=0.2), 0.06, 0.02),  # the same structure again
        _item(_caesium_chloride(3.4), 0.02, 0.01, known=False),
        _item(_rock_salt(5.6, (19, 17)), 0.0, -0.01),  # known already
        _item(_rock_salt(5.6, (3, 17)), 0.30, 0.01),
        _item(None, 0.0, 0.0),
    ]
    novel = [True, True, True, False, True, False]
    wide, middle, hull = stable_unique_novel(items, novel, potentials=BOTH, comparison=StructureComparison())
    assert (wide.threshold, middle.threshold, hull.threshold) == (0.1, 0.05, 0.0)
    assert (wide.stable.count, wide.sun.count, wide.sun_empty_system.count) == (4, 2, 1)
    assert wide.sun_new_formula.count == 1
    assert (middle.stable.count, middle.sun.count) == (2, 1)
    assert (hull.stable.count, hull.sun.count) == (1, 0)
    assert wide.sun.n == 6
    assert wide.stable_by["sevennet-0"].count == 5


def test_every_crystal_needs_an_answer_about_novelty() -> None:
    with pytest.raises(InputError, match="novelty"):
        stable_unique_novel([_item(None, 0, 0)], [], potentials=BOTH, comparison=StructureComparison())


def test_interval_of_a_share() -> None:
    low, high = Share(count=10, n=100).interval
    assert (low, high) == (pytest.approx(0.0552, abs=1e-3), pytest.approx(0.1744, abs=1e-3))
    assert Share(count=0, n=30).interval[0] == 0.0
    assert Share(count=0, n=0).value == 0.0


def test_share_of_crystals_without_symmetry() -> None:
    rng = np.random.default_rng(0)
    skewed = Crystal(
        lattice=np.diag([4.0, 5.0, 6.0]) + rng.normal(0, 0.4, (3, 3)),
        frac_coords=rng.random((3, 3)),
        numbers=np.array([3, 8, 26]),
    )
    assert share_of_group_one([skewed, _rock_salt(5.6)]) == Share(count=1, n=2)
