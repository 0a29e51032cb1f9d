"""The elastic head: equivariant, of the crystal's symmetry, positive definite, and able to learn any tensor."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.graphs.batch import GraphBatch, collate
from matwright.graphs.builder import build_graph
from matwright.graphs.ragged import Labels
from matwright.materials.crystal import Crystal
from matwright.materials.properties import PropertySpec
from matwright.materials.symmetry import point_rotations
from matwright.models.checkpoint import load_member, save_member
from matwright.models.config import GemPpmConfig, HeadConfig, HeadKind
from matwright.models.elastic import FLOOR, SCALES, UNIT, assembled, averages, voigt_components
from matwright.models.gem_ppm import GemPpm
from matwright.models.scaled import ScaledModel, TargetScale
from matwright.physics.elasticity import (
    COMPONENT_NAMES,
    ELASTIC_UNITS,
    components,
    from_components,
    from_mandel,
    moduli,
    rotated,
    symmetry_violation,
    to_mandel,
)
from matwright.testing import invariance as laws
from matwright.testing.strategies import crystals, prototypes
from matwright.training.compute import fast_mode

Array = NDArray[np.float64]
BUDGET = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
SEEDS = st.integers(0, 2**16)
NAMES = tuple(ELASTIC_UNITS)
HEADS = (HeadConfig(name="gap"), *(HeadConfig(name=name, kind=HeadKind.ELASTIC) for name in NAMES))
SCALAR_LAWS = sorted(set(laws.LAWS) - {"rotation", "single atom"})  # these two turn the crystal


@lru_cache
def network(gain: float = 1.0) -> GemPpm:
    """A model with random weights; `gain` multiplies those of the tensor, which makes it strongly anisotropic."""
    torch.manual_seed(3)
    made = GemPpm(GemPpmConfig(heads=HEADS, width=16, layers=2, angular_order=2))
    assert made.elastic is not None
    with torch.no_grad():
        made.elastic.coefficients.weight.mul_(8.0 * gain)
        made.elastic.isotropic.weight.mul_(3.0 * gain)
    return made.eval()


def batch_of(some: Sequence[Crystal]) -> GraphBatch:
    return collate([build_graph(crystal) for crystal in some])


@torch.no_grad()
def stiffness(some: Sequence[Crystal], gain: float = 1.0) -> Array:
    """(n, 6, 6) Voigt, GPa."""
    model, batch = network(gain), batch_of(some)
    assert model.elastic is not None
    nodes = model.encoder(batch)
    return from_mandel(model.elastic(nodes, model.state(nodes, batch), batch).numpy())


def flat(some: Sequence[Crystal]) -> Array:
    return components(stiffness(some)) / UNIT


def relative(found: Array, expected: Array) -> float:
    return float(np.linalg.norm(to_mandel(found - expected)) / np.linalg.norm(to_mandel(expected)))


@BUDGET
@given(crystal=crystals(max_atoms=4), seed=SEEDS, mirrored=st.booleans())
def test_the_tensor_turns_with_the_crystal(crystal: Crystal, seed: int, mirrored: bool) -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    turn *= np.linalg.det(turn) * (-1 if mirrored else 1)
    turned = Crystal(
        lattice=crystal.lattice @ turn.T, frac_coords=crystal.frac_coords, numbers=crystal.numbers, pbc=crystal.pbc
    )
    first, second = stiffness([crystal])[0], stiffness([turned])[0]
    assert relative(second, rotated(first, turn)) < 1e-5


@BUDGET
@given(crystal=prototypes())
def test_neumann(crystal: Crystal) -> None:
    assume(all(crystal.pbc))
    assert symmetry_violation(stiffness([crystal])[0], point_rotations(crystal)) < 1e-5


@BUDGET
@given(crystal=crystals(max_atoms=4), gain=st.sampled_from([1.0, 30.0, 1000.0]))
def test_positive_definite_whatever_the_weights(crystal: Crystal, gain: float) -> None:
    tensor = to_mandel(stiffness([crystal], gain))
    size = float(np.abs(tensor).max())
    assert np.linalg.eigvalsh(tensor).min() > 0.9 * FLOOR * UNIT - 1e-12 * size
    np.testing.assert_allclose(tensor, tensor.swapaxes(1, 2), atol=1e-12 * size)


@BUDGET
@given(crystal=crystals(max_atoms=4), seed=SEEDS, law=st.sampled_from(SCALAR_LAWS))
def test_the_other_laws_hold(crystal: Crystal, seed: int, law: str) -> None:
    laws.LAWS[law](flat, crystal, np.random.default_rng(seed))


@BUDGET
@given(some=st.lists(crystals(max_atoms=4), min_size=2, max_size=4))
def test_a_batch_equals_its_parts(some: list[Crystal]) -> None:
    laws.check_batch_equals_parts(flat, some)
    laws.check_inputs_not_mutated(flat, some[0])


def test_it_is_anisotropic() -> None:
    """A head that gave isotropic tensors would obey every law above."""
    cell = np.diag([3.0, 4.0, 5.0])
    tensor = stiffness([Crystal(lattice=cell, frac_coords=np.zeros((1, 3)), numbers=np.array([29]))])[0]
    assert abs(tensor[0, 0] - tensor[2, 2]) > 1e-2 * tensor[0, 0]
    assert moduli(tensor[None]).anisotropy[0] > 1e-3


def test_the_parts_span_every_tensor() -> None:
    """Moments of random directions, one coefficient at a time, together with P and D: rank 21."""
    generator = torch.Generator().manual_seed(0)
    volume = torch.zeros(6, 6, dtype=torch.float64)
    volume[:3, :3] = 1 / 3
    found = [volume, torch.eye(6, dtype=torch.float64) - volume]
    for coefficient in range(3):
        for _ in range(20):
            vectors = torch.randn(1, 3, dtype=torch.float64, generator=generator)
            n = torch.nn.functional.normalize(vectors, dim=1)[0]
            x, y, z = n
            strain = torch.stack([x * x, y * y, z * z, 2**0.5 * y * z, 2**0.5 * x * z, 2**0.5 * x * y])
            second = torch.zeros(1, 3, 7, dtype=torch.float64)
            second[0, coefficient] = torch.cat([strain, torch.ones(1, dtype=torch.float64)])
            fourth = torch.outer(strain, strain)[None] * (coefficient == 2)
            found.append(assembled(second, fourth)[0])
    ranks = [
        int(torch.linalg.matrix_rank(torch.stack([matrix.flatten() for matrix in part]), tol=1e-8))
        for part in (found[2:22], found[22:42], found[42:], found)
    ]
    assert ranks == [5, 5, 9, 21]


def test_averages_are_those_of_the_tensor() -> None:
    some = [Crystal(lattice=np.diag([3.0, a, 4.0]), frac_coords=np.zeros((1, 3)), numbers=[26]) for a in (3.0, 3.7)]
    tensors = stiffness(some)
    found, exact = averages(torch.tensor(to_mandel(tensors))).numpy(), moduli(tensors)
    wanted = ("bulk", "shear", "young", "poisson", "anisotropy", "bulk_voigt", "shear_voigt")
    np.testing.assert_allclose(found, np.stack([getattr(exact, name) for name in wanted], axis=1), rtol=1e-9)


def test_predictions_come_in_gpa(tmp_path: Path) -> None:
    specs = tuple(PropertySpec(name=head.name, unit="1") for head in HEADS)
    scale = TargetScale(centre=np.full(len(specs), 7.0), scale=np.full(len(specs), 3.0))
    model = ScaledModel(network(), specs, scale)
    crystal = Crystal(lattice=np.diag([3.0, 3.3, 4.0]), frac_coords=np.zeros((1, 3)), numbers=np.array([26]))
    found = model.predict(batch_of([crystal])).properties
    expected = stiffness([crystal])
    values = np.array([found[name].mean for name in COMPONENT_NAMES]).T
    np.testing.assert_allclose(from_components(values), expected, rtol=1e-5, atol=1e-4)
    assert found["bulk_modulus"].mean[0] == pytest.approx(moduli(expected).bulk[0], rel=1e-5)
    assert found["bulk_modulus"].aleatoric[0] > 0
    save_member(tmp_path, 0, model)
    again = load_member(tmp_path, 0, model.network.config, specs).predict(batch_of([crystal])).properties
    assert all(np.array_equal(found[name].mean, again[name].mean) for name in NAMES)


def labelled(tensors: Array, turn: Array | None = None) -> GraphBatch:
    """Cells of one iron atom with tensors as standardised targets; the gap is unknown."""
    some = [Crystal(lattice=np.eye(3) * 3, frac_coords=np.zeros((1, 3)), numbers=np.array([26]))] * len(tensors)
    tensors = tensors if turn is None else rotated(tensors, turn)
    exact = moduli(tensors)
    wanted = ("bulk", "shear", "young", "poisson", "anisotropy", "bulk_voigt", "shear_voigt")
    values = np.column_stack([getattr(exact, name) for name in wanted] + [components(tensors)])
    values = values / np.array([SCALES[name] for name in NAMES])
    targets = np.column_stack([np.full(len(tensors), np.nan), values])
    return collate([build_graph(crystal) for crystal in some], Labels.of_targets(targets))


def test_the_loss_is_the_norm_of_the_error_and_does_not_turn() -> None:
    rng = np.random.default_rng(0)
    matrices = rng.normal(size=(4, 6, 6))
    tensors = from_mandel(30 * matrices @ matrices.swapaxes(1, 2) + 20 * np.eye(6))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    heads = network().heads
    guess = from_mandel(100 * np.eye(6))[None].repeat(4, axis=0)
    found = []
    for operation in (np.eye(3), turn):
        batch = labelled(tensors, operation)
        outputs = heads(torch.zeros(4, 16), None, torch.tensor(to_mandel(rotated(guess, operation))))
        means, spreads = (
            torch.stack([part[:, place] for part in heads.split(outputs)], dim=1)[:, -21:] for place in (0, 1)
        )
        error = (means - batch.targets[:, -21:]).clamp(-10, 10)
        of_spreads = 0.1 * (0.5 * (error / spreads.exp()).square() + spreads).mean(0).sum()
        _, terms = heads.loss(outputs, batch.targets, batch.mask)
        found.append(float(sum(terms[name].detach() for name in COMPONENT_NAMES) - of_spreads.detach()))
    expected = np.linalg.norm(to_mandel(tensors - guess), axis=(1, 2)).mean() / SCALES["elastic_c11"]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_it_learns_tensors_of_different_symmetry() -> None:
    """Three cells of iron; the norm of the error falls below a fifth of that of the isotropic parts."""
    torch.manual_seed(0)
    rng = np.random.default_rng(5)
    cells = [np.diag([3.0, 3.0, 3.0]), np.diag([2.6, 2.6, 3.6]), np.diag([2.5, 3.0, 3.5])]
    some = [Crystal(lattice=cell, frac_coords=np.zeros((1, 3)), numbers=np.array([26])) for cell in cells]
    matrices = rng.normal(size=(3, 6, 6))
    wanted = from_mandel(20 * matrices @ matrices.swapaxes(1, 2) + 60 * np.eye(6))
    wanted = np.stack([symmetric(tensor, crystal) for tensor, crystal in zip(wanted, some, strict=True)])
    model = GemPpm(GemPpmConfig(heads=HEADS[1:], width=16, layers=1, angular_order=2)).eval()  # fixed normalisation
    targets = torch.tensor(to_mandel(wanted))
    batch = batch_of(some)
    optimiser = torch.optim.Adam(model.parameters(), 3e-2)
    assert model.elastic is not None
    with fast_mode():
        for _ in range(100):
            nodes = model.encoder(batch)
            error = (model.elastic(nodes, model.state(nodes, batch), batch) - targets).norm(dim=(1, 2)).mean()
            optimiser.zero_grad()
            error.backward()
            optimiser.step()
    isotropic = np.stack([isotropic_part(tensor) for tensor in wanted])
    start = np.linalg.norm(to_mandel(wanted - isotropic), axis=(1, 2)).mean()
    assert float(error.detach()) < 0.2 * start


def symmetric(tensor: Array, crystal: Crystal) -> Array:
    from matwright.physics.elasticity import symmetrised

    return symmetrised(tensor, point_rotations(crystal))


def isotropic_part(tensor: Array) -> Array:
    found = moduli(tensor[None])
    volume = np.zeros((6, 6))
    volume[:3, :3] = 1 / 3
    return from_mandel(3 * found.bulk_voigt[0] * volume + 2 * found.shear_voigt[0] * (np.eye(6) - volume))


def test_components_of_unlearned_columns_cost_nothing() -> None:
    """A crystal with K and G alone teaches no component, and the derived ones are never pulled."""
    heads = network().heads
    tensor = torch.tensor(to_mandel(np.array([np.diag([90.0, 90, 90, 30, 30, 30])])), requires_grad=True)
    outputs = heads(torch.zeros(1, 16), None, tensor)
    targets, mask = torch.zeros(1, len(HEADS)), torch.zeros(1, len(HEADS), dtype=torch.bool)
    mask[0, 1 + NAMES.index("young_modulus")] = True
    total, _ = heads.loss(outputs, targets, mask)
    (gradient,) = torch.autograd.grad(total, tensor, retain_graph=True)
    assert gradient.abs().max() == 0
    mask[0, 1 + NAMES.index("bulk_modulus")] = True
    total, terms = heads.loss(outputs, targets, mask)
    (gradient,) = torch.autograd.grad(total, tensor)
    assert gradient.abs().max() > 0
    assert all(terms[name] == 0 for name in COMPONENT_NAMES)


def test_part_of_a_tensor_is_refused() -> None:
    with pytest.raises(InputError, match="is missing"):
        GemPpmConfig(heads=(HeadConfig(name="elastic_c11", kind=HeadKind.ELASTIC),))


def test_voigt_components_are_those_of_the_matrix() -> None:
    matrix = np.arange(36.0).reshape(1, 6, 6)
    matrix = matrix + matrix.swapaxes(1, 2)
    np.testing.assert_allclose(voigt_components(torch.tensor(to_mandel(matrix))).numpy(), components(matrix))
