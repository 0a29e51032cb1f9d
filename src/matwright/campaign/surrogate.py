"""The surrogate that a campaign trains anew after every round, on everything recorded: all fidelities at once.

The fidelity of a value is a condition, one more column of the features: what cheap evaluations say of many candidates
helps with what dear ones say of few. The usual difference between two fidelities is taken out first, since few dear
values among many cheap ones would hardly show it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.campaign.objective import Guess
from matwright.errors import InputError
from matwright.rng import generator

Array = NDArray[np.float64]
Predict = Callable[[Array], Guess]

_NEAR = 0.3
"""Distance of two neighbouring fidelities for a Gaussian process, in standard deviations of a feature."""
LEAST = 5
"""Values that a surrogate needs; with fewer a choice is random."""


@final
class SurrogateKind(Enum):
    """What learns: extremely randomised trees, or a Gaussian process."""

    TREES = "trees"
    GAUSSIAN_PROCESS = "gaussian-process"


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labels:
    """Values of one quantity.

    Attributes:
        features: (n, width), NaN where a feature is not known.
        fidelity: (n,) place of the evaluator on the ladder, 0 for the cheapest.
        values: (n,) in the unit of the quantity.
    """

    features: Array
    fidelity: Array
    values: Array


def learn(labels: Labels, kind: SurrogateKind, *, seed: int, trees: int = 100) -> Callable[[Array, float], Guess]:
    """What the surrogate expects of (features (m, width), fidelity).

    Args:
        labels: at least `LEAST`.
        kind: what learns.
        seed: of the trees.
        trees: how many.

    Raises:
        InputError: scikit-learn is not installed.
    """
    usual = _usual(labels.features)
    features = _filled(labels.features, usual)
    above = levels(features, labels.fidelity, labels.values)
    values = labels.values - np.array([above[level] for level in labels.fidelity.tolist()])
    predict = _LEARN[kind](np.column_stack([features, labels.fidelity]), values, seed, trees)

    def guess(features: Array, fidelity: float) -> Guess:
        found = predict(np.column_stack([_filled(features, usual), np.full(len(features), fidelity)]))
        level = above.get(fidelity, 0.0)
        samples = None if found.samples is None else found.samples + level
        return Guess(mean=found.mean + level, std=found.std, samples=samples)

    return guess


def error_in_folds(labels: Labels, kind: SurrogateKind, *, seed: int, folds: int = 5, trees: int = 50) -> float:
    """Mean absolute error on each fold of a surrogate that has not seen it, in the unit of the values.

    Equal rows of features, the same candidate at several fidelities, stay in one fold.
    """
    rows = {row: number for number, row in enumerate(dict.fromkeys(row.tobytes() for row in labels.features))}
    candidate = np.array([rows[row.tobytes()] for row in labels.features])
    fold = generator(seed, "folds").permutation(len(rows))[candidate] % min(folds, len(rows))
    errors = np.zeros(len(labels.values))
    for number in range(int(fold.max()) + 1):
        out = fold == number
        kept = Labels(features=labels.features[~out], fidelity=labels.fidelity[~out], values=labels.values[~out])
        ask = learn(kept, kind, seed=seed, trees=trees)
        for level in set(labels.fidelity[out].tolist()):
            here = out & (labels.fidelity == level)
            errors[here] = np.abs(ask(labels.features[here], level).mean - labels.values[here])
    return float(errors.mean())


def levels(features: Array, fidelity: Array, values: Array) -> dict[float, float]:
    """How far values of each fidelity usually lie above those of the highest one, in the unit of the values.

    From candidates that have both where there are three; else from a linear model of the features with one level for
    each fidelity.
    """
    top = float(fidelity.max())
    linear = _linear_levels(features, fidelity, values)
    found = {top: 0.0}
    for level in sorted(set(fidelity.tolist()) - {top}):
        pairs = _pairs(features, fidelity, values, level, top)
        found[level] = float(np.mean(pairs)) if len(pairs) >= 3 else linear[level] - linear[top]
    return found


def _pairs(features: Array, fidelity: Array, values: Array, low: float, high: float) -> list[float]:
    """Value at the low minus value at the high fidelity of every candidate that has both."""
    dear = {
        row.tobytes(): value for row, value in zip(features[fidelity == high], values[fidelity == high], strict=True)
    }
    cheap = zip(features[fidelity == low], values[fidelity == low], strict=True)
    return [float(value - dear[row.tobytes()]) for row, value in cheap if row.tobytes() in dear]


def _linear_levels(features: Array, fidelity: Array, values: Array) -> dict[float, float]:
    """Ridge regression (penalty 1 on standardised features, none on the levels)."""
    known = sorted(set(fidelity.tolist()))
    width = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(width > 0, width, 1.0)
    table = np.column_stack([scaled, *(fidelity == level for level in known)])
    penalty = np.diag([1.0] * scaled.shape[1] + [1e-9] * len(known))
    weights = np.linalg.solve(table.T @ table + penalty, table.T @ values)
    return dict(zip(known, weights[-len(known) :].tolist(), strict=True))


def _trees(table: Array, values: Array, seed: int, trees: int) -> Predict:
    """Mean and spread over trees (P. Geurts et al., Mach. Learn. 63, 3 (2006)), each on its own bootstrap."""
    try:
        from sklearn.ensemble import ExtraTreesRegressor  # heavy, of an extra: behind its door
    except ImportError as error:
        raise InputError(_INSTALL) from error
    forest = ExtraTreesRegressor(trees, bootstrap=True, max_features=0.5, random_state=seed % 2**32, n_jobs=1)
    forest.fit(table, values)

    def predict(asked: Array) -> Guess:
        each = np.stack([tree.predict(asked) for tree in forest.estimators_])
        return Guess(mean=each.mean(axis=0), std=each.std(axis=0), samples=each)

    return predict


def _gaussian_process(table: Array, values: Array, seed: int, _trees: int) -> Predict:
    """Matérn 5/2 with noise on standardised features, kernel by marginal likelihood."""
    try:
        from sklearn.exceptions import ConvergenceWarning  # heavy, of an extra: behind its door
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
    except ImportError as error:
        raise InputError(_INSTALL) from error
    centre, width = table.mean(axis=0), table.std(axis=0)
    width = np.where(width > 0, width, 1.0)
    centre[-1], width[-1] = 0.0, 1.0 / _NEAR  # fidelities: their levels are out, what is left is alike
    kernel = ConstantKernel(1.0) * Matern(10.0, (0.1, 1e3), nu=2.5) + WhiteKernel(0.1, (1e-4, 10.0))
    process: Any = GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a bound reached is an answer
        process.fit((table - centre) / width, values)

    def predict(asked: Array) -> Guess:
        mean, std = process.predict((asked - centre) / width, return_std=True)
        return Guess(mean=mean, std=std)

    return predict


_INSTALL = "the surrogate of a campaign needs scikit-learn: pip install 'matwright[campaign]'"
_LEARN: Mapping[SurrogateKind, Callable[[Array, Array, int, int], Predict]] = MappingProxyType(
    {SurrogateKind.TREES: _trees, SurrogateKind.GAUSSIAN_PROCESS: _gaussian_process}
)


def _usual(features: Array) -> Array:
    """(width,) the median of what is known of each feature, 0 where nothing is."""
    known = np.isfinite(features).any(axis=0)
    usual = np.zeros(features.shape[1])
    usual[known] = np.nanmedian(features[:, known], axis=0)
    return usual


def _filled(features: Array, usual: Array) -> Array:
    return np.where(np.isfinite(features), features, usual)
