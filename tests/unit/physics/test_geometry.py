"""Distances, volumes and densities against values known from elsewhere."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from matwright.materials.crystal import Crystal
from matwright.physics.geometry import density, min_distance, volume_per_atom


def _brute_force(crystal: Crystal, reach: int) -> float:
    """Shortest distance over all images up to `reach` cells away."""
    carts = crystal.cart_coords
    best = np.inf
    for shift in itertools.product(range(-reach, reach + 1), repeat=3):
        vectors = carts[:, None] - carts[None, :] + np.array(shift) @ crystal.lattice
        lengths = np.linalg.norm(vectors, axis=-1)
        if shift == (0, 0, 0):
            np.fill_diagonal(lengths, np.inf)
        best = min(best, float(lengths.min()))
    return best


@pytest.mark.parametrize("seed", range(30))
def test_min_distance_is_that_of_all_images(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lattice = rng.normal(size=(3, 3)) * rng.uniform(1, 5, size=(3, 1))
    n_atoms = int(rng.integers(1, 6))
    crystal = Crystal(lattice=lattice, frac_coords=rng.random((n_atoms, 3)), numbers=np.full(n_atoms, 6))
    assert min_distance(crystal) == pytest.approx(_brute_force(crystal, 7), abs=1e-9)


def test_a_lone_atom_meets_its_own_image() -> None:
    crystal = Crystal(lattice=np.diag([5.0, 0.4, 7.0]), frac_coords=np.zeros((1, 3)), numbers=np.array([29]))
    assert min_distance(crystal) == pytest.approx(0.4)


def test_a_layer_does_not_see_images_along_its_normal() -> None:
    lattice, numbers = np.diag([3.0, 3.0, 1.0]), np.array([6])
    layer = Crystal(lattice=lattice, frac_coords=np.zeros((1, 3)), numbers=numbers, pbc=(True, True, False))
    assert min_distance(layer) == pytest.approx(3.0)


def test_atoms_without_periodicity() -> None:
    pair = {"lattice": np.eye(3) * 10, "pbc": (False, False, False)}
    two = Crystal(frac_coords=np.array([[0, 0, 0], [0, 0, 0.95]]), numbers=np.array([1, 1]), **pair)  # type: ignore[arg-type]
    one = Crystal(frac_coords=np.zeros((1, 3)), numbers=np.array([1]), **pair)  # type: ignore[arg-type]
    assert min_distance(two) == pytest.approx(9.5)
    assert min_distance(one) == np.inf


def test_density_of_copper_and_of_an_alloy() -> None:
    lattice = 3.615 * (1 - np.eye(3)) / 2
    copper = Crystal(lattice=lattice, frac_coords=np.zeros((1, 3)), numbers=np.array([29]))
    half = Crystal(
        lattice=lattice, frac_coords=np.zeros((1, 3)), numbers=np.array([29]), occupancies=(((29, 0.5), (79, 0.5)),)
    )
    assert density(copper) == pytest.approx(8.94, abs=0.02)
    assert density(half) / density(copper) == pytest.approx((63.546 + 196.97) / 2 / 63.546, rel=1e-4)
    assert volume_per_atom(copper) == pytest.approx(3.615**3 / 4)
