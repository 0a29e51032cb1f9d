"""Forms of a network: what each changes, and that the network itself is left alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from matwright.graphs.batch import GraphBatch, collate
from matwright.graphs.builder import build_graph
from matwright.models.compression import PRUNED_SHARE, half_state, in_form, stored_bytes
from matwright.models.config import GemPpmConfig, HeadConfig
from matwright.models.forms import Form
from matwright.models.gem_ppm import GemPpm
from matwright.models.scaled import ScaledModel, TargetScale
from small_data import ENERGY, GAP, crystals


@pytest.fixture(scope="module")
def batch() -> GraphBatch:
    return collate([build_graph(crystal) for crystal in crystals(12)])


@pytest.fixture(scope="module")
def model() -> ScaledModel:
    heads = (HeadConfig(name=ENERGY.name), HeadConfig(name=GAP.name))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = GemPpm(GemPpmConfig(heads=heads, width=32, layers=2))
    scale = TargetScale(centre=np.array([-1.0, 2.0]), scale=np.array([0.8, 1.5]))
    return ScaledModel(network, (ENERGY, GAP), scale).eval()


def means(model: ScaledModel, batch: GraphBatch) -> np.ndarray:
    return np.column_stack([found.mean for found in model.predict(batch).properties.values()])


@pytest.mark.parametrize("form", Form)
def test_a_form_predicts_nearly_the_same_and_leaves_the_model_alone(
    form: Form, model: ScaledModel, batch: GraphBatch
) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    wanted = means(model, batch)
    found = means(in_form(model, form), batch)
    assert np.isfinite(found).all()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    largest = {Form.FLOAT32: 1e-7, Form.FLOAT16: 5e-3, Form.BFLOAT16: 0.1, Form.INT8: 0.2, Form.PRUNED: 3.0}[form]
    assert np.abs(found - wanted).max() < largest
    if form is not Form.FLOAT32:
        assert not np.array_equal(found, wanted)


def test_half_of_the_weights_of_a_pruned_network_are_zero_the_smallest_of_each_layer(model: ScaledModel) -> None:
    pruned = in_form(model, Form.PRUNED)
    pairs = [
        (old.weight, new.weight)
        for old, new in zip(model.modules(), pruned.modules(), strict=True)
        if isinstance(old, nn.Linear)
    ]
    gone = sum(int((new == 0).sum()) for _, new in pairs)
    assert gone / sum(new.numel() for _, new in pairs) == pytest.approx(PRUNED_SHARE, abs=0.01)
    for old, new in pairs:
        kept = new != 0
        assert torch.equal(new[kept], old[kept])
        if kept.any() and not kept.all():
            assert old[kept].abs().min() >= old[~kept].abs().max()


def test_sizes_are_counted_from_the_numbers(model: ScaledModel) -> None:
    half = half_state(model)
    bytes_of_half = sum(value.numel() * value.element_size() for value in half.values())
    assert stored_bytes(model, Form.FLOAT16) == bytes_of_half
    assert half["centre"].dtype == torch.float32
    assert stored_bytes(model, Form.INT8) < bytes_of_half < stored_bytes(model, Form.FLOAT32)
    assert stored_bytes(model, Form.PRUNED) == stored_bytes(model, Form.FLOAT32)


def test_a_checkpoint_of_halves_gives_the_halved_model(model: ScaledModel, batch: GraphBatch) -> None:
    scale = TargetScale(centre=np.zeros(2), scale=np.ones(2))
    fresh = ScaledModel(GemPpm(model.network.config), (ENERGY, GAP), scale)
    fresh.load_state_dict(half_state(model))
    assert np.array_equal(means(fresh.eval(), batch), means(in_form(model, Form.FLOAT16), batch))
