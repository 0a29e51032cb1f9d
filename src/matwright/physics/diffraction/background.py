"""The smooth background of a measured pattern, clipped from under its peaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from matwright.physics.diffraction.axis import STEP, AxisPattern

HALF_WINDOW = 3.0
"""Degrees; nothing as narrow as this is background."""

_BLUR = 0.25  # degrees; a clip under bare noise would follow its lowest points


def without_background(pattern: AxisPattern) -> AxisPattern:
    """Return the pattern less its background (see `background`)."""
    intensity = pattern.intensity.copy()
    intensity[pattern.first : pattern.last] -= background(pattern)
    return replace(pattern, intensity=intensity)


def background(pattern: AxisPattern) -> NDArray[np.float64]:
    """Return (n_measured,) the background by statistics-sensitive non-linear iterative peak clipping.

    SNIP (Ryan et al., Nucl. Instrum. Methods B 34, 396 (1988)) with windows that shrink (Morháč 1997), on a smoothed
    pattern: each point is lowered to the mean of its neighbours at ±p where it lies above, for p from `HALF_WINDOW`
    to one step. The clip runs along the lower edge of the noise, a quartile of its distance to the pattern is given
    back.
    """
    measured = pattern.intensity[pattern.first : pattern.last]
    smooth = _smooth(measured)
    level = smooth.copy()
    most = min(round(HALF_WINDOW / STEP), len(level) - 1)
    for p in range(most, 0, -1):
        padded = np.pad(level, p, mode="reflect", reflect_type="odd")  # a slope goes on beyond the ends
        level = np.minimum(level, (padded[2 * p :] + padded[: -2 * p]) / 2.0)
    near = smooth - level
    return np.asarray(level + np.median(near[near <= np.median(near)]))


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Blurred by a Gaussian, the ends continued by their edge so that they do not sink."""
    reach = round(2 * _BLUR / STEP)
    kernel = np.exp(-4 * np.log(2.0) * (np.arange(-reach, reach + 1) * STEP / _BLUR) ** 2)
    return np.convolve(np.pad(values, reach, mode="edge"), kernel / kernel.sum(), mode="valid")
