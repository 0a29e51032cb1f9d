"""The laws hold for a readout made by hand on the graphs, and each law catches a model that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from matwright.graphs.batch import GraphBatch, collate
from matwright.graphs.builder import build_graph
from matwright.graphs.settings import GraphSettings
from matwright.materials.crystal import Crystal
from matwright.testing import invariance as laws
from matwright.testing.strategies import PROTOTYPES, crystals, disordered_crystals, prototypes, random_crystals

BUDGET = settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
SEEDS = st.integers(0, 2**16)


def atom_terms(batch: GraphBatch) -> torch.Tensor:
    """(n_atoms, 3): a pair term, the length of a vector sum and a coordination number."""
    element = torch.zeros(len(batch.numbers), dtype=batch.radii.dtype)
    element += batch.numbers / 50.0
    if len(batch.shares):
        element[batch.share_atoms] = 0.0
        element.index_add_(0, batch.share_atoms, batch.shares * batch.share_numbers / 50.0)
    other = element[batch.neighbours]
    pair = (batch.envelope * other * torch.exp(-batch.distances / 2.0)).sum(dim=1)
    vector = (batch.vectors * (batch.envelope * other / batch.distances)[..., None]).sum(dim=1)
    terms = torch.cat([pair[:, None], batch.envelope.sum(dim=1)[:, None], vector], dim=1)
    summed = torch.zeros(len(batch.numbers), 5, dtype=terms.dtype).index_add_(0, batch.rows, terms)
    length = torch.sqrt((summed[:, 2:] ** 2).sum(dim=1) + 1e-4)
    return torch.stack([element * summed[:, 0], summed[:, 1], length], dim=1)


def readout(
    some: Sequence[Crystal], *, extensive: bool = False, dtype: torch.dtype = torch.float32
) -> NDArray[np.float64]:
    """(n_crystals, 3) invariant numbers of each crystal, the mean or the sum over its atoms."""
    batch = collate([build_graph(crystal) for crystal in some]).to(dtype=dtype)
    terms = atom_terms(batch)
    total = torch.zeros(batch.n_crystals, terms.shape[1], dtype=dtype).index_add_(0, batch.crystal, terms)
    return (total if extensive else total / batch.counts[:, None]).double().numpy()


@BUDGET
@given(crystal=crystals(), seed=SEEDS, law=st.sampled_from(sorted(laws.LAWS)))
def test_the_laws_hold_on_the_graphs(crystal: Crystal, seed: int, law: str) -> None:
    laws.LAWS[law](readout, crystal, np.random.default_rng(seed))


@BUDGET
@given(crystal=disordered_crystals(), seed=SEEDS, law=st.sampled_from(sorted(laws.LAWS)))
def test_the_laws_hold_for_disordered_sites(crystal: Crystal, seed: int, law: str) -> None:
    laws.LAWS[law](readout, crystal, np.random.default_rng(seed))


@BUDGET
@given(crystal=crystals(max_atoms=4), seed=SEEDS)
def test_extensive_outputs_scale_with_the_cell(crystal: Crystal, seed: int) -> None:
    def total(some: Sequence[Crystal]) -> NDArray[np.float64]:
        return readout(some, extensive=True)

    laws.check_supercell(total, crystal, np.random.default_rng(seed), extensive=True)


@BUDGET
@given(some=st.lists(crystals(), min_size=2, max_size=4))
def test_batches_precision_and_inputs(some: list[Crystal]) -> None:
    def double(others: Sequence[Crystal]) -> NDArray[np.float64]:
        return readout(others, dtype=torch.float64)

    laws.check_batch_equals_parts(readout, some)
    laws.check_same_precision(readout, double, some)
    laws.check_save_load(readout, readout, some)
    laws.check_inputs_not_mutated(readout, some[0])


def test_every_prototype_keeps_its_shells_under_every_law() -> None:
    for name, prototype in PROTOTYPES.items():
        crystal = Crystal(
            lattice=sum(prototype.constant) / 2.0 * np.array(prototype.cell),
            frac_coords=np.array(prototype.sites),
            numbers=np.array([(11, 17, 8)[kind] for kind in prototype.species]),
            pbc=prototype.pbc,
        )
        for law, check in laws.LAWS.items():
            if law != "smooth":
                check(readout, crystal, np.random.default_rng(1))
        assert name


# ---- each law must be able to fail --------------------------------------------------------------------------------


def first_atom(some: Sequence[Crystal]) -> list[float]:
    return [float(crystal.numbers[0]) for crystal in some]


def position(some: Sequence[Crystal]) -> list[float]:
    return [float(crystal.cart_coords[:, 2].sum()) for crystal in some]


def axis(some: Sequence[Crystal]) -> list[float]:
    return [float(crystal.lattice[0, 0]) for crystal in some]


def cell_length(some: Sequence[Crystal]) -> list[float]:
    return [float(np.linalg.norm(crystal.lattice[0])) for crystal in some]


def cell_volume(some: Sequence[Crystal]) -> list[float]:
    return [crystal.volume for crystal in some]


def undefined(some: Sequence[Crystal]) -> list[float]:
    return [float("nan")] * len(some)


def hard_cut(some: Sequence[Crystal]) -> list[float]:
    """Counts the neighbours within a radius: the step that an envelope takes away."""
    wide = GraphSettings(cutoff=3.3, k=300)
    return [float(build_graph(crystal, wide).counts.mean()) for crystal in some]


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        ("atom order", first_atom),
        ("origin", position),
        ("rotation", axis),
        ("equivalent cell", cell_length),
        ("supercell", cell_volume),
        ("smooth", hard_cut),
        ("single atom", undefined),
        ("atom order", undefined),
    ],
)
def test_each_law_catches_a_model_that_breaks_it(law: str, broken: Callable[[Sequence[Crystal]], list[float]]) -> None:
    rng = np.random.default_rng(5)
    crystal = Crystal(
        lattice=np.array([[4.1, 0.3, 0.0], [0.1, 4.6, 0.2], [0.4, 0.0, 5.2]]),
        frac_coords=rng.random((6, 3)),
        numbers=np.array([3, 8, 15, 26, 11, 17]),
    )
    with pytest.raises(AssertionError):
        laws.LAWS[law](broken, crystal, np.random.default_rng(5))


def test_lattice_shifts_are_caught_where_coordinates_are_read_raw() -> None:
    crystal = Crystal(lattice=np.eye(3) * 4.0, frac_coords=np.full((1, 3), 0.25), numbers=np.array([3]))

    calls = iter([0.0, 1.0])

    def changing(some: Sequence[Crystal]) -> list[float]:
        return [next(calls) for _ in some]

    with pytest.raises(AssertionError, match="lattice shifts"):
        laws.check_lattice_shift(changing, crystal, np.random.default_rng(0))


def test_the_other_checks_can_fail() -> None:
    one = Crystal(lattice=np.eye(3) * 4.0, frac_coords=np.zeros((1, 3)), numbers=np.array([3]))
    two = replace(one, numbers=np.array([8]))

    def mixed(some: Sequence[Crystal]) -> list[float]:
        mean = np.mean([crystal.numbers[0] for crystal in some])
        return [float(crystal.numbers[0] - mean) for crystal in some]

    def heavier(some: Sequence[Crystal]) -> list[float]:
        return [float(crystal.numbers[0]) + 1e-6 for crystal in some]

    def too_few(some: Sequence[Crystal]) -> list[float]:
        return first_atom(some)[1:]

    def writing(some: Sequence[Crystal]) -> list[float]:
        some[0].lattice.setflags(write=True)
        some[0].lattice[0, 0] += 0.1
        return first_atom(some)

    counter = iter(range(100))

    with pytest.raises(AssertionError, match="batch"):
        laws.check_batch_equals_parts(mixed, [one, two])
    with pytest.raises(AssertionError, match="saving"):
        laws.check_save_load(first_atom, heavier, [one, two])
    with pytest.raises(AssertionError, match="1 crystals gave 0"):
        laws.check_batch_equals_parts(too_few, [one, two])
    with pytest.raises(AssertionError, match="precision"):
        laws.check_same_precision(first_atom, lambda some: [9.0 for _ in some], [one])
    with pytest.raises(AssertionError, match="twice"):
        laws.check_inputs_not_mutated(lambda some: [float(next(counter)) for _ in some], one)
    with pytest.raises(AssertionError, match="changed the crystal"):
        laws.check_inputs_not_mutated(writing, one)
    with pytest.raises(AssertionError, match="supercell"):
        laws.check_supercell(first_atom, one, np.random.default_rng(0), extensive=True)


# ---- the generated crystals are what they promise -----------------------------------------------------------------


@BUDGET
@given(crystal=random_crystals(max_atoms=6, min_distance=0.9))
def test_random_crystals_keep_their_atoms_apart(crystal: Crystal) -> None:
    assert 1 <= len(crystal) <= 6
    graph = build_graph(crystal)
    assert np.linalg.norm(graph.vectors, axis=1).min(initial=9.0) > 0.89


@BUDGET
@given(crystal=prototypes())
def test_prototypes_have_ties(crystal: Crystal) -> None:
    graph = build_graph(crystal)
    lengths = np.round(np.linalg.norm(graph.vectors[: graph.counts[0]], axis=1), 4)
    _, counts = np.unique(lengths, return_counts=True)
    assert counts.max() >= 3
