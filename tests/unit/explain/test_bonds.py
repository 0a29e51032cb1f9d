"""Every pair of neighbours is one bond, seen from both ends."""

from __future__ import annotations

import numpy as np
import pytest
from explained_materials import FLUORITE, PEROVSKITE, SALT

from matwright.explain.bonds import bonds_of
from matwright.graphs.batch import collate
from matwright.graphs.builder import build_graph
from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal


@pytest.mark.parametrize("crystal", [SALT, FLUORITE, PEROVSKITE], ids=["NaCl", "CaF2", "SrTiO3"])
def test_the_ends_of_a_bond_are_gathered(crystal: Crystal) -> None:
    graph = build_graph(crystal)
    batch = collate([graph])
    bonds = bonds_of(graph, batch)
    envelope = batch.envelope.reshape(-1).numpy().astype(np.float64)
    ends = bonds.gathered(np.ones(len(bonds.slots)))
    assert ends.sum() == graph.counts.sum()
    assert set(ends.tolist()) <= {1.0, 2.0}  # an atom with a small radius may not see one that sees it
    assert bonds.gathered(envelope).sum() == pytest.approx(envelope.sum())
    assert (bonds.first <= bonds.second).all()
    cells = (crystal.cart_coords[bonds.first] + bonds.vectors - crystal.cart_coords[bonds.second]) @ np.linalg.inv(
        crystal.lattice
    )
    np.testing.assert_allclose(cells, np.rint(cells), atol=1e-5)


def test_rock_salt_has_six_nearest_bonds() -> None:
    graph = build_graph(SALT)
    bonds = bonds_of(graph, collate([graph]))
    nearest = np.isclose(bonds.distances, 5.69 / 2, atol=1e-3)
    assert nearest.sum() == 6
    assert bonds.gathered(np.ones(len(bonds.slots)))[nearest].tolist() == [2.0] * 6


def test_a_composition_has_one_bond_a_pair_of_elements_without_length() -> None:
    graph = build_graph(Composition.from_formula("LiFePO4"))
    bonds = bonds_of(graph, collate([graph]))
    assert len(bonds) == 6
    assert (bonds.distances == 0).all()
    assert bonds.gathered(np.ones(len(bonds.slots))).tolist() == [2.0] * 6
