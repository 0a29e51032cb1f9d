"""Metrics as pure functions of arrays: how far off a prediction is, and how honest its uncertainty.

Every function takes (n,) float arrays without missing values in the unit of the property and returns a float;
`known` drops the missing ones first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.evaluation.distributions import (
    coverage,
    expected_normalised_calibration_error,
    gaussian_crps,
    gaussian_nll,
    mean_width,
    miscalibration_area,
    sharpness,
)

Floats = NDArray[np.float64]
MAPE_FLOOR = 1e-5  # truths below this in size are left out of the MAPE, as in the Matbench protocol


def known(truth: Floats, *others: Floats) -> tuple[Floats, ...]:
    """Return all arrays at the places where `truth` is not NaN.

    Raises:
        InputError: the arrays differ in length.
    """
    if any(len(other) != len(truth) for other in others):
        raise InputError(f"metrics need arrays of one length, found {[len(truth), *map(len, others)]}")
    present = ~np.isnan(truth)
    return tuple(np.asarray(array, dtype=np.float64)[present] for array in (truth, *others))


def mean_absolute_error(truth: Floats, mean: Floats) -> float:
    """Return mean |ŷ − y|, in the unit of the property."""
    return float(np.abs(mean - truth).mean())


def root_mean_square_error(truth: Floats, mean: Floats) -> float:
    """Return √(mean (ŷ − y)²), in the unit of the property."""
    return float(np.sqrt(((mean - truth) ** 2).mean()))


def largest_error(truth: Floats, mean: Floats) -> float:
    """Return max |ŷ − y|, in the unit of the property."""
    return float(np.abs(mean - truth).max())


def determination(truth: Floats, mean: Floats) -> float:
    """Return R² = 1 − Σ(ŷ − y)² / Σ(y − ȳ)²; NaN where all truths are equal."""
    spread = float(((truth - truth.mean()) ** 2).sum())
    return 1 - float(((mean - truth) ** 2).sum()) / spread if spread > 0 else math.nan


def mean_absolute_percentage_error(truth: Floats, mean: Floats) -> float:
    """Return mean |ŷ − y| / |y| over the truths with |y| ≥ 1e-5, as a share (1 is 100 %); NaN where there is none."""
    large = np.abs(truth) >= MAPE_FLOOR
    return float((np.abs(mean - truth)[large] / np.abs(truth[large])).mean()) if large.any() else math.nan


def rank_correlation(a: Floats, b: Floats) -> float:
    """Return Spearman's ρ, ties at their mean rank; NaN where one side is constant."""
    # heavy: behind its door
    from scipy.stats import rankdata

    ranks_a, ranks_b = rankdata(a), rankdata(b)
    if ranks_a.std() == 0 or ranks_b.std() == 0:
        return math.nan
    return float(np.corrcoef(ranks_a, ranks_b)[0, 1])


def accuracy(truth: NDArray[np.int64], probabilities: Floats) -> float:
    """Return the share of records whose most probable class, from (n, n_classes), is the true one."""
    return float((probabilities.argmax(1) == truth).mean())


def balanced_accuracy(truth: NDArray[np.int64], probabilities: Floats) -> float:
    """Return the mean over the classes that occur of the share predicted right."""
    right = probabilities.argmax(1) == truth
    return float(np.mean([right[truth == label].mean() for label in np.unique(truth)]))


def f1(truth: NDArray[np.int64], probabilities: Floats) -> float:
    """Return F1 = 2 TP / (2 TP + FP + FN) of the second of two classes; of more classes the mean over those that occur.

    A class is predicted where it is the most probable one.
    """
    guess = probabilities.argmax(1)
    labels = [1] if probabilities.shape[1] == 2 else np.union1d(truth, guess).tolist()
    hits = [2 * int(((guess == label) & (truth == label)).sum()) for label in labels]
    named = [int((guess == label).sum() + (truth == label).sum()) for label in labels]
    return float(np.mean([hit / max(1, count) for hit, count in zip(hits, named, strict=True)]))


def class_nll(truth: NDArray[np.int64], probabilities: Floats) -> float:
    """Return the mean −log p of the true class, in nats."""
    chosen = probabilities[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(chosen, np.finfo(np.float64).tiny)).mean())


def area_under_roc(truth: NDArray[np.int64], probability: Floats) -> float:
    """Return the probability that a record of class 1 gets a higher `probability`, (n,), than one of class 0.

    Ties count half; NaN where only one class occurs.
    """
    # heavy: behind its door
    from scipy.stats import rankdata

    positive = truth == 1
    n_pos, n_neg = int(positive.sum()), int((~positive).sum())
    if n_pos == 0 or n_neg == 0:
        return math.nan
    rank_sum = float(rankdata(probability)[positive].sum())
    return (rank_sum - n_pos * (n_pos + 1) / 2) / (n_pos * n_neg)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionReport:
    """How good the predictions of one number are on one part of the data.

    Attributes:
        n: records with a known truth.
        mae, rmse, largest, crps: in `unit`.
        r2, mape: without unit.
        nll: nats, None without a standard deviation.
        spearman: rank correlation of |error| and standard deviation, None without one.
        miscalibration_area, ence: of the standard deviations, without unit; None without them.
        sharpness: root mean variance in `unit`, None without standard deviations.
        coverage, width: by nominal level: share inside the interval, mean width in `unit`.
        unit: of the property.
    """

    n: int
    mae: float
    rmse: float
    largest: float
    r2: float
    mape: float
    crps: float
    nll: float | None
    spearman: float | None
    miscalibration_area: float | None
    sharpness: float | None
    ence: float | None
    coverage: Mapping[float, float]
    width: Mapping[float, float]
    unit: str


def report_regression(
    truth: Floats, mean: Floats, std: Floats, intervals: Mapping[float, tuple[Floats, Floats]], unit: str
) -> RegressionReport:
    """Judge predictions of one number; records without a truth (NaN) are left out.

    Args:
        truth, mean, std: (n,), in `unit`.
        intervals: lower and upper bounds, (n,) each, by nominal level.
        unit: of the property.

    Raises:
        InputError: no truth is known.
    """
    y, m, s = known(truth, mean, std)
    if len(y) == 0:
        raise InputError("there is nothing to judge: no record of this part has a known value")
    bounds = {level: known(truth, lower, upper)[1:] for level, (lower, upper) in intervals.items()}
    spread = bool((s > 0).all())
    return RegressionReport(
        n=len(y),
        mae=mean_absolute_error(y, m),
        rmse=root_mean_square_error(y, m),
        largest=largest_error(y, m),
        r2=determination(y, m),
        mape=mean_absolute_percentage_error(y, m),
        crps=gaussian_crps(y, m, s),
        nll=gaussian_nll(y, m, s) if spread else None,
        spearman=rank_correlation(np.abs(m - y), s) if spread else None,
        miscalibration_area=miscalibration_area(y, m, s) if spread else None,
        sharpness=sharpness(s) if spread else None,
        ence=expected_normalised_calibration_error(y, m, s) if spread else None,
        coverage={level: coverage(y, lower, upper) for level, (lower, upper) in bounds.items()},
        width={level: mean_width(lower, upper) for level, (lower, upper) in bounds.items()},
        unit=unit,
    )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ClassReport:
    """How good the predicted classes are on one part of the data.

    Attributes:
        n: records with a known class.
        accuracy, balanced_accuracy: shares.
        f1: of the second of two classes, else the mean over classes (see `f1`).
        nll: nats.
        auc: area under the ROC curve of the second of two classes, None for more than two.
    """

    n: int
    accuracy: float
    balanced_accuracy: float
    f1: float
    nll: float
    auc: float | None


def report_classes(truth: Floats, probabilities: Floats) -> ClassReport:
    """Judge class probabilities (n, n_classes) against class indices (n,), NaN where unknown.

    Raises:
        InputError: no class is known.
    """
    present = ~np.isnan(truth)
    if not present.any():
        raise InputError("there is nothing to judge: no record of this part has a known class")
    labels, shares = truth[present].astype(np.int64), probabilities[present]
    return ClassReport(
        n=len(labels),
        accuracy=accuracy(labels, shares),
        balanced_accuracy=balanced_accuracy(labels, shares),
        f1=f1(labels, shares),
        nll=class_nll(labels, shares),
        auc=area_under_roc(labels, shares[:, 1]) if shares.shape[1] == 2 else None,
    )
