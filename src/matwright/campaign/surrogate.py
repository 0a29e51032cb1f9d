"""The surrogate that a campaign trains anew after every round, on everything recorded: all fidelities at once.

The fidelity of a value is a condition, one more column of the features: what cheap evaluations say of many candidates
helps with what dear ones say of few.
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

Array = NDArray[np.float64]
Predict = Callable[[Array], Guess]

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
    table = np.column_stack([_filled(labels.features, usual), labels.fidelity])
    predict = _LEARN[kind](table, labels.values, seed, trees)

    def guess(features: Array, fidelity: float) -> Guess:
        return predict(np.column_stack([_filled(features, usual), np.full(len(features), fidelity)]))

    return guess


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
