"""The common axis: every pattern, whatever its wavelength, on one scale of angles and intensities.

A measured pattern is brought to the angles at which CuKa would have shown it. Fits, libraries and the learned encoder
then know one grid, and a synchrotron pattern needs nothing of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError

REFERENCE_WAVELENGTH = 1.54184
"""Å, CuKa."""

FIRST, LAST, STEP = 10.0, 90.0, 0.04
"""Degrees 2θ for `REFERENCE_WAVELENGTH`."""

N_POINTS = round((LAST - FIRST) / STEP) + 1
AXIS: NDArray[np.float64] = np.linspace(FIRST, LAST, N_POINTS)
AXIS.setflags(write=False)

_LEAST_POINTS = 50  # below that a pattern on the axis says nothing


def two_theta(g: NDArray[np.float64], wavelength: float = REFERENCE_WAVELENGTH) -> NDArray[np.float64]:
    """2θ in degrees of |g| in 1/Å (Bragg: λ g = 2 sin θ); 180 where the wavelength is too long to see it."""
    angle: NDArray[np.float64] = np.degrees(2.0 * np.arcsin(np.minimum(wavelength * g / 2.0, 1.0)))
    return angle


def lorentz_polarisation(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """(1 + cos² 2θ) / (sin² θ cos θ) of 2θ in degrees: unpolarised beam, powder, no monochromator."""
    theta = np.radians(angle) / 2.0
    factor: NDArray[np.float64] = (1.0 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))
    return factor


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AxisPattern:
    """A pattern on the common axis.

    Attributes:
        intensity: (N_POINTS,) counts or arbitrary units, 0 where nothing was measured.
        first, last: the measured points are intensity[first:last].
    """

    intensity: NDArray[np.float64]
    first: int = 0
    last: int = N_POINTS

    @property
    def window(self) -> tuple[float, float]:
        """Measured range in degrees on the axis."""
        return float(AXIS[self.first]), float(AXIS[self.last - 1])


def to_axis(angles: NDArray[np.float64], intensity: NDArray[np.float64], wavelength: float) -> AxisPattern:
    """Bring a measured pattern to the common axis.

    At the angle x where CuKa shows the same plane spacing the intensity is y · d(2θ)/dx · LP(x) / LP(2θ), so that a
    peak keeps its area but for the factors that belong to the angle. Where the pattern is finer than the axis, points
    are averaged.

    Args:
        angles: (n,) 2θ in degrees, rising.
        intensity: (n,) any unit.
        wavelength: Å, of the measurement.

    Raises:
        InputError: less than 2° of the pattern lie on the axis.
    """
    sine = np.sin(np.radians(angles) / 2.0) * (REFERENCE_WAVELENGTH / wavelength)
    seen = sine < np.sin(np.radians(LAST + 1) / 2.0)
    x = np.degrees(2.0 * np.arcsin(sine[seen]))
    y = intensity[seen]
    if wavelength != REFERENCE_WAVELENGTH:
        measured = angles[seen]
        jacobian = np.cos(np.radians(x) / 2.0) / np.cos(np.radians(measured) / 2.0) * wavelength / REFERENCE_WAVELENGTH
        y = y * jacobian * lorentz_polarisation(x) / lorentz_polarisation(measured)
    on_axis = np.flatnonzero((x[:1].min(initial=np.inf) <= AXIS) & (x[-1:].max(initial=-np.inf) >= AXIS))
    if len(on_axis) < _LEAST_POINTS:
        raise InputError(
            f"the pattern has less than 2° in common with the range that can be matched ({FIRST:g}..{LAST:g}° for "
            f"CuKa, d from 8.8 to 1.1 Å); is {wavelength:g} Å its wavelength?"
        )
    first, last = int(on_axis[0]), int(on_axis[-1]) + 1
    result = np.zeros(N_POINTS)
    result[first:last] = _averaged(x, y, AXIS[first:last])
    return AxisPattern(intensity=result, first=first, last=last)


def _averaged(x: NDArray[np.float64], y: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the piecewise linear y(x) over one step around each point."""
    area = np.concatenate([[0.0], np.cumsum(np.diff(x) * (y[1:] + y[:-1]) / 2.0)])
    low, high = np.maximum(at - STEP / 2, x[0]), np.minimum(at + STEP / 2, x[-1])
    mean: NDArray[np.float64] = (_integral(x, y, area, high) - _integral(x, y, area, low)) / (high - low)
    return mean


def _integral(
    x: NDArray[np.float64], y: NDArray[np.float64], area: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """∫ y dx from x[0] to each point of `at`, exact for the piecewise linear y."""
    left = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    offset = at - x[left]
    slope = (y[left + 1] - y[left]) / (x[left + 1] - x[left])
    total: NDArray[np.float64] = area[left] + offset * (y[left] + slope * offset / 2.0)
    return total
