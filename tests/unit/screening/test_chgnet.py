"""The batched CHGNet pass against the package's own, and failures that stay with one crystal."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.materials.interop import to_pymatgen
from matwright.screening.bonds import find_bonds
from matwright.screening.chgnet import ChgnetPotential
from matwright.screening.potential import GPA_PER_EV_A3, Failure, PointResult, load_potential

pytest.importorskip("chgnet")


@pytest.fixture(scope="module")
def potential() -> ChgnetPotential:
    return ChgnetPotential.load()


def _rattled(seed: int, numbers: list[int], length: float) -> Crystal:
    rng = np.random.default_rng(seed)
    grid = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5], [0.5, 0, 0], [0, 0.5, 0]])[: len(numbers)]
    lattice = np.eye(3) * length + rng.normal(0, 0.2, (3, 3))
    return Crystal(lattice=lattice, frac_coords=grid + rng.normal(0, 0.02, grid.shape), numbers=np.array(numbers))


CRYSTALS = [
    _rattled(0, [11, 17], 4.4),
    _rattled(1, [22, 8, 8, 38], 4.6),
    _rattled(2, [29], 2.9),
    _rattled(3, [3, 26, 8, 8, 15, 8], 5.2),
    _rattled(4, [55, 53], 7.6),  # so dilute that no bond carries an angle
]


def test_the_same_numbers_as_the_package(potential: ChgnetPotential) -> None:
    from chgnet.model.model import CHGNet

    structures = [to_pymatgen(crystal) for crystal in CRYSTALS]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package's own pass makes scalars of tensors with gradients
        expected = CHGNet.load(use_device="cpu", verbose=False).predict_structure(structures, task="efs")
    for crystal, result, reference in zip(CRYSTALS, potential.evaluate(CRYSTALS), expected, strict=True):
        assert isinstance(result, PointResult)
        assert result.energy / len(crystal) == pytest.approx(float(reference["e"]), abs=2e-5)
        np.testing.assert_allclose(result.forces, reference["f"], atol=2e-3)
        np.testing.assert_allclose(result.stress * GPA_PER_EV_A3, reference["s"], atol=2e-2)


def test_a_batch_equals_its_parts(potential: ChgnetPotential) -> None:
    together = potential.evaluate(CRYSTALS)
    for crystal, result in zip(CRYSTALS, together, strict=True):
        (alone,) = potential.evaluate([crystal])
        assert isinstance(alone, PointResult)
        assert isinstance(result, PointResult)
        assert result.energy == pytest.approx(alone.energy, abs=1e-4)
        np.testing.assert_allclose(result.forces, alone.forces, atol=1e-4)


def test_forces_and_stress_are_slopes_of_the_energy(potential: ChgnetPotential) -> None:
    crystal = CRYSTALS[1]
    (result,) = potential.evaluate([crystal])
    assert isinstance(result, PointResult)
    step = 0.01
    strain = np.array([[1.0, 0.3, 0.0], [0.3, -0.5, 0.2], [0.0, 0.2, 0.7]])
    moves = np.random.default_rng(5).normal(size=(len(crystal), 3))

    def energy(scale: float) -> float:
        lattice = crystal.lattice @ (np.eye(3) + scale * step * strain)
        coords = crystal.frac_coords + scale * step * moves @ np.linalg.inv(crystal.lattice)
        moved = Crystal(lattice=lattice, frac_coords=coords, numbers=crystal.numbers)
        (point,) = potential.evaluate([moved])
        assert isinstance(point, PointResult)
        return point.energy

    slope = (energy(1.0) - energy(-1.0)) / 2
    expected = step * (crystal.volume * (result.stress * strain).sum() - (result.forces * moves).sum())
    assert slope == pytest.approx(expected, rel=0.02)
    np.testing.assert_allclose(result.forces.sum(axis=0), 0.0, atol=1e-4)


def test_a_bad_crystal_costs_only_itself(potential: ChgnetPotential) -> None:
    coincident = Crystal(lattice=np.eye(3) * 4, frac_coords=np.full((2, 3), 0.1), numbers=np.array([11, 17]))
    lonely = Crystal(lattice=np.eye(3) * 20, frac_coords=np.zeros((1, 3)), numbers=np.array([11]))
    too_heavy = Crystal(lattice=np.eye(3) * 3, frac_coords=np.zeros((1, 3)), numbers=np.array([100]))
    results = potential.evaluate([CRYSTALS[0], coincident, CRYSTALS[2], lonely, too_heavy])
    assert [type(result) for result in results] == [PointResult, Failure, PointResult, Failure, Failure]
    reasons = [result.reason for result in results if isinstance(result, Failure)]
    assert "apart" in reasons[0]
    assert "no neighbour" in reasons[1]
    assert "Z = 94" in reasons[2]


def test_every_bond_once_and_every_pair_of_ends() -> None:
    cubic = Crystal(lattice=np.eye(3) * 3.0, frac_coords=np.zeros((1, 3)), numbers=np.array([84]))
    graph = find_bonds(cubic, cutoff=3.1, angle_cutoff=3.1)
    assert len(graph.first) == 3  # six neighbours, each bond shared with an image
    assert len(graph.angle_atom) == 6 * 5
    units = graph.vectors / 3.0
    cosine = (units[graph.angle_bond] * units[graph.angle_other]).sum(axis=1) * graph.angle_sign
    assert sorted(np.rint(cosine).tolist()) == [-1.0] * 6 + [0.0] * 24


def test_an_unknown_potential_is_named() -> None:
    with pytest.raises(InputError, match="chgnet"):
        load_potential("lennard-jones")
