"""The neighbour rule against a brute-force search and on the cases where neighbour lists go wrong."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.graphs import neighbours as module
from matwright.graphs.neighbours import NeighbourList, find_neighbours
from matwright.graphs.settings import GraphSettings

CRYSTAL = (True, True, True)
Row = tuple[int, float, float, float]


def brute_force(
    lattice: NDArray[np.float64], frac: NDArray[np.float64], pbc: tuple[bool, ...], settings: GraphSettings, images: int
) -> tuple[list[set[Row]], NDArray[np.float64]]:
    """The rule word for word, over `images` cells in each periodic direction."""
    ranges = [range(-images, images + 1) if periodic else range(1) for periodic in pbc]
    shifts = np.array(list(product(*ranges)), dtype=float)
    rows, radii = [], []
    for i in range(len(frac)):
        vectors = (frac[None] + shifts[:, None] - frac[i]) @ lattice
        distances = np.linalg.norm(vectors, axis=2)
        others = np.sort(distances[distances > 1e-9])
        enough = len(others) >= settings.k
        radius = min(settings.cutoff, settings.stretch * others[settings.k - 1]) if enough else settings.cutoff
        near = (distances < radius) & (distances > 1e-9)
        rows.append({_row(j, vectors[cell, j]) for cell, j in zip(*near.nonzero(), strict=True)})
        radii.append(radius)
    return rows, np.array(radii)


def _row(j: int, vector: NDArray[np.float64]) -> Row:
    x, y, z = (float(value) + 0.0 for value in np.round(vector, 6))
    return int(j), x, y, z


def listed(found: NeighbourList) -> list[set[Row]]:
    ends = np.cumsum(found.counts)
    return [
        {_row(found.neighbours[e], found.vectors[e]) for e in range(end - count, end)}
        for end, count in zip(ends, found.counts, strict=True)
    ]


@pytest.mark.parametrize("pbc", [CRYSTAL, (True, True, False), (False, True, True), (False, False, True), (False,) * 3])
@pytest.mark.parametrize("seed", range(4))
def test_the_list_is_that_of_a_brute_force_search(pbc: tuple[bool, bool, bool], seed: int) -> None:
    rng = np.random.default_rng(seed)
    lattice = np.diag(rng.uniform(2.6, 7.0, 3)) + rng.normal(0, 0.5, (3, 3))
    frac = rng.random((int(rng.integers(1, 6)), 3))
    settings = GraphSettings(cutoff=5.0, k=int(rng.integers(1, 13)))
    found = find_neighbours(lattice, frac, pbc, settings)
    rows, radii = brute_force(lattice, frac, pbc, settings, images=6)
    assert np.allclose(found.radii, radii, atol=1e-9)
    assert listed(found) == rows


def test_shells_are_never_cut() -> None:
    """fcc has 12, then 6 neighbours: with k = 5 the radius lies between the shells and all twelve are there."""
    fcc = 2.0 * np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    found = find_neighbours(fcc, np.zeros((1, 3)), CRYSTAL, GraphSettings(k=5, stretch=1.2))
    assert found.counts.tolist() == [12]
    assert np.allclose(found.radii, 1.2 * np.sqrt(8.0))


def test_too_few_neighbours_take_the_whole_cutoff() -> None:
    found = find_neighbours(
        np.eye(3) * 20.0, np.array([[0.1, 0.1, 0.1], [0.2, 0.1, 0.1]]), (False,) * 3, GraphSettings()
    )
    assert found.counts.tolist() == [1, 1]
    assert np.allclose(found.vectors, [[2.0, 0.0, 0.0], [-2.0, 0.0, 0.0]])
    assert found.radii.tolist() == [6.0, 6.0]


def test_an_atom_without_neighbours_has_an_empty_row() -> None:
    found = find_neighbours(np.eye(3) * 20.0, np.zeros((1, 3)), CRYSTAL, GraphSettings())
    assert found.counts.tolist() == [0]
    assert found.vectors.shape == (0, 3)


def test_a_skewed_cell_gives_the_same_neighbours_quickly() -> None:
    cell = np.array([[3.0, 0.0, 0.0], [0.2, 3.1, 0.0], [0.1, 0.3, 3.4]])
    skew = np.array([[1, 0, 0], [23, 1, 0], [-17, 31, 1]])
    frac = np.array([[0.1, 0.2, 0.3], [0.6, 0.7, 0.9]])
    skewed = skew @ cell
    plain = find_neighbours(cell, frac, CRYSTAL, GraphSettings())
    other = find_neighbours(skewed, frac @ cell @ np.linalg.inv(skewed), CRYSTAL, GraphSettings())
    assert listed(plain) == listed(other)


def test_the_nearest_atoms_in_a_mostly_empty_cell_are_found() -> None:
    """The density guesses too large or too small a radius here; the list must not depend on the guess."""
    rng = np.random.default_rng(3)
    frac = 0.5 + 0.12 * rng.random((18, 3))
    lattice = np.eye(3) * 25.0
    rows, radii = brute_force(lattice, frac, CRYSTAL, GraphSettings(), images=1)
    found = find_neighbours(lattice, frac, CRYSTAL, GraphSettings())
    assert np.allclose(found.radii, radii)
    assert listed(found) == rows


def test_blocks_of_rows_give_the_same_list(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    lattice, frac = np.eye(3) * 9.0, rng.random((30, 3))
    whole = find_neighbours(lattice, frac, CRYSTAL, GraphSettings())
    monkeypatch.setattr(module, "_PAIRS_AT_ONCE", 700)
    blocks = find_neighbours(lattice, frac, CRYSTAL, GraphSettings())
    assert listed(whole) == listed(blocks)
    assert np.allclose(whole.radii, blocks.radii)


def test_coinciding_atoms_are_refused() -> None:
    with pytest.raises(InputError, match="twice"):
        find_neighbours(np.eye(3) * 4.0, np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0 - 1e-5]]), CRYSTAL, GraphSettings())


@pytest.mark.parametrize("values", [{"cutoff": 0.0}, {"k": 0}, {"stretch": 1.0}])
def test_impossible_settings_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(InputError):
        GraphSettings.from_dict(values)


def test_settings_survive_json_and_refuse_other_schemas() -> None:
    settings = GraphSettings(cutoff=5.0, k=8)
    assert GraphSettings.from_dict(settings.as_dict()) == settings
    with pytest.raises(InputError, match="schema"):
        GraphSettings.from_dict({**settings.as_dict(), "schema": 0})
    with pytest.raises(InputError, match="unknown"):
        GraphSettings.from_dict({"cut": 5.0})
