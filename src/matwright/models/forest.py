"""Extremely randomised trees as plain arrays: learned with scikit-learn, kept and read without it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError

TREES = 50


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forest:
    """The mean of many trees (P. Geurts et al., Mach. Learn. 63, 3 (2006)) over a table of features.

    Each leaf holds one record or equal ones: such trees interpolate, and their mean is smooth. Nodes of all trees stand
    one after the other, the left child of a node and all that hangs on it right behind it.

    Attributes:
        feature: (n_nodes,) int16, the column that a node asks for, -1 for a leaf.
        number: (n_nodes,) float32, the largest value that goes left; the value of a leaf.
        usual: (n_features,) float32, what stands in for a missing number.
        right, roots: (n_nodes,), (n_trees,) int64, places of right children and of the first nodes, which follow.

    Raises:
        InputError: at construction, when the nodes are no whole trees or ask for columns that there are not.
    """

    feature: NDArray[np.int16]
    number: NDArray[np.float32]
    usual: NDArray[np.float32]
    right: NDArray[np.int64] = field(init=False)
    roots: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        if self.feature.shape != self.number.shape or not -1 <= self.feature.min(initial=-1) <= self.feature.max(
            initial=0
        ) < len(self.usual):
            raise InputError("the nodes of a forest do not fit together")
        right, roots = _structure(self.feature >= 0)
        object.__setattr__(self, "right", right)
        object.__setattr__(self, "roots", roots)

    @classmethod
    def learn(
        cls,
        features: NDArray[np.float32],
        values: NDArray[np.float64],
        *,
        seed: int,
        trees: int = TREES,
    ) -> Forest:
        """Return a forest learned from features (n, n_features), NaN where missing, and values (n,).

        Splits are chosen as the library does by default: among one random split of every feature.

        Raises:
            InputError: scikit-learn is not installed, or there are no rows.
        """
        try:
            from sklearn.ensemble import ExtraTreesRegressor  # heavy, of an extra: behind its door
        except ImportError as error:
            raise InputError("a forest needs scikit-learn: pip install 'matwright[forest]'") from error
        if len(values) == 0:
            raise InputError("a forest needs at least one row to learn from")
        usual = _usual(features)
        regressor = ExtraTreesRegressor(n_estimators=trees, random_state=seed % 2**32)
        regressor.fit(_filled(features, usual), values)
        grown = [estimator.tree_ for estimator in regressor.estimators_]
        is_leaf = np.concatenate([tree.children_left < 0 for tree in grown])
        value = np.concatenate([tree.value[:, 0, 0] for tree in grown])
        threshold = np.concatenate([tree.threshold for tree in grown])
        return cls(
            feature=np.where(is_leaf, -1, np.concatenate([tree.feature for tree in grown])).astype(np.int16),
            number=np.where(is_leaf, value, threshold).astype(np.float32),
            usual=usual,
        )

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n,) predictions for features (n, n_features), NaN where missing."""
        table = _filled(features, self.usual)
        rows = np.arange(len(table))[:, None]
        at = np.tile(self.roots, (len(table), 1))  # (n, n_trees)
        asked = self.feature[at]
        while (asked >= 0).any():
            goes_left = table[rows, asked] <= self.number[at]
            at = np.where(asked < 0, at, np.where(goes_left, at + 1, self.right[at]))
            asked = self.feature[at]
        mean: NDArray[np.float64] = self.number[at].astype(np.float64).mean(axis=1)
        return mean


def _structure(inner: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Right children of inner nodes, and the first node of each tree.

    With a step up at each inner node and down at each leaf, the left part of the node at i ends where the height first
    falls below that at i; the right child stands behind it. A tree ends at each new least height.

    Raises:
        InputError: the last tree is not whole.
    """
    n = len(inner)
    height = np.cumsum(np.where(inner, 1, -1))
    if n == 0 or height[-1] != np.minimum.accumulate(height)[-1] or height[-1] >= 0:
        raise InputError("a tree of the forest is not whole")
    ends = np.flatnonzero(np.diff(np.minimum.accumulate(np.append(0, height))) < 0)
    key = np.sort((height + n) * (n + 1) + np.arange(n))  # by height, then place
    at = np.flatnonzero(inner)
    next_below = key[np.searchsorted(key, (height[at] - 1 + n) * (n + 1) + at)] % (n + 1)
    right = np.zeros(n, dtype=np.int64)
    right[at] = next_below + 1
    return right, np.append(0, ends[:-1] + 1)


def _usual(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n_features,) the median of the known numbers of each column, 0 where none is."""
    known = np.isfinite(features).any(axis=0)
    medians = np.zeros(features.shape[1], dtype=np.float32)
    medians[known] = np.nanmedian(features[:, known], axis=0)
    return medians


def _filled(features: NDArray[np.float32], usual: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(np.isnan(features), usual, features)
