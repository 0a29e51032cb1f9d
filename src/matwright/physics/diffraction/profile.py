"""Peaks into profiles on the common axis: pseudo-Voigt shapes by one Fourier transform a pattern."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from matwright.physics.diffraction.axis import FIRST, N_POINTS, STEP

MARGIN = 75
"""Points on each side of the axis from which tails of peaks reach in (3°)."""

N_TRANSFORM = 2187
"""3⁷ points of the periodic grid: the axis, its margins, and a little."""

_GAUSS = np.pi**2 / (4.0 * np.log(2.0))  # Fourier transform of a Gaussian of FWHM w is exp(-this · (w k)²)
_FREQUENCIES = np.fft.rfftfreq(N_TRANSFORM, STEP)  # cycles a degree


def profile_transform(widths: NDArray[np.float64] | float, mixing: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Fourier transform of pseudo-Voigt profiles of unit area, shape (..., n_frequencies).

    Args:
        widths: (...) full width at half maximum in degrees.
        mixing: (...) share of the Lorentzian in 0..1; 0 is a Gaussian.
    """
    wk = np.asarray(widths, dtype=np.float64)[..., None] * _FREQUENCIES
    share = np.asarray(mixing, dtype=np.float64)[..., None]
    result: NDArray[np.float64] = share * np.exp(-np.pi * wk) + (1.0 - share) * np.exp(-_GAUSS * wk * wk)
    return result


def histogram(angles: NDArray[np.floating], areas: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n, N_TRANSFORM) areas of peaks put on the grid, each shared by its two nearest points; peaks beyond are lost.

    Args:
        angles: (n, n_peaks) 2θ in degrees.
        areas: (n, n_peaks), 0 for padding.
    """
    place = (angles - FIRST) / STEP + MARGIN
    inside = (place >= 0) & (place < N_POINTS + 2 * MARGIN)
    place = np.where(inside, place, 0.0)
    whole = place.astype(np.int64)
    upper = np.where(inside, areas, 0.0) * (place - whole)
    lower = np.where(inside, areas, 0.0) - upper
    flat = (whole + (np.arange(len(angles)) * N_TRANSFORM)[:, None]).ravel()
    total = len(angles) * N_TRANSFORM
    grid = np.bincount(flat, lower.ravel(), total) + np.bincount(flat + 1, upper.ravel(), total + 1)[:total]
    return np.asarray(grid.reshape(len(angles), N_TRANSFORM))


def broadened(spectrum: NDArray[np.complex128], transform: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., N_POINTS) intensity per degree on the axis from `np.fft.rfft(histogram(...))` and `profile_transform`."""
    grid = np.fft.irfft(spectrum * transform, N_TRANSFORM, axis=-1)
    return np.asarray(grid[..., MARGIN : MARGIN + N_POINTS] / STEP)


def smoothed(pattern: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """(N_TRANSFORM,) a pattern (N_POINTS,) convolved with a Gaussian of `width` degrees, on the grid with margins."""
    grid = np.zeros(N_TRANSFORM)
    grid[MARGIN : MARGIN + N_POINTS] = pattern
    return np.asarray(np.fft.irfft(np.fft.rfft(grid) * profile_transform(width, 0.0), N_TRANSFORM))
