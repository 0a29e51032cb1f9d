"""Graphs of compositions and molecules, and the conditions and signs that travel with every graph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from matwright.graphs.batch import collate, perturb
from matwright.graphs.builder import build_graph
from matwright.graphs.packing import build_store
from matwright.graphs.ragged import Labels
from matwright.materials.composition import Composition
from matwright.materials.material import Structure
from matwright.materials.molecule import Molecule

WATER = Molecule(
    numbers=np.array([8, 1, 1]),
    coords=np.array([[0.0, 0.0, 0.117], [0.0, 0.757, -0.47], [0.0, -0.757, -0.47]]),
    bonds=((0, 1, 1.0), (0, 2, 1.0)),
)
STEEL = Composition.from_weight_percent({24: 18.0, 28: 8.0}, balance=26)


@dataclass(frozen=True)
class Row:
    id: str
    structure: Structure
    targets: tuple[float, ...] = (1.0,)
    censored: tuple[int, ...] = ()
    conditions: tuple[float, ...] = (300.0, float("nan"))
    steps: tuple[tuple[float, ...], ...] = ()
    part: str = ""
    file: str = "made.csv"
    number: int = 1


def parse(row: Row) -> Structure:
    return row.structure


def test_every_element_of_a_composition_sees_every_other_weighted_by_its_fraction() -> None:
    batch = collate([build_graph(STEEL)])
    fractions = dict(STEEL.fractions)
    assert batch.weights.tolist() == [np.float32(fractions[int(number)]) for number in batch.numbers]
    for atom, number in enumerate(batch.numbers.tolist()):
        row = int((batch.rows == atom).nonzero()[0])
        slots = zip(batch.neighbours[row].tolist(), batch.envelope[row].tolist(), strict=True)
        rest = {int(batch.numbers[neighbour]): weight for neighbour, weight in slots if weight > 0}
        assert set(rest) == set(fractions) - {number}
        scale = {z: w / fractions[z] for z, w in rest.items()}
        assert np.ptp(list(scale.values())) < 1e-6


def test_a_pure_element_has_no_neighbours() -> None:
    batch = collate([build_graph(Composition.from_formula("Cu"))])
    assert batch.weights.tolist() == [1.0]
    assert float(batch.envelope.abs().sum()) == 0.0


def test_bonds_of_a_molecule_lie_on_their_edges_in_any_batch() -> None:
    batch = collate([build_graph(STEEL), build_graph(WATER), build_graph(WATER)])
    bonded = {
        (int(batch.rows[slot // 4]), int(batch.neighbours[slot // 4, slot % 4])) for slot in batch.bond_slots.tolist()
    }
    first = len(STEEL.fractions)
    pairs = {(first + a, first + b) for a, b in ((0, 1), (1, 0), (0, 2), (2, 0))}
    assert bonded == pairs | {(a + 3, b + 3) for a, b in pairs}
    assert batch.bond_orders.tolist() == [1.0] * 8


def test_a_molecule_does_not_repeat() -> None:
    batch = collate([build_graph(WATER)])
    real = batch.envelope > 0
    assert int(real.sum()) == 6
    assert float(batch.distances[real].max()) < 1.6


def test_perturbation_leaves_compositions_alone() -> None:
    batch = collate([build_graph(STEEL), build_graph(WATER)])
    moved = perturb(batch, 0.1, 0.02, torch.Generator().manual_seed(0))
    of_steel = batch.rows < len(STEEL.fractions)
    assert torch.equal(moved.vectors[of_steel], batch.vectors[of_steel])
    assert torch.equal(moved.envelope[of_steel], batch.envelope[of_steel])
    assert not torch.equal(moved.vectors[~of_steel], batch.vectors[~of_steel])


def test_conditions_steps_and_signs_come_back_from_a_store(tmp_path: Path) -> None:
    step = (0.0, 1400.0, 4.0, float("nan"), float("nan"), 1.0)
    rows = [
        Row(id="a", structure=STEEL, censored=(-1,), steps=(step, step)),
        Row(id="b", structure=WATER, conditions=(float("nan"), 2.0)),
        Row(id="c", structure=STEEL, steps=(step,)),
    ]
    store = build_store(
        rows, parse, tmp_path / "store", source_hash="x", target_names=["y"], condition_names=["temperature", "route"]
    )
    assert store.condition_names == ("temperature", "route")
    for chosen in (store.batch([2, 0, 1]), store.subset([2, 0, 1]).batch([0, 1, 2])):
        assert chosen.step_crystal.tolist() == [0, 1, 1]
        np.testing.assert_array_equal(chosen.steps.numpy(), np.array([step] * 3, dtype=np.float32))
        assert chosen.censored.flatten().tolist() == [0, -1, 0]
        np.testing.assert_array_equal(chosen.conditions.numpy()[2], [np.nan, 2.0])
    again = collate([build_graph(row.structure) for row in rows], Labels.of_conditions(store.conditions, store.targets))
    assert torch.equal(again.bond_slots, store.batch([0, 1, 2]).bond_slots)
