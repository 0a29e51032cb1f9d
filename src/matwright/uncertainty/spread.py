"""How large an error to expect: held-out errors regressed on what a prediction says about itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.evaluation.distributions import gaussian_crps
from matwright.models.interface import Prediction

Floats = NDArray[np.float64]
FEATURES = ("log aleatoric", "log epistemic", "mean", "|mean - middle|", "log distance")
RISING = np.array([True, True, False, False, True])  # more noise, disagreement or distance never narrows an interval
LEAST_SHARE, MOST_SHARE = 0.1, 30.0  # of the mean error, under and over every spread
FLOOR_SHARE = 0.05  # of the median error: where members agree by chance, and where the distance is 0
SMALLEST = 1e-100  # in place of a 0 whose logarithm is taken
LEAST_SIZE = 0.01  # of the mean error: where most errors are 0 by symmetry, their median is no measure of the others
TINY = 1e-3  # of the median error: where every error is 0
LIMIT = 5.0  # of a weight, and of the constant in units of the median error: keeps exponentials finite
USUAL = np.array([0.3, 0.1, 0.0, 0.0, 0.2])  # weights as they are found where thousands of held-out errors are known
RIDGE = 30.0  # groups' worth of trust in the usual weights
REACH = 5.0  # standard deviations beyond which a feature is cut
FOLDS = 5


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpreadModel:
    """σ² = exp(2 w₀ + 2 Σ w_j z_j) + least² over standardised features z of a prediction, fitted to held-out errors.

    It is at least `least`, 0.1 mean errors, since nothing is surer; and at most 300 times that or what the model itself
    states, if that is more: no error is known to be larger.

    The features are the logarithms of the aleatoric and the epistemic standard deviation, the mean, its distance from
    the middle, and the logarithm of the distance to the training data. The weights are those with the highest
    likelihood of the errors under Laplace's distribution, a convex problem that a few large errors do not rule, drawn
    towards the usual ones as strongly as by 30 groups of records: twenty alloys say little about them, however many
    temperatures each was measured at. The scale of σ is the one with the least continuous ranked probability score.

    Attributes:
        weights: (1 + n_features,) float64, w₀ first.
        centre, scale: (n_features,) float64, of the features.
        least: in the unit of the property.
        middle: median of the held-out means, in the unit of the property.
        floor: under standard deviations, in the unit of the property.
        near: under distances, no unit.
    """

    weights: Floats
    centre: Floats
    scale: Floats
    least: float
    middle: float
    floor: float
    near: float

    @classmethod
    def fit(
        cls, error: Floats, prediction: Prediction, distance: Floats | None, groups: NDArray[np.int64]
    ) -> tuple[SpreadModel, Floats]:
        """Return the model, and (n,) spreads of the same records that errors of their own group did not touch.

        Args:
            error: (n,) |y − ŷ| of held-out records, in the unit of the property; n is at least 1.
            prediction: of the same records.
            distance: (n,) to the training data, None where it is not measured.
            groups: (n,) which group of dependent records each belongs to, counted from 0.
        """
        size = max(float(np.median(error)), LEAST_SIZE * float(error.mean())) or SMALLEST
        near = 1.0 if distance is None else FLOOR_SHARE * float(np.median(distance)) or SMALLEST
        bare = cls(
            weights=np.zeros(1 + len(FEATURES)),
            centre=np.zeros(len(FEATURES)),
            scale=np.ones(len(FEATURES)),
            least=0.0,
            middle=float(np.median(prediction.mean)),
            floor=FLOOR_SHARE * size,
            near=near,
        )
        features = _features(prediction, distance, bare)
        deviation = features.std(0)
        varied = deviation > 1e-9
        shaped = replace(bare, centre=features.mean(0), scale=np.where(varied, deviation, 1.0))
        standard = _standardised(features, shaped)
        relative = error / size
        slopes, others = _slopes(standard, relative, groups), _cross_fitted(standard, relative, groups)
        others += np.median(standard @ slopes - others)
        start = _best_factor(error, np.exp(others))
        least = LEAST_SHARE * max(float(error.mean()), SMALLEST)
        spreads = _bounded(start * np.exp(others), least, prediction.std)
        factor = _best_factor(error, spreads)
        weights = np.concatenate([[np.log(factor * start)], slopes])
        return replace(shaped, weights=weights, least=factor * least), factor * spreads

    def spread(self, prediction: Prediction, distance: Floats | None) -> Floats:
        """Return (n,) standard deviations to expect, in the unit of the property; NaN where the mean is."""
        standard = _standardised(_features(prediction, distance, self), self)
        return _bounded(np.exp(self.weights[0] + standard @ self.weights[1:]), self.least, prediction.std)


def _bounded(spread: Floats, least: float, stated: Floats) -> Floats:
    result: Floats = np.minimum(np.hypot(spread, least), np.maximum(least * MOST_SHARE / LEAST_SHARE, stated))
    return result


def _features(prediction: Prediction, distance: Floats | None, model: SpreadModel) -> Floats:
    """(n, n_features) as named by FEATURES, not yet standardised."""
    offset = prediction.mean - model.middle
    far = np.ones(len(offset)) if distance is None else np.asarray(distance, dtype=np.float64)
    columns = [
        0.5 * np.log(prediction.aleatoric**2 + model.floor**2),
        0.5 * np.log(prediction.epistemic**2 + model.floor**2),
        offset,
        np.abs(offset),
        np.log(far + model.near),
    ]
    return np.stack(columns, axis=1)


def _standardised(features: Floats, model: SpreadModel) -> Floats:
    return np.clip((features - model.centre) / model.scale, -REACH, REACH)


def _slopes(standard: Floats, relative: Floats, groups: NDArray[np.int64]) -> Floats:
    """(n_features,) weights of the likeliest Laplace scales of these errors, those of RISING features at least 0."""
    from scipy.optimize import minimize  # heavy: behind its door

    design = np.concatenate([np.ones((len(standard), 1)), standard], axis=1)
    usual = np.r_[0.0, _usual(standard)]
    ridge = np.r_[0.0, np.full(standard.shape[1], RIDGE * len(groups) / len(np.unique(groups)))]

    def loss(weights: Floats) -> tuple[float, Floats]:
        logarithms = design @ weights
        ratios = (relative + TINY) * np.exp(-logarithms)
        value = (logarithms + ratios).sum() + 0.5 * (ridge * (weights - usual) ** 2).sum()
        return float(value), design.T @ (1 - ratios) + ridge * (weights - usual)

    bounds = [(-LIMIT, LIMIT), *((0.0 if rising else -LIMIT, LIMIT) for rising in RISING)]
    found: Floats = minimize(loss, usual, jac=True, bounds=bounds, method="L-BFGS-B").x[1:]
    return found


def _usual(standard: Floats) -> Floats:
    """(n_features,) usual weights, 0 for a feature that is the same everywhere."""
    weights: Floats = np.where(np.ptp(standard, axis=0) > 0, USUAL, 0.0)
    return weights


def _cross_fitted(standard: Floats, relative: Floats, groups: NDArray[np.int64]) -> Floats:
    """(n,) logarithms of spreads without their constant, each by weights of the other folds."""
    result: Floats = standard @ _usual(standard)
    if groups.max() + 1 < 2 * FOLDS:
        return result
    folds = groups % FOLDS
    for fold in range(FOLDS):
        own = folds == fold
        result[own] = standard[own] @ _slopes(standard[~own], relative[~own], groups[~own])
    return result


def _best_factor(error: Floats, spread: Floats) -> float:
    """The factor on the spreads with the least CRPS."""
    from scipy.optimize import minimize_scalar  # heavy: behind its door

    zero = np.zeros(len(error))
    start = max(float(error.mean()), SMALLEST) / float(spread.mean())

    def score(shift: float) -> float:
        return gaussian_crps(error / start, zero, spread * np.exp(shift))

    return start * float(np.exp(minimize_scalar(score, bounds=(-5.0, 5.0), method="bounded").x))
