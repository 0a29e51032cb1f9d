"""Conformal intervals, ensembles and domain scores on data whose truth is known."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matwright.errors import InputError
from matwright.materials.properties import PropertySpec
from matwright.models.interface import BatchPrediction, Prediction, bare_prediction, join_predictions
from matwright.uncertainty import conformal
from matwright.uncertainty.conformal import Calibration, ConformalModel
from matwright.uncertainty.ensemble import EnsembleModel

ENERGY = PropertySpec(name="energy", unit="eV/atom")
GAP = PropertySpec(name="gap", unit="eV", lower=0.0)


def noisy(n: int, seed: int) -> tuple[np.ndarray, Prediction]:
    """Truths whose noise grows with x, and a prediction that knows the noise up to a wrong factor."""
    rng = np.random.default_rng(seed)
    noise = rng.uniform(0.05, 2.0, size=n)
    mean = rng.normal(size=n)
    return mean + noise * rng.standard_t(4, size=n), bare_prediction(ENERGY, mean, 0.4 * noise)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
@pytest.mark.parametrize("known_noise", [True, False])
def test_coverage_is_the_level(level: float, known_noise: bool) -> None:
    truth, prediction = noisy(4000, 0)
    test_truth, test = noisy(20000, 1)
    if not known_noise:
        prediction, test = (bare_prediction(ENERGY, p.mean) for p in (prediction, test))
    result = Calibration.fit(truth, prediction).interval(test, level)
    covered = np.mean((test_truth >= result.lower) & (test_truth <= result.upper))
    assert covered == pytest.approx(level, abs=0.025)  # 3 σ of 4,000 calibration points at 0.5
    assert result.level == level


def test_known_noise_gives_narrower_intervals_that_hold_everywhere() -> None:
    truth, prediction = noisy(4000, 0)
    test_truth, test = noisy(20000, 1)
    scaled = Calibration.fit(truth, prediction).interval(test)
    plain = Calibration.fit(truth, bare_prediction(ENERGY, prediction.mean)).interval(test)
    noisiest = test.aleatoric > np.quantile(test.aleatoric, 0.8)

    def covered(p: Prediction) -> float:
        return float(np.mean(((test_truth >= p.lower) & (test_truth <= p.upper))[noisiest]))

    assert covered(scaled) > 0.87 > covered(plain)
    assert (scaled.upper - scaled.lower).mean() < (plain.upper - plain.lower).mean()


@given(st.integers(1, 60), st.integers(1, 99).map(lambda percent: percent / 100), st.integers(0, 2**32))
def test_quantile_is_the_finite_sample_one(n: int, level: float, seed: int) -> None:
    truth = np.random.default_rng(seed).normal(size=n)
    prediction = bare_prediction(ENERGY, np.zeros(n))
    calibration = Calibration.fit(truth, prediction)
    found = calibration.interval(prediction, level)
    needed = math.ceil((n + 1) * level - 1e-9)
    assert (np.abs(truth) <= found.upper * (1 + 1e-9)).sum() >= min(needed, n)
    assert math.isinf(calibration.quantile(level)) == (needed > n)


def test_missing_bounds_and_wrong_input() -> None:
    truth = np.array([0.1, np.nan, 0.4, 0.2])
    calibration = Calibration.fit(truth, bare_prediction(GAP, np.zeros(4)))
    assert len(calibration.scores) == 3
    cut = calibration.interval(bare_prediction(GAP, np.array([0.05, 3.0])), 0.5)
    assert cut.lower[0] == 0.0
    assert cut.upper[1] == pytest.approx(3.2)
    with pytest.raises(InputError, match="no known value"):
        Calibration.fit(np.full(4, np.nan), bare_prediction(GAP, np.zeros(4)))
    with pytest.raises(InputError, match="between 0 and 1"):
        calibration.quantile(1.0)


def test_dependent_records_promise_less() -> None:
    """Nine alloys of fifty records each: their errors are those of the alloy, so that only nine count."""
    rng = np.random.default_rng(0)
    covered = {"records": [], "groups": []}
    for _ in range(80):
        groups = np.repeat(np.arange(9), 50)
        offsets = rng.normal(size=9)
        truth = offsets[groups] + 0.05 * rng.normal(size=450)
        flat = bare_prediction(ENERGY, np.zeros(450))
        new = rng.normal(size=500)
        for name, given_groups in (("records", None), ("groups", groups)):
            calibration = Calibration.fit(truth, flat, None, given_groups)
            found = calibration.interval(bare_prediction(ENERGY, np.zeros(500)), 0.75)
            covered[name].append(np.mean(np.abs(new) <= found.upper))
    assert np.mean(covered["groups"]) > 0.75 > np.mean(covered["records"])


def test_thinned_scores_keep_the_quantiles(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = np.random.default_rng(0).normal(size=5000)
    whole = Calibration.fit(truth, bare_prediction(ENERGY, np.zeros(5000)))
    monkeypatch.setattr(conformal, "MAX_SCORES", 500)
    thin = Calibration.fit(truth, bare_prediction(ENERGY, np.zeros(5000)))
    assert len(thin.scores) == 500
    for level in (0.5, 0.9, 0.95):
        assert whole.quantile(level) <= thin.quantile(level) < whole.quantile(level) + 0.02


@dataclass(frozen=True)
class Constant:
    """A real property model without a network: the same values for every batch."""

    mean: np.ndarray
    aleatoric: np.ndarray
    specs: tuple[PropertySpec, ...] = (ENERGY,)

    def predict(self, _batch: object) -> BatchPrediction:
        embedding = self.mean[:, None].astype(np.float32) * np.ones(3, np.float32)
        return BatchPrediction(
            properties={"energy": bare_prediction(ENERGY, self.mean, self.aleatoric)}, embedding=embedding
        )


def test_ensemble_of_one_is_that_one_and_of_two_splits_the_spread() -> None:
    one = Constant(np.array([1.0, 2.0]), np.array([0.3, 0.0]))
    two = Constant(np.array([2.0, 2.0]), np.array([0.4, 0.1]))
    alone = EnsembleModel([one]).predict(None).properties["energy"]
    np.testing.assert_array_equal(alone.mean, one.mean)
    np.testing.assert_array_equal(alone.epistemic, 0)
    both = EnsembleModel([one, two]).predict(None).properties["energy"]
    np.testing.assert_allclose(both.mean, [1.5, 2.0])
    np.testing.assert_allclose(both.epistemic, [math.sqrt(0.5), 0.0])
    np.testing.assert_allclose(both.aleatoric, [math.sqrt((0.09 + 0.16) / 2), math.sqrt(0.005)])
    np.testing.assert_allclose(both.std**2, both.epistemic**2 + both.aleatoric**2)
    with pytest.raises(InputError, match="at least one"):
        EnsembleModel([])
    with pytest.raises(InputError, match="same properties"):
        EnsembleModel([one, replace(two, specs=(GAP,))])


def test_wrappers_nest_and_parts_join() -> None:
    member = Constant(np.linspace(0, 1, 10), np.full(10, 0.1))
    truth = member.mean + 0.05
    calibration = Calibration.fit(truth, member.predict(None).properties["energy"])
    model = ConformalModel(EnsembleModel([member]), {"energy": calibration}, level=0.5)
    assert model.specs == (ENERGY,)
    part = model.predict(None)
    joined = join_predictions([part, part])
    assert joined.embedding.shape == (20, 3)
    energy = joined.properties["energy"]
    assert energy.level == 0.5
    np.testing.assert_allclose(energy.upper - energy.mean, 0.05)
    with pytest.raises(InputError, match="between 0 and 1"):
        ConformalModel(member, {"energy": calibration}, level=2.0)
