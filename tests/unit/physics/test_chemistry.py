"""Charge balance and noble gases on compositions whose answer a chemist knows."""

from __future__ import annotations

import numpy as np
import pytest

from matwright.elements import atomic_number
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.physics.chemistry import counts_of, is_charge_balanced, noble_gases_in


def _counts(**amounts: int) -> dict[int, int]:
    return {atomic_number(name): amount for name, amount in amounts.items()}


@pytest.mark.parametrize(
    "counts",
    [_counts(Na=1, Cl=1), _counts(Li=1, Fe=1, P=1, O=4), _counts(Fe=2, O=3), _counts(Al=1, Ni=3), _counts(Si=1)],
)
def test_known_compounds_alloys_and_elements_pass(counts: dict[int, int]) -> None:
    assert is_charge_balanced(counts)


@pytest.mark.parametrize("counts", [_counts(Na=1, Cl=7), _counts(Na=1, O=7), _counts(V=1, He=4), _counts(Li=5, F=1)])
def test_impossible_compositions_fail(counts: dict[int, int]) -> None:
    assert not is_charge_balanced(counts)


def test_the_formula_is_reduced() -> None:
    coords = np.random.default_rng(0).random((6, 3))
    crystal = Crystal(lattice=np.eye(3) * 6, frac_coords=coords, numbers=np.array([8, 26, 8, 8, 8, 26]))
    assert counts_of(crystal) == {8: 2, 26: 1}


def test_a_disordered_crystal_has_no_whole_formula() -> None:
    crystal = Crystal(
        lattice=np.eye(3), frac_coords=np.zeros((1, 3)), numbers=np.array([3]), occupancies=(((3, 0.5),),)
    )
    with pytest.raises(InputError, match="disordered"):
        counts_of(crystal)


def test_noble_gases_are_named() -> None:
    assert noble_gases_in(_counts(V=1, He=4)) == {2}
    assert noble_gases_in(_counts(Na=1, Cl=1)) == frozenset()
