"""Elastic tensors and equations of state against published constants, the energy's own curvature, and each other."""

from __future__ import annotations

import numpy as np
import pytest
from calculators import BCC, FCC, copper, effective_medium, silicon, tersoff
from hypothesis import given, settings
from hypothesis import strategies as st

from matwright.materials.crystal import Crystal
from matwright.materials.symmetry import point_rotations
from matwright.physics.elasticity import from_mandel, moduli, rotated, symmetrised, symmetry_violation, to_mandel
from matwright.screening.compression import equations_of_state
from matwright.screening.deformation import (
    ElasticTensor,
    elastic_tensors,
    invariant_basis,
    strained,
    sufficient_strains,
)
from matwright.screening.potential import GPA_PER_EV_A3, Failure

LATTICES = {
    "cubic": (np.eye(3), 3, 2),
    "tetragonal": (np.diag([1.0, 1.0, 1.3]), 6, 4),
    "orthorhombic": (np.diag([1.0, 1.2, 1.5]), 9, 6),
    "hexagonal": (np.array([[1, 0, 0], [-0.5, 0.75**0.5, 0], [0, 0, 1.6]]), 5, 3),
    "monoclinic": (np.array([[1, 0, 0], [0, 1.2, 0], [0.3, 0, 1.5]]), 13, 6),
    "triclinic": (np.array([[1, 0, 0], [0.1, 1.2, 0], [0.3, 0.2, 1.5]]), 21, 6),
}


def turn(seed: int) -> np.ndarray:
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return rotation * np.sign(np.linalg.det(rotation))


def tensor_of(crystal: Crystal, potential: object, **how: float) -> ElasticTensor:
    (answer,) = elastic_tensors([crystal], potential, **how)  # type: ignore[arg-type]
    assert isinstance(answer, ElasticTensor)
    return answer


@pytest.mark.parametrize("name", LATTICES)
def test_the_space_of_tensors_has_the_known_dimension_in_any_frame(name: str) -> None:
    lattice, dimension, _ = LATTICES[name]
    for seed in range(3):
        operations = point_rotations(copper(3 * lattice @ turn(seed)))
        basis = invariant_basis(operations)
        assert len(basis) == dimension
        np.testing.assert_allclose(np.einsum("kab,lab->kl", basis, basis), np.eye(dimension), atol=1e-12)
        for tensor in basis:
            assert symmetry_violation(from_mandel(tensor), operations) < 1e-10


@given(seed=st.integers(0, 10_000), name=st.sampled_from(sorted(LATTICES)))
@settings(max_examples=40)
def test_few_strains_are_enough_and_no_tensor_is_seen_faintly(seed: int, name: str) -> None:
    lattice, dimension, most = LATTICES[name]
    skewed = lattice + 1e-4 * np.random.default_rng(seed).normal(size=(3, 3))  # the group holds within its tolerance
    for rotation, bound in ((np.eye(3), most), (turn(seed), 6)):
        basis = invariant_basis(point_rotations(copper(3 * skewed @ rotation)))
        strains = sufficient_strains(basis)
        assert len(basis) == dimension
        assert len(strains) <= bound
        responses = np.concatenate([(basis @ strain).T for strain in strains])
        assert np.linalg.svd(responses, compute_uv=False).min() > 0.3


@given(seed=st.integers(0, 10_000), name=st.sampled_from(sorted(LATTICES)))
@settings(max_examples=25)
def test_any_tensor_of_the_group_comes_back_from_its_stresses(seed: int, name: str) -> None:
    operations = point_rotations(copper(3 * LATTICES[name][0] @ turn(seed)))
    rough = np.random.default_rng(seed).normal(size=(6, 6))
    tensor = to_mandel(symmetrised(from_mandel(rough @ rough.T), operations))
    basis = invariant_basis(operations)
    strains = sufficient_strains(basis)
    responses = np.concatenate([(basis @ strain).T for strain in strains])
    weights, *_ = np.linalg.lstsq(responses, np.concatenate([tensor @ strain for strain in strains]))
    np.testing.assert_allclose(np.einsum("k,kab->ab", weights, basis), tensor, atol=1e-8)


def test_silicon_of_tersoff_has_its_published_constants_with_ions_relaxed() -> None:
    """J. Tersoff, Phys. Rev. B 38, 9902 (1988), Si(C): 142.5, 75.4, 69.0 GPa; with ions held, c44 would be 119."""
    answer = tensor_of(silicon(), tersoff(), strain=0.002)
    stiffness = answer.stiffness
    assert [stiffness[0, 0], stiffness[0, 1], stiffness[3, 3]] == pytest.approx([142.5, 75.4, 69.0], rel=0.01)
    assert answer.cells == 4
    assert answer.misfit < 1e-6


def test_the_tensor_turns_with_its_crystal() -> None:
    rotation = turn(7)
    upright, turned = (tensor_of(silicon(5.43 * FCC @ q.T), tersoff(), strain=0.003) for q in (np.eye(3), rotation))
    np.testing.assert_allclose(turned.stiffness, rotated(upright.stiffness, rotation), atol=0.05)


def test_the_tensor_is_the_curvature_of_the_energy() -> None:
    potential = effective_medium()
    answer = tensor_of(copper(3.58 * FCC @ turn(3)), potential, strain=0.001)
    strain = np.array([1.0, -0.3, 0.4, 0.5, 0.0, 0.2])
    step = 2e-3
    points = potential.evaluate([strained(answer.crystal, sign * step * strain) for sign in (-1.0, 0.0, 1.0)])
    low, middle, high = (point.energy for point in points if not isinstance(point, Failure))
    curvature = (low - 2 * middle + high) / step**2 / answer.crystal.volume * GPA_PER_EV_A3
    assert strain @ to_mandel(answer.stiffness) @ strain == pytest.approx(curvature, rel=1e-3)


def test_unstable_crystals_are_found_out() -> None:
    face, body, simple = elastic_tensors(
        [copper(3.6 * FCC), copper(2.9 * BCC), copper(2.4 * np.eye(3))], effective_medium(), strain=0.002
    )
    assert isinstance(face, ElasticTensor)
    assert isinstance(body, ElasticTensor)
    assert isinstance(simple, ElasticTensor)
    stable = moduli(np.stack([answer.stiffness for answer in (face, body, simple)])).is_stable
    assert stable.tolist() == [True, False, False]


def test_the_equation_of_state_has_the_bulk_modulus_of_the_tensor() -> None:
    potential = effective_medium()
    tensor = tensor_of(copper(3.6 * FCC), potential, strain=0.002)
    (equation,) = equations_of_state([copper(3.6 * FCC)], potential, span=0.04)
    assert not isinstance(equation, Failure)
    assert equation.bulk_modulus == pytest.approx(moduli(tensor.stiffness[None]).bulk[0], rel=0.003)
    assert equation.volume == pytest.approx(tensor.crystal.volume, rel=1e-3)
    assert 3 < equation.slope < 6
    assert equation.misfit < 0.01


def test_what_a_potential_does_not_know_is_a_failure() -> None:
    unknown = Crystal(lattice=3 * np.eye(3), frac_coords=np.zeros((1, 3)), numbers=np.array([92]))
    known = copper(3.6 * FCC)
    first, second = elastic_tensors([unknown, known], effective_medium())
    assert isinstance(first, Failure)
    assert isinstance(second, ElasticTensor)
    (third, fourth) = equations_of_state([unknown, known], effective_medium())
    assert isinstance(third, Failure)
    assert not isinstance(fourth, Failure)
