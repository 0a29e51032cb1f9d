"""Randomised and boosted trees as plain arrays: learned with scikit-learn, kept and read without it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError

TREES = 50

ROUNDS, RATE = 300, 0.06
"""Boosted trees of a property, and the share of its correction that each makes."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forest:
    """The mean of many trees over a table of features.

    Nodes of all trees stand one after the other, the left child of a node and all that hangs on it right behind it.

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
        leaf: int = 1,
        columns: float = 1.0,
        counts: NDArray[np.float64] | None = None,
    ) -> Forest:
        """Return extremely randomised trees (P. Geurts et al., Mach. Learn. 63, 3 (2006)).

        With leaves of one record or of equal ones such trees interpolate, and their mean is smooth. Splits are chosen
        as the library does by default: among one random split of every feature. From features (n, n_features), NaN
        where missing, and values (n,).

        Args:
            features, values: to learn from.
            seed: of the splits.
            trees: how many.
            leaf: the least number of records in one.
            columns: share of the features, drawn anew at each split, of which one is chosen.
            counts: (n,) how much each record counts; all the same by default.

        Raises:
            InputError: scikit-learn is not installed, or there are no rows.
        """
        library, usual = _library(values), _usual(features)
        regressor = library.ExtraTreesRegressor(
            n_estimators=trees, min_samples_leaf=leaf, max_features=columns, random_state=seed % 2**32
        )
        table = _filled(features, usual)
        distinct = _distinct(table)
        regressor.fit(table[:, distinct], values, sample_weight=counts)
        return cls._of([estimator.tree_ for estimator in regressor.estimators_], usual, distinct)

    @classmethod
    def boost(cls, features: NDArray[np.float32], values: NDArray[np.float64], *, seed: int) -> Forest:
        """Return boosted trees (J. Friedman, Ann. Stat. 29, 1189 (2001)), each with its correction times their number.

        So the mean over the trees is the sum of the corrections. From features (n, n_features), NaN where missing, and
        values (n,). Huber's loss; each tree sees a random 70 % of the rows (J. Friedman, Comput. Stat. Data Anal. 38,
        367 (2002)) and at each split a random fifth of the features.

        Raises:
            InputError: scikit-learn is not installed, or there are no rows.
        """
        library, usual = _library(values), _usual(features)
        regressor = library.GradientBoostingRegressor(
            loss="huber",
            n_estimators=ROUNDS,
            learning_rate=RATE,
            max_depth=6,
            min_samples_leaf=3,
            max_features=0.2,
            subsample=0.7,
            random_state=seed % 2**32,
        )
        table = _filled(features, usual)
        columns = _distinct(table)
        regressor.fit(table[:, columns], values)
        start, factor = float(regressor.init_.constant_[0, 0]), RATE * ROUNDS
        return cls._of([estimator.tree_ for estimator in regressor.estimators_[:, 0]], usual, columns, start, factor)

    @classmethod
    def _of(
        cls,
        grown: list[Any],
        usual: NDArray[np.float32],
        columns: NDArray[np.int64],
        start: float = 0.0,
        factor: float = 1.0,
    ) -> Forest:
        """The library's trees over these columns one after the other, with `start` + `factor` times their leaves."""
        is_leaf = np.concatenate([tree.children_left < 0 for tree in grown])
        asked = np.concatenate([tree.feature for tree in grown])
        value = start + factor * np.concatenate([tree.value[:, 0, 0] for tree in grown])
        threshold = _rounded_down(np.concatenate([tree.threshold for tree in grown]))
        return cls(
            feature=np.where(is_leaf, -1, columns[asked.clip(0)]).astype(np.int16),
            number=np.where(is_leaf, value.astype(np.float32), threshold),
            usual=usual,
        )

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n,) predictions for features (n, n_features), NaN where missing."""
        return np.asarray(self.each(features).mean(axis=1), dtype=np.float64)

    def each(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n, n_trees) what each tree says of features (n, n_features), NaN where missing."""
        table = _filled(features, self.usual)
        rows = np.arange(len(table))[:, None]
        at = np.tile(self.roots, (len(table), 1))  # (n, n_trees)
        asked = self.feature[at]
        while (asked >= 0).any():
            goes_left = table[rows, asked] <= self.number[at]
            at = np.where(asked < 0, at, np.where(goes_left, at + 1, self.right[at]))
            asked = self.feature[at]
        return self.number[at].astype(np.float64)


def grower() -> Any:
    """The module of scikit-learn that grows trees.

    Raises:
        InputError: it is not installed.
    """
    try:
        from sklearn import ensemble  # heavy, of an extra: behind its door
    except ImportError as error:
        raise InputError("a forest needs scikit-learn: pip install 'matwright[forest]'") from error
    return ensemble


def _library(values: NDArray[np.float64]) -> Any:
    """What grows trees from these values.

    Raises:
        InputError: it is not installed, or there is nothing to learn from.
    """
    if len(values) == 0:
        raise InputError("a forest needs at least one row to learn from")
    return grower()


def _distinct(table: NDArray[np.float32]) -> NDArray[np.int64]:
    """(n_columns,) ascending: columns that differ between rows, one of those that put the rows into the same order.

    Trees split by order alone, and a fraction orders as its logarithm does: half of the columns tell nothing more.
    """
    found: dict[bytes, int] = {}
    for column, values in enumerate(table.T):
        levels, ranks = np.unique(values, return_inverse=True)
        if len(levels) > 1:
            found.setdefault(ranks.astype(np.int32).tobytes(), column)
    return np.array(sorted(found.values()) or [0], dtype=np.int64)


def _rounded_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 that is not above each: a float32 lies on the same side of it as of the threshold."""
    near = thresholds.astype(np.float32)
    return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)


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
