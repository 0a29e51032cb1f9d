"""The powder pattern of one crystal: its peaks, and the profile that a diffractometer would record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.physics.diffraction.axis import lorentz_polarisation, two_theta
from matwright.physics.diffraction.radiation import wavelength_of
from matwright.physics.diffraction.reflections import WEAKEST, reflections

_SAME_ANGLE = 1e-5  # degrees; reflections nearer than that are one peak
_LN2 = np.log(2.0)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PowderPeaks:
    """Peaks of a powder pattern: `two_theta` (n,) rising, in degrees, and `intensity` (n,), the strongest 100."""

    two_theta: NDArray[np.float64]
    intensity: NDArray[np.float64]


def powder_peaks(
    crystal: Crystal,
    wavelength: str | float = "CuKa",
    limits: tuple[float, float] = (5.0, 90.0),
    weakest: float = WEAKEST,
) -> PowderPeaks:
    """Return the peaks of a crystal without texture: kinematic structure factors, Lorentz-polarisation factor.

    Args:
        crystal: ordered or disordered, periodic in three directions.
        wavelength: name of a line or a number in Å (see `wavelength_of`).
        limits: least and largest 2θ in degrees, within 0..180.
        weakest: share of the strongest peak below which peaks are dropped.

    Raises:
        InputError: impossible limits or wavelength, a crystal that does not diffract (see `reflections`), or no peak
            between the limits.
    """
    if not 0 <= limits[0] < limits[1] < 180:
        raise InputError(f"the limits of 2θ rise within 0..180°, found {limits[0]:g}..{limits[1]:g}")
    length = wavelength_of(wavelength)
    found = reflections(crystal, g_max=2 * np.sin(np.radians(limits[1]) / 2) / length * (1 + 1e-9), weakest=0.0)
    angle = two_theta(found.g, length)
    inside = angle >= limits[0]
    if not inside.any():
        raise InputError(f"the crystal has no peak between {limits[0]:g} and {limits[1]:g}° for {length:g} Å")
    angle, area = angle[inside], (found.strength[inside] * lorentz_polarisation(angle[inside]))
    group = np.cumsum(np.diff(angle, prepend=angle[0]) > _SAME_ANGLE)
    area = np.asarray(np.bincount(group, weights=area), dtype=np.float64)
    angle = angle[np.flatnonzero(np.diff(group, prepend=-1))]
    kept = area > weakest * area.max()
    return PowderPeaks(two_theta=angle[kept], intensity=100.0 * area[kept] / area.max())


def powder_pattern(
    peaks: PowderPeaks, angles: NDArray[np.float64], width: float = 0.2, mixing: float = 0.0
) -> NDArray[np.float64]:
    """Return the (n,) intensity per degree at `angles`, every peak a pseudo-Voigt whose area is its intensity.

    Args:
        peaks: of `powder_peaks`.
        angles: (n,) 2θ in degrees.
        width: full width at half maximum in degrees, above 0.
        mixing: Lorentzian share in 0..1; 0 gives Gaussians.

    Raises:
        InputError: an impossible width or share.
    """
    if not width > 0 or not 0 <= mixing <= 1:
        raise InputError(f"a peak has a width above 0 and a Lorentzian share in 0..1, found {width:g} and {mixing:g}")
    result = np.zeros(len(angles))
    for centre, area in zip(peaks.two_theta, peaks.intensity, strict=True):
        squared = ((angles - centre) / width) ** 2
        gauss = np.exp(-4 * _LN2 * squared) * (2 * np.sqrt(_LN2 / np.pi) / width)
        lorentz = 2 / (np.pi * width) / (1 + 4 * squared)
        result += area * (mixing * lorentz + (1 - mixing) * gauss)
    return result
