"""Whether the methods of an explanation order the parts of a structure alike."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from matwright.evaluation.metrics import rank_correlation

MIN_DISTINCT = 4
"""Distinct values below which a rank correlation says nothing: with three, one in six orders agrees by chance."""

_DIGITS = 1e-6  # of the largest: parts that symmetry makes equal differ by rounding and must tie


def agreement(importance: Mapping[str, NDArray[np.float64]]) -> dict[tuple[str, str], float | None]:
    """Return Spearman's ρ of the sizes |value| for each pair of methods, None where too few parts differ.

    Args:
        importance: method → (n_parts,) values; their signs do not matter.
    """
    sizes = {name: _rounded(np.abs(values)) for name, values in importance.items()}
    return {(a, b): _correlation(sizes[a], sizes[b]) for a, b in combinations(sizes, 2)}


def _rounded(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    largest = sizes.max(initial=0.0)
    return np.rint(sizes / (largest * _DIGITS)) if largest > 0 else np.zeros_like(sizes)


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    if min(len(np.unique(a)), len(np.unique(b))) < MIN_DISTINCT:
        return None
    return rank_correlation(a, b)
