"""How far a generated population is from a reference one, property by property: distances of distributions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike


def wasserstein(first: ArrayLike, second: ArrayLike) -> float:
    """Wasserstein-1 distance of two samples, in their unit; NaN where one is empty."""
    from scipy.stats import wasserstein_distance  # heavy: behind its door

    left, right = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if not len(left) or not len(right):
        return float("nan")
    return float(wasserstein_distance(left, right))


def total_variation(first: Iterable[int], second: Iterable[int]) -> float:
    """Half the sum of absolute differences of two distributions of labels: 0 equal, 1 apart; NaN where one is empty."""
    own, other = Counter(first), Counter(second)
    if not own or not other:
        return float("nan")
    return 0.5 * sum(abs(own[k] / own.total() - other[k] / other.total()) for k in own.keys() | other.keys())
