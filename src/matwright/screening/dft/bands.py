"""The band gap that the eigenvalues of a self-consistent calculation show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_WHOLE = 0.02
"""Farther from a whole number of filled bands than this, a band is filled in part: a metal."""


def band_gap(levels: Sequence[NDArray[np.float64]], filled: Sequence[float]) -> float | None:
    """Smallest distance in eV from a filled to an empty band over the k points; 0 for a metal.

    On the mesh of a self-consistent calculation it is an upper bound: an edge may lie between its points. It is that of
    Kohn and Sham: with a semilocal functional such as PBE about half of what is measured.

    Args:
        levels: eV, (n_k, n_bands) ascending in each row, one array a spin channel; one for both where there is no spin.
        filled: number of filled bands of each channel: half the electrons where there is no spin.

    Returns:
        The gap, None where a channel has no band above the filled ones, or there are no k points.
    """
    top, bottom = -np.inf, np.inf
    for energies, count in zip(levels, filled, strict=True):
        number = round(count)
        if energies.size == 0 or energies.shape[1] <= number:
            return None
        if abs(count - number) > _WHOLE:
            return 0.0
        top = max(top, float(energies[:, number - 1].max())) if number else top
        bottom = min(bottom, float(energies[:, number].min()))
    return max(bottom - top, 0.0) if np.isfinite(bottom - top) else None
