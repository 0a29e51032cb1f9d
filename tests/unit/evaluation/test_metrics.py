"""Metrics against closed forms and, where it is installed, scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matwright.errors import InputError
from matwright.evaluation import distributions, metrics


@pytest.fixture
def pairs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=400)
    std = rng.uniform(0.2, 1.0, size=400)
    return truth, truth + std * rng.normal(size=400), std


def test_small_case_by_hand() -> None:
    truth, mean = np.array([1.0, 2.0, 4.0, 0.0]), np.array([2.0, 2.0, 2.0, 1.0])
    assert metrics.mean_absolute_error(truth, mean) == 1.0
    assert metrics.root_mean_square_error(truth, mean) == pytest.approx(math.sqrt(1.5))
    assert metrics.largest_error(truth, mean) == 2.0
    assert metrics.mean_absolute_percentage_error(truth, mean) == pytest.approx((1 + 0 + 0.5) / 3)
    assert metrics.determination(truth, mean) == pytest.approx(1 - 6 / 8.75)
    assert distributions.coverage(truth, mean - 1, mean + 1) == 0.75
    assert distributions.mean_width(mean - 1, mean + 1) == 2.0
    assert math.isnan(metrics.determination(np.ones(3), np.zeros(3)))


def test_against_scikit_learn(pairs: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    reference = pytest.importorskip("sklearn.metrics")
    truth, mean, _ = pairs
    assert metrics.determination(truth, mean) == pytest.approx(reference.r2_score(truth, mean))
    assert metrics.mean_absolute_percentage_error(truth, mean) == pytest.approx(
        reference.mean_absolute_percentage_error(truth, mean)
    )
    labels = (truth > 0.3).astype(np.int64)
    shares = 1 / (1 + np.exp(-np.round(mean, 1)))  # rounded, so that ties occur
    both = np.stack([1 - shares, shares], axis=1)
    assert metrics.area_under_roc(labels, shares) == pytest.approx(reference.roc_auc_score(labels, shares))
    assert metrics.class_nll(labels, both) == pytest.approx(reference.log_loss(labels, both))
    assert metrics.balanced_accuracy(labels, both) == pytest.approx(
        reference.balanced_accuracy_score(labels, both.argmax(1))
    )


def test_gaussian_scores_against_integration(pairs: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    from scipy.stats import norm, spearmanr

    truth, mean, std = pairs
    assert distributions.gaussian_nll(truth, mean, std) == pytest.approx(-norm.logpdf(truth, mean, std).mean())
    grid = np.linspace(-8, 8, 20001)
    step = norm.cdf(grid, mean[0], std[0]) - (grid >= truth[0])
    assert distributions.gaussian_crps(truth[:1], mean[:1], std[:1]) == pytest.approx(
        np.trapezoid(step**2, grid), abs=4e-4
    )
    assert distributions.gaussian_crps(truth, mean, 0 * std) == pytest.approx(metrics.mean_absolute_error(truth, mean))
    assert distributions.gaussian_nll(truth, mean, 0 * std) == math.inf
    error = np.abs(mean - truth)
    assert metrics.rank_correlation(error, std) == pytest.approx(spearmanr(error, std).statistic)
    assert math.isnan(metrics.rank_correlation(error, np.ones_like(error)))


def test_honest_spreads_are_calibrated_and_wrong_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    std = rng.uniform(0.2, 3.0, size=20_000)
    truth, mean = std * rng.normal(size=std.size), np.zeros(std.size)
    assert distributions.miscalibration_area(truth, mean, std) < 0.01
    assert distributions.expected_normalised_calibration_error(truth, mean, std) < 0.05
    assert distributions.sharpness(std) == pytest.approx(np.sqrt((std**2).mean()))
    # σ a thousand times too large: everything lies within every interval; too small: nothing
    assert distributions.miscalibration_area(truth, mean, 1e3 * std) == pytest.approx(0.5, abs=0.02)
    assert distributions.miscalibration_area(truth, mean, 1e-3 * std) == pytest.approx(0.5, abs=0.02)
    assert distributions.expected_normalised_calibration_error(truth, mean, 2 * std) == pytest.approx(0.5, abs=0.05)
    shares, observed = distributions.reliability(truth, mean, std)
    assert (shares[0], shares[-1]) == (0, 1)
    assert (np.diff(observed) >= 0).all()
    constant = np.full(std.size, float(np.sqrt((truth**2).mean())))
    assert distributions.expected_normalised_calibration_error(truth, mean, constant) < 0.1
    spread, error = distributions.spread_bins(truth[:25], mean[:25], std[:25])
    assert spread.shape == error.shape == (2,)


def test_f1_against_scikit_learn() -> None:
    reference = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, size=200)
    shares = rng.dirichlet(np.ones(3), size=200)
    assert metrics.f1(truth, shares) == pytest.approx(reference.f1_score(truth, shares.argmax(1), average="macro"))
    two = shares[:, :2] / shares[:, :2].sum(1, keepdims=True)
    labels = (truth > 0).astype(np.int64)
    assert metrics.f1(labels, two) == pytest.approx(reference.f1_score(labels, two.argmax(1)))


@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.3, 0.9]))
def test_missing_truths_change_nothing(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    truth, mean, std = rng.normal(size=30), rng.normal(size=30), rng.uniform(0.1, 1, size=30)
    gone = rng.random(30) < share
    gone[0] = False
    report = metrics.report_regression(np.where(gone, np.nan, truth), mean, std, {0.9: (mean - std, mean + std)}, "eV")
    kept = ~gone
    whole = metrics.report_regression(
        truth[kept], mean[kept], std[kept], {0.9: ((mean - std)[kept], (mean + std)[kept])}, "eV"
    )
    assert repr(report) == repr(whole)  # repr, because NaN of a constant truth differs from itself


def test_reports() -> None:
    truth, mean = np.array([0.0, 1.0]), np.array([0.0, 1.5])
    plain = metrics.report_regression(truth, mean, np.zeros(2), {}, "GPa")
    assert (plain.nll, plain.spearman, plain.n, plain.unit) == (None, None, 2, "GPa")
    shares = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    classes = metrics.report_classes(np.array([0.0, 1.0, np.nan]), shares)
    assert (classes.n, classes.accuracy, classes.auc) == (2, 1.0, 1.0)
    with pytest.raises(InputError, match="no record"):
        metrics.report_regression(np.array([np.nan]), np.zeros(1), np.zeros(1), {}, "eV")
    with pytest.raises(InputError, match="no record"):
        metrics.report_classes(np.array([np.nan]), shares[:1])
    with pytest.raises(InputError, match="one length"):
        metrics.known(truth, np.zeros(3))
