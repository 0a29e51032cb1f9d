"""Elastic tensors against the formulas of textbooks and the four-index definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from matwright.errors import CalculationError, InputError
from matwright.materials.crystal import Crystal
from matwright.materials.symmetry import point_rotations
from matwright.physics.elasticity import (
    COMPONENT_NAMES,
    PAIRS,
    check_elastic,
    components,
    from_components,
    from_mandel,
    mandel_rotation,
    moduli,
    rotated,
    symmetrised,
    symmetry_violation,
    to_mandel,
    with_moduli,
)

Array = NDArray[np.float64]
BUDGET = settings(max_examples=25, deadline=None, derandomize=True)
SEEDS = st.integers(0, 2**16)


def cubic(c11: float, c12: float, c44: float) -> Array:
    block = np.full((3, 3), c12) + (c11 - c12) * np.eye(3)
    return np.block([[block, np.zeros((3, 3))], [np.zeros((3, 3)), c44 * np.eye(3)]])


SILICON = cubic(165.7, 63.9, 79.6)


def definite(seed: int) -> Array:
    """A positive definite stiffness without symmetry, GPa, Voigt."""
    matrix = np.random.default_rng(seed).normal(size=(6, 6))
    return from_mandel(50 * matrix @ matrix.T + 5 * np.eye(6))


def orthogonal(seed: int) -> Array:
    return np.asarray(np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0])


def with_four_indices(voigt: Array) -> Array:
    result = np.zeros((3, 3, 3, 3))
    for a, (i, j) in enumerate(PAIRS):
        for b, (k, m) in enumerate(PAIRS):
            for left in ((i, j), (j, i)):
                for right in ((k, m), (m, k)):
                    result[left + right] = voigt[a, b]
    return result


@BUDGET
@given(seed=SEEDS)
def test_rotation_is_that_of_the_four_index_tensor(seed: int) -> None:
    tensor, turn = definite(seed), orthogonal(seed + 1)
    expected = np.einsum("ia,jb,kc,ld,abcd->ijkl", turn, turn, turn, turn, with_four_indices(tensor))
    np.testing.assert_allclose(with_four_indices(rotated(tensor, turn)), expected, atol=1e-10)
    matrix = mandel_rotation(turn)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(6), atol=1e-12)


@BUDGET
@given(seed=SEEDS)
def test_averages_are_bounds_and_do_not_depend_on_the_frame(seed: int) -> None:
    tensor = definite(seed)
    found = moduli(np.stack([tensor, rotated(tensor, orthogonal(seed + 1))]))
    assert found.bulk_reuss[0] <= found.bulk[0] <= found.bulk_voigt[0]
    assert found.shear_reuss[0] <= found.shear[0] <= found.shear_voigt[0]
    assert found.anisotropy[0] >= 0
    for name in ("bulk", "shear", "young", "poisson", "anisotropy", "least_eigenvalue"):
        first, second = getattr(found, name)
        assert first == pytest.approx(second, rel=1e-8)


def test_silicon() -> None:
    """The formulas for cubic crystals (Hill 1952), worked out from the measured constants."""
    found = moduli(SILICON[None])
    assert found.bulk[0] == pytest.approx((165.7 + 2 * 63.9) / 3)
    assert found.shear_voigt[0] == pytest.approx((165.7 - 63.9 + 3 * 79.6) / 5)
    reuss = 5 * (165.7 - 63.9) * 79.6 / (4 * 79.6 + 3 * (165.7 - 63.9))
    assert found.shear_reuss[0] == pytest.approx(reuss)
    zener = 2 * 79.6 / (165.7 - 63.9)
    assert found.anisotropy[0] == pytest.approx(6 / 5 * (zener**0.5 - zener**-0.5) ** 2)
    assert found.least_eigenvalue[0] == pytest.approx(165.7 - 63.9)  # 159.2 for the shears: 2 C44 in Mandel notation
    assert found.poisson[0] == pytest.approx(0.5 - found.young[0] / (6 * found.bulk[0]))


def test_an_isotropic_tensor_gives_back_its_moduli() -> None:
    found = moduli(cubic(100 + 4 / 3 * 40, 100 - 2 / 3 * 40, 40.0)[None])
    assert (found.bulk[0], found.shear[0]) == (pytest.approx(100.0), pytest.approx(40.0))
    assert found.anisotropy[0] == pytest.approx(0.0, abs=1e-12)


def test_born_stability() -> None:
    stable = moduli(np.stack([SILICON, cubic(60.0, 64.0, 80.0), cubic(165.0, 64.0, -1.0)])).is_stable
    assert stable.tolist() == [True, False, False]


def test_neumann() -> None:
    """A hexagonal crystal: the mean over its group has C66 = (C11 - C12) / 2 and no other shear couplings."""
    cell = np.array([[3.2, 0.0, 0.0], [-1.6, 1.6 * 3**0.5, 0.0], [0.0, 0.0, 5.2]])
    sites = np.array([[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]])
    operations = point_rotations(Crystal(lattice=cell, frac_coords=sites, numbers=np.array([12, 12])))
    assert len(operations) == 24
    given_tensor = definite(3)
    assert symmetry_violation(given_tensor, operations) > 0.1
    tensor = symmetrised(given_tensor, operations)
    assert symmetry_violation(tensor, operations) < 1e-12
    assert tensor[5, 5] == pytest.approx((tensor[0, 0] - tensor[0, 1]) / 2)
    assert tensor[3, 3] == pytest.approx(tensor[4, 4])
    np.testing.assert_allclose(tensor[0, 3:], 0.0, atol=1e-10)
    assert np.linalg.eigvalsh(to_mandel(tensor)).min() > 0
    np.testing.assert_allclose(symmetrised(tensor, operations), tensor, atol=1e-10)


def test_components_and_back() -> None:
    tensors = np.stack([definite(0), definite(1)])
    values = components(tensors)
    assert values.shape == (2, 21)
    assert values[0, COMPONENT_NAMES.index("elastic_c14")] == tensors[0, 0, 3]
    np.testing.assert_allclose(from_components(values), tensors, rtol=1e-12)


def test_wrong_input() -> None:
    with pytest.raises(InputError, match="major symmetry"):
        moduli((SILICON + np.triu(np.ones((6, 6)), 1))[None])
    with pytest.raises(InputError, match="shape"):
        moduli(SILICON)
    with pytest.raises(InputError, match="singular"):
        moduli(np.zeros((1, 6, 6)))
    with pytest.raises(InputError, match="elastic_c66 is missing"):
        check_elastic(COMPONENT_NAMES[:-1])
    with pytest.raises(InputError, match="band_gap does not follow"):
        check_elastic(("bulk_modulus", "band_gap"))


@BUDGET
@given(seed=SEEDS)
def test_a_tensor_given_moduli_keeps_its_symmetry_and_has_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    tensor, turn = definite(seed), orthogonal(seed + 1)
    bulk, shear = random.uniform(5, 400, size=(2, 1))
    scaled = with_moduli(tensor[None], bulk, shear)
    found = moduli(scaled)
    np.testing.assert_allclose(found.bulk, bulk, rtol=1e-9)
    np.testing.assert_allclose(found.shear, shear, rtol=1e-9)
    assert found.is_stable.all()
    np.testing.assert_allclose(with_moduli(rotated(tensor, turn)[None], bulk, shear), rotated(scaled, turn), rtol=1e-7)
    own = moduli(tensor[None])
    np.testing.assert_allclose(with_moduli(tensor[None], own.bulk, own.shear)[0], tensor, rtol=1e-9, atol=1e-9)


def test_moduli_that_no_stable_crystal_has_are_refused() -> None:
    for stiffness, bulk in ((SILICON, -1.0), (-SILICON, 98.0)):
        with pytest.raises(CalculationError, match="positive definite"):
            with_moduli(stiffness[None], np.array([bulk]), np.array([60.0]))
