"""Graphs of many crystals in one pass are those of the one-by-one builder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matwright.errors import InputError
from matwright.graphs.arrays import CrystalGraphs
from matwright.graphs.batch import GraphBatch, collate
from matwright.graphs.builder import build_graph
from matwright.graphs.ragged import Labels
from matwright.graphs.settings import GraphSettings
from matwright.materials.crystal import Crystal
from matwright.testing.strategies import crystals


def source(some: list[Crystal], rule: GraphSettings) -> CrystalGraphs:
    return CrystalGraphs(
        lattices=np.stack([crystal.lattice for crystal in some]),
        frac_coords=np.concatenate([crystal.frac_coords for crystal in some]),
        numbers=np.concatenate([crystal.numbers for crystal in some]),
        offsets=np.concatenate([[0], np.cumsum([len(crystal) for crystal in some])]),
        settings=rule,
    )


def sums(batch: GraphBatch) -> np.ndarray:
    """(n_atoms, 40) sums over each atom's edges that do not depend on their order and tell different sets apart."""
    rng = np.random.default_rng(0)
    waves, marks = rng.normal(size=(3, 40)), rng.normal(size=(len(batch.numbers), 40))
    vectors = batch.vectors.reshape(-1, 3).numpy().astype(np.float64)
    weight = batch.envelope.reshape(-1, 1).numpy()
    terms = weight * (np.cos(vectors @ waves) + np.sin(vectors @ waves)) * marks[batch.neighbours.reshape(-1)]
    atoms = np.repeat(batch.rows.numpy(), batch.neighbours.shape[1])
    result = np.zeros_like(marks)
    np.add.at(result, atoms, terms)
    return result


@settings(max_examples=40)
@given(
    some=st.lists(crystals(), min_size=1, max_size=5),
    rule=st.sampled_from([GraphSettings(), GraphSettings(cutoff=4.0, k=12), GraphSettings(k=3, stretch=1.05)]),
)
def test_graphs_are_those_of_one_crystal_at_a_time(some: list[Crystal], rule: GraphSettings) -> None:
    some = [crystal for crystal in some if all(crystal.pbc) and crystal.is_ordered]
    if not some:
        return
    one_by_one = collate([build_graph(crystal, rule) for crystal in some])
    together = source(some, rule).batch(np.arange(len(some)))
    assert together.numbers.tolist() == one_by_one.numbers.tolist()
    assert together.counts.tolist() == one_by_one.counts.tolist()
    np.testing.assert_allclose(together.radii, one_by_one.radii, rtol=1e-5)
    np.testing.assert_allclose(sums(together), sums(one_by_one), atol=1e-3)


def test_a_crystal_far_from_its_mean_density_is_searched_again() -> None:
    """Two atoms in a long empty cell: the radius guessed from the density is far too small."""
    rule = GraphSettings(cutoff=8.0, k=8)
    sparse = Crystal(
        lattice=np.diag([2.5, 2.5, 30.0]), frac_coords=np.array([[0, 0, 0], [0.5, 0.5, 0.05]]), numbers=np.array([6, 6])
    )
    dense = Crystal(lattice=np.diag([2.5] * 3), frac_coords=np.zeros((1, 3)), numbers=np.array([29]))
    some = [dense, sparse, dense]
    one_by_one = collate([build_graph(crystal, rule) for crystal in some])
    np.testing.assert_allclose(sums(source(some, rule).batch(np.arange(3))), sums(one_by_one), atol=1e-3)


def test_an_atom_written_twice_is_refused() -> None:
    twice = Crystal(lattice=3 * np.eye(3), frac_coords=np.array([[0, 0, 0], [0, 0, 1e-4]]), numbers=np.array([3, 9]))
    with pytest.raises(InputError, match="twice"):
        source([twice], GraphSettings()).batch(np.array([0]))


def test_conditions_and_steps_come_with_their_crystal() -> None:
    some = [
        Crystal(lattice=3.0 * np.eye(3), frac_coords=np.zeros((1, 3)), numbers=np.array([number]))
        for number in (26, 28, 29)
    ]
    step = (0.0, 900.0, 4.0, np.nan, np.nan, np.nan)
    labels = Labels.of_conditions(np.array([[300.0], [np.nan], [700.0]]), steps=[[], [step], [step, step]])
    batch = replace(source(some, GraphSettings()), labels=labels).batch(np.array([2, 1]))
    assert batch.numbers.tolist() == [29, 28]
    np.testing.assert_array_equal(batch.conditions, [[700.0], [np.nan]])
    assert batch.step_crystal.tolist() == [0, 0, 1]
