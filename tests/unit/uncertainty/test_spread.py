"""The spread of predictions whose noise is known: it finds what tells noise apart, and stays within bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from matwright.materials.properties import PropertySpec
from matwright.models.interface import Prediction, bare_prediction
from matwright.uncertainty.conformal import Calibration
from matwright.uncertainty.spread import USUAL, SpreadModel

ENERGY = PropertySpec(name="energy", unit="eV/atom")


def hidden_noise(n: int, seed: int, source: str) -> tuple[np.ndarray, Prediction, np.ndarray]:
    """Truths with a noise that only one feature of the prediction tells: spread, disagreement, mean or distance."""
    rng = np.random.default_rng(seed)
    noise = np.exp(rng.normal(scale=0.8, size=n))
    flat = np.ones(n)
    mean = np.log(noise) if source == "mean" else rng.normal(size=n)
    prediction = bare_prediction(ENERGY, mean, 0.3 * noise if source == "aleatoric" else flat)
    prediction = replace(prediction, epistemic=0.3 * noise if source == "epistemic" else 0.1 * flat)
    return mean + noise * rng.normal(size=n), prediction, noise if source == "distance" else rng.uniform(1, 2, size=n)


@pytest.mark.parametrize("source", ["aleatoric", "epistemic", "mean", "distance"])
def test_the_spread_finds_the_noise(source: str) -> None:
    truth, prediction, distance = hidden_noise(1500, 0, source)
    test_truth, test, test_distance = hidden_noise(5000, 1, source)
    calibration = Calibration.fit(truth, prediction, distance)
    found = calibration.interval(test, 0.9, test_distance)
    noise = {"mean": np.exp(test.mean), "distance": test_distance}.get(source)
    noise = (test.aleatoric if source == "aleatoric" else test.epistemic) / 0.3 if noise is None else noise
    ratio = found.std / noise
    assert np.quantile(ratio, 0.05) > 0.7
    assert np.quantile(ratio, 0.95) < 1.4
    inside = (test_truth >= found.lower) & (test_truth <= found.upper)
    for part in (noise < np.quantile(noise, 0.2), noise > np.quantile(noise, 0.8)):
        assert 0.86 < inside[part].mean() < 0.96  # one width for all would give 1.00 and 0.67
    np.testing.assert_allclose(found.std**2, found.aleatoric**2 + found.epistemic**2)


def test_more_doubt_never_narrows() -> None:
    """Where noise falls with distance or with the model's own spread, that is chance and not used."""
    rng = np.random.default_rng(0)
    distance, spread = rng.uniform(1, 3, size=600), rng.uniform(0.5, 2, size=600)
    error = np.abs(rng.normal(size=600)) / (distance * spread)
    prediction = bare_prediction(ENERGY, np.zeros(600), spread)
    model, _ = SpreadModel.fit(error, prediction, distance, np.arange(600))
    assert (model.weights[[1, 2, 5]] >= 0).all()
    assert np.ptp(model.spread(prediction, distance)) < 1e-6


def test_few_groups_leave_the_usual_weights_nearly_alone() -> None:
    """Twenty alloys of ten records each whose errors are those of the alloy: 200 records, but hardly any evidence."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 10)
    error = np.exp(rng.normal(size=20))[groups]
    prediction = bare_prediction(ENERGY, rng.normal(size=20)[groups], np.exp(rng.normal(size=20))[groups])
    model, _ = SpreadModel.fit(error, prediction, np.exp(rng.normal(size=20))[groups], groups)
    alone, _ = SpreadModel.fit(error, prediction, np.exp(rng.normal(size=20))[groups], np.arange(200))
    varied = [0, 2, 3, 4]
    assert np.abs(model.weights[1:] - USUAL)[varied].max() < 0.2
    assert np.abs(alone.weights[1:] - USUAL)[varied].max() > 0.2
    assert abs(model.weights[2]) < 1e-9, "the members never disagreed: nothing is known of what that would mean"


def test_a_component_that_is_nearly_always_zero_gets_no_endless_spread() -> None:
    """As elastic constants that symmetry forbids in most crystals: rounding errors, and now and then a large one."""
    rng = np.random.default_rng(0)
    allowed = rng.uniform(size=600) < 0.05
    stated = np.where(allowed, 3.0, 1e-7) * np.exp(rng.normal(scale=2.0, size=600))
    error = np.where(allowed, 5.0, 1e-7) * np.abs(rng.normal(size=600))
    prediction = bare_prediction(ENERGY, np.zeros(600), stated)
    model, _ = SpreadModel.fit(error, prediction, None, np.arange(600))
    asked = bare_prediction(ENERGY, np.zeros(3), np.array([1e-12, 30.0, 1e4]))
    found = model.spread(asked, None)
    assert found[0] == pytest.approx(model.least, rel=0.01)
    assert found[1] <= max(30.0, 300 * model.least)
    assert found[2] <= 1e4, "the model itself states more than any error that was seen"


def test_far_outside_the_spread_stays_finite() -> None:
    truth, prediction, distance = hidden_noise(400, 0, "aleatoric")
    model, _ = SpreadModel.fit(np.abs(truth - prediction.mean), prediction, distance, np.arange(400))
    wild = bare_prediction(ENERGY, np.array([1e6, -1e6, 0.0]), np.array([1e9, 0.0, 1.0]))
    found = model.spread(wild, np.array([1e9, 0.0, 1.0]))
    assert np.isfinite(found).all()
    assert (found > 0).all()


@pytest.mark.parametrize("n", [1, 3, 12])
def test_few_records_and_perfect_ones(n: int) -> None:
    zero = bare_prediction(ENERGY, np.zeros(n))
    for error in (np.zeros(n), np.full(n, 0.2)):
        model, own = SpreadModel.fit(error, zero, None, np.arange(n))
        np.testing.assert_allclose(model.spread(zero, None), own)
        assert np.isfinite(own).all()
    assert own[0] == pytest.approx(0.2, rel=0.6)
