"""GEM-PPM obeys the laws of a materials model, for every pooling and angular order, and it can learn."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from matwright.graphs.batch import collate
from matwright.graphs.builder import build_graph
from matwright.graphs.ragged import Labels
from matwright.materials.crystal import Crystal
from matwright.models.config import GemPpmConfig, HeadConfig, HeadKind, Pooling
from matwright.models.gem_ppm import GemPpm
from matwright.testing import invariance as laws
from matwright.testing.strategies import crystals, disordered_crystals, prototypes

BUDGET = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
SEEDS = st.integers(0, 2**16)
ORDERS = st.sampled_from([0, 1, 2])
INTENSIVE = st.sampled_from([Pooling.MEAN, Pooling.MEAN_MAX, Pooling.ATTENTION])


@lru_cache
def model(pooling: Pooling, order: int, dtype: torch.dtype = torch.float32) -> GemPpm:
    """A model with random weights and random running statistics, so that nothing cancels by chance."""
    torch.manual_seed(7)
    heads = (HeadConfig(name="a"), HeadConfig(name="b", kind=HeadKind.CLASS, n_classes=2))
    made = GemPpm(GemPpmConfig(heads=heads, width=16, layers=2, angular_order=order, pooling=pooling, joint=order == 1))
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0.0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return made.to(dtype).eval()


class Predict:
    """Crystals to (n_crystals, n_outputs)."""

    def __init__(self, pooling: Pooling, order: int, dtype: torch.dtype = torch.float32) -> None:
        self.model, self.dtype = model(pooling, order, dtype), dtype

    def __call__(self, some: Sequence[Crystal]) -> NDArray[np.float64]:
        batch = collate([build_graph(crystal, self.model.config.graph) for crystal in some]).to(dtype=self.dtype)
        with torch.no_grad():
            return self.model(batch).double().numpy()


@BUDGET
@given(crystal=crystals(), seed=SEEDS, law=st.sampled_from(sorted(laws.LAWS)), pooling=INTENSIVE, order=ORDERS)
def test_the_laws_hold(crystal: Crystal, seed: int, law: str, pooling: Pooling, order: int) -> None:
    laws.LAWS[law](Predict(pooling, order), crystal, np.random.default_rng(seed))


@BUDGET
@given(crystal=prototypes(), seed=SEEDS, order=ORDERS)
def test_the_cell_does_not_show_where_shells_tie(crystal: Crystal, seed: int, order: int) -> None:
    rng = np.random.default_rng(seed)
    laws.check_equivalent_cell(Predict(Pooling.MEAN, order), crystal, rng)
    laws.check_supercell(Predict(Pooling.MEAN, order), crystal, rng)


@BUDGET
@given(crystal=disordered_crystals(), seed=SEEDS, law=st.sampled_from(sorted(laws.LAWS)))
def test_the_laws_hold_for_disordered_crystals(crystal: Crystal, seed: int, law: str) -> None:
    laws.LAWS[law](Predict(Pooling.MEAN, 1), crystal, np.random.default_rng(seed))


@BUDGET
@given(some=st.lists(crystals(), min_size=2, max_size=5), order=ORDERS)
def test_batches_precision_and_inputs(some: list[Crystal], order: int) -> None:
    single = Predict(Pooling.MEAN_MAX, order)
    laws.check_batch_equals_parts(single, some)
    laws.check_same_precision(single, Predict(Pooling.MEAN_MAX, order, torch.float64), some)
    laws.check_inputs_not_mutated(single, some[0])


@BUDGET
@given(crystal=crystals(max_atoms=4), seed=SEEDS)
def test_a_sum_before_the_last_layer_scales_with_the_cell(crystal: Crystal, seed: int) -> None:
    """The pooled state is extensive; the head adds a constant, so its outputs less that constant are too."""
    predict = Predict(Pooling.SUM, 1)
    constant = predict.model.heads.linear.bias.detach().double().numpy()

    def total(some: Sequence[Crystal]) -> NDArray[np.float64]:
        return predict(some) - constant

    laws.check_supercell(total, crystal, np.random.default_rng(seed), extensive=True)


def test_a_swap_of_elements_shows() -> None:
    """A model that ignored its input would obey every law above."""
    cell, sites = np.eye(3) * 4.2, np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
    pair = [Crystal(lattice=cell, frac_coords=sites, numbers=np.array(numbers)) for numbers in ([11, 17], [12, 8])]
    longer = Crystal(lattice=cell * 1.1, frac_coords=sites, numbers=np.array([11, 17]))
    outputs = Predict(Pooling.MEAN, 1)([*pair, longer])
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-3
    assert np.abs(outputs[0] - outputs[2]).max() > 1e-3


def test_directions_matter_only_with_angular_moments() -> None:
    """Two neighbourhoods with the same distances: a neighbour left and right, or both at a right angle."""
    box, middle = np.eye(3) * 30.0, np.full(3, 15.0)
    arms = np.array([[2.0, 0, 0], [-2.0, 0, 0]]), np.array([[2.0, 0, 0], [0, 2.0, 0]])
    pair = [
        Crystal(lattice=box, frac_coords=np.vstack([middle, middle + arm]) / 30.0, numbers=np.array([8, 1, 1]))
        for arm in arms
    ]

    def first_states(order: int) -> torch.Tensor:
        """(2, width): the state of the middle atom after one layer (the arms' distance has had no say yet)."""
        net = model(Pooling.MEAN, order)
        states = []
        for crystal in pair:
            batch = collate([build_graph(crystal, net.config.graph)])
            edges = net.encoder.basis(batch)
            states.append(net.encoder.layers[0](net.encoder.embedding(batch), edges, batch.rows)[0])
        return torch.stack(states).detach()

    assert torch.allclose(*first_states(0), atol=1e-6)
    assert (first_states(1)[0] - first_states(1)[1]).abs().max() > 1e-3


@pytest.mark.parametrize("pooling", list(Pooling))
def test_it_learns_lattice_constants(pooling: Pooling) -> None:
    """200 rock salts: the mean error of the distance, held out, falls below a fifth of its spread."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    sizes = rng.uniform(3.6, 6.0, 200)
    sites = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
    rows = [
        Crystal(lattice=np.eye(3) * size, frac_coords=sites, numbers=rng.choice([3, 9, 11, 17], 2)) for size in sizes
    ]
    targets = ((sizes - sizes.mean()) / sizes.std())[:, None]
    net = GemPpm(GemPpmConfig(heads=(HeadConfig(name="a", kind=HeadKind.POINT),), width=16, layers=1, pooling=pooling))
    graphs = [build_graph(row, net.config.graph) for row in rows]
    train, held_out = (
        collate(graphs[part], Labels.of_targets(targets[part])) for part in (slice(150), slice(150, None))
    )
    optimiser = torch.optim.AdamW(net.parameters(), 1e-2)
    for _ in range(80):
        loss, _ = net.loss(train)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    net.eval()
    with torch.no_grad():
        error = float(net.loss(held_out)[0])
    assert error < 0.2 * float(held_out.targets.std())
