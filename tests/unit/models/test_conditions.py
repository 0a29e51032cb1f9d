"""Conditions reach the prediction in every fusion mode; missing is not zero; steps count in their order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from matwright.errors import InputError
from matwright.graphs.batch import GraphBatch, collate
from matwright.graphs.builder import build_graph
from matwright.graphs.ragged import Labels
from matwright.graphs.store import pack
from matwright.materials.composition import Composition
from matwright.materials.conditions import ConditionColumn, ConditionSchema
from matwright.materials.processing import StepVocabulary
from matwright.models.config import FusionMode, GemPpmConfig, HeadConfig, HeadKind, Pooling
from matwright.models.gem_ppm import GemPpm
from matwright.models.temperature import BOLTZMANN

NAN = float("nan")
SCHEMA = ConditionSchema(
    columns=(
        ConditionColumn(name="temperature", unit="degC"),
        ConditionColumn(name="route", categories=("cast", "wrought")),
    ),
    steps=StepVocabulary(operations=("age", "solution"), atmospheres=("air",), coolings=("water",)),
)
STEP = (1.0, 1400.0, 4.0, 0.0, NAN, 0.0)
OTHER = (0.0, 1000.0, 24.0, NAN, NAN, NAN)
MODES = [FusionMode.CONCAT, FusionMode.GATED, FusionMode.BILINEAR, FusionMode.UNIFIED]


def network(mode: FusionMode = FusionMode.UNIFIED, kind: HeadKind = HeadKind.DECOUPLED) -> GemPpm:
    torch.manual_seed(1)
    head = HeadConfig(name="y", kind=kind, temperature="temperature" if kind is HeadKind.ARRHENIUS else "")
    config = GemPpmConfig(heads=(head,), width=16, layers=2, conditions=SCHEMA, fusion=mode, composition=True)
    return GemPpm(config).eval()


def batch(
    conditions: list[tuple[float, float]], steps: list[tuple[tuple[float, ...], ...]] | None = None
) -> GraphBatch:
    graph = build_graph(Composition.from_formula("Ni3Al"))
    return collate([graph] * len(conditions), Labels.of_conditions(np.array(conditions), steps=steps))


@torch.no_grad()
def outputs(model: GemPpm, *args: object) -> np.ndarray:
    return model(batch(*args))[:, 0].double().numpy()  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", MODES)
def test_every_kind_of_condition_shows_in_every_mode(mode: FusionMode) -> None:
    model = network(mode)
    rows = [(1.0, 0.0), (2.0, 0.0), (1.0, 1.0), (NAN, 0.0), (1.0, NAN), (0.0, 0.0)]
    found = outputs(model, [*rows, rows[0]], [()] * len(rows) + [(STEP,)])
    assert len(np.unique(found.round(7))) == len(found), "two different conditions look alike"


def test_without_fusion_conditions_do_not_show() -> None:
    found = outputs(network(FusionMode.NONE), [(1.0, 0.0), (NAN, 1.0)], [(), (STEP,)])
    assert abs(found[0] - found[1]) < 1e-6


def test_steps_count_in_their_order_and_do_not_leak_between_materials() -> None:
    model = network()
    alone = [outputs(model, [(1.0, 0.0)], [steps])[0] for steps in ((), (STEP,), (STEP, OTHER), (OTHER, STEP))]
    together = outputs(model, [(1.0, 0.0)] * 4, [(), (STEP,), (STEP, OTHER), (OTHER, STEP)])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert len(np.unique(together.round(7))) == 4


def test_the_unit_of_a_condition_does_not_show_after_measuring() -> None:
    rng = np.random.default_rng(0)
    values = np.column_stack([rng.uniform(0, 1000, 30), rng.integers(0, 2, 30)])
    found = []
    for factor in (1.0, 1e3):
        scaled = values * [factor, 1.0]
        model = network()
        graphs = [build_graph(Composition.from_formula("Ni3Al"))] * 30
        model.measure(pack(graphs, labels=Labels.of_conditions(scaled)), np.arange(30))
        found.append(outputs(model, [tuple(row) for row in scaled]))
    np.testing.assert_allclose(*found, rtol=1e-4)


def test_measuring_a_constant_or_unknown_condition_is_harmless() -> None:
    model = network()
    graphs = [build_graph(Composition.from_formula(text)) for text in ("Ni3Al", "Fe", "Cu2O")]
    model.measure(pack(graphs, labels=Labels.of_conditions(np.array([[5.0, NAN]] * 3))), np.arange(3))
    assert np.isfinite(outputs(model, [(5.0, 0.0), (NAN, NAN), (7.0, 1.0)])).all()


@pytest.mark.parametrize("mode", [FusionMode.NONE, *MODES])
def test_an_arrhenius_head_obeys_its_law(mode: FusionMode) -> None:
    """log10 σ is a straight line in 1/T that falls with it, and the slope is the activation energy it states."""
    model = network(mode, HeadKind.ARRHENIUS)
    celsius = np.array([-50.0, 27.0, 200.0, 800.0, NAN])
    with torch.no_grad():
        raw = model(batch([(float(t), 0.0) for t in celsius])).double().numpy()
    assert np.isnan(raw[-1, 0])
    inverse = 1.0 / (celsius[:-1] + 273.15)
    slope, _ = np.polyfit(inverse, raw[:-1, 0], 1)
    np.testing.assert_allclose(np.diff(raw[:-1, 0]) / np.diff(inverse), slope, rtol=1e-4)
    energy = -slope * BOLTZMANN * np.log(10)  # eV for a target of scale 1
    assert energy > 0
    np.testing.assert_allclose(raw[0, 2] * 1000 * BOLTZMANN * np.log(10), energy, rtol=1e-4)


def test_a_missing_temperature_costs_nothing_and_breaks_no_gradient() -> None:
    model = network(FusionMode.NONE, HeadKind.ARRHENIUS).train()
    some = batch([(100.0, 0.0), (NAN, 0.0)])
    some = replace(some, targets=torch.ones(2, 1), mask=torch.ones(2, 1, dtype=torch.bool),
                   censored=torch.zeros(2, 1, dtype=torch.int8))  # fmt: skip
    loss, _ = model.loss(some)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_an_impossible_configuration_is_refused() -> None:
    head = HeadConfig(name="y")
    with pytest.raises(InputError, match="sum pooling"):
        GemPpmConfig(heads=(head,), conditions=SCHEMA, pooling=Pooling.SUM)
    with pytest.raises(InputError, match="no condition 'pressure'"):
        GemPpmConfig(heads=(HeadConfig(name="y", kind=HeadKind.ARRHENIUS, temperature="pressure"),), conditions=SCHEMA)
    with pytest.raises(InputError, match="names its temperature"):
        HeadConfig(name="y", kind=HeadKind.ARRHENIUS)


def test_a_configuration_with_conditions_survives_its_json() -> None:
    config = network().config
    again = GemPpmConfig.from_dict(config.as_dict())
    assert again == config
