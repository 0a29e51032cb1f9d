"""Extremely randomised trees as plain arrays: learned with scikit-learn, kept and read without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError

TREES, LEAF = 50, 2
_FEATURES_TRIED = 1 / 3


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forest:
    """The mean of many trees (P. Geurts et al., Mach. Learn. 63, 3 (2006)) over a table of features.

    Nodes of all trees stand one after the other, the left child of a node right behind it.

    Attributes:
        feature: (n_nodes,) int16, the column that a node asks for, -1 for a leaf.
        number: (n_nodes,) float32, the largest value that goes left; the value of a leaf.
        right: (n_nodes,) int32, place of the right child.
        roots: (n_trees,) int32.
        usual: (n_features,) float32, what stands in for a missing number.
    """

    feature: NDArray[np.int16]
    number: NDArray[np.float32]
    right: NDArray[np.int32]
    roots: NDArray[np.int32]
    usual: NDArray[np.float32]

    @classmethod
    def learn(
        cls,
        features: NDArray[np.float32],
        values: NDArray[np.float64],
        *,
        seed: int,
        trees: int = TREES,
        leaf: int = LEAF,
    ) -> Forest:
        """Return a forest learned from features (n, n_features), NaN where missing, and values (n,).

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
        regressor = ExtraTreesRegressor(
            n_estimators=trees, min_samples_leaf=leaf, max_features=_FEATURES_TRIED, random_state=seed % 2**32
        )
        regressor.fit(_filled(features, usual), values)
        grown = [estimator.tree_ for estimator in regressor.estimators_]
        roots = np.cumsum([0, *(tree.node_count for tree in grown)])
        is_leaf = [tree.children_left < 0 for tree in grown]
        return cls(
            feature=np.concatenate([np.where(end, -1, t.feature) for end, t in zip(is_leaf, grown, strict=True)])
            .astype(np.int16),
            number=np.concatenate(
                [np.where(end, t.value[:, 0, 0], t.threshold) for end, t in zip(is_leaf, grown, strict=True)]
            ).astype(np.float32),
            right=np.concatenate(
                [root + np.maximum(t.children_right, 0) for root, t in zip(roots[:-1], grown, strict=True)]
            ).astype(np.int32),
            roots=roots[:-1].astype(np.int32),
            usual=usual,
        )  # fmt: skip

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


def _usual(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n_features,) the median of the known numbers of each column, 0 where none is."""
    known = np.isfinite(features).any(axis=0)
    medians = np.zeros(features.shape[1], dtype=np.float32)
    medians[known] = np.nanmedian(features[:, known], axis=0)
    return medians


def _filled(features: NDArray[np.float32], usual: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(np.isnan(features), usual, features)
