"""What a measurement does to an ideal pattern: strain, broadening, noise, background, zero shift, uneven intensities.

Training and benchmark draw from the same class with different settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.physics.diffraction.axis import AXIS, FIRST, LAST, N_POINTS
from matwright.physics.diffraction.peaks import PeakTable
from matwright.physics.diffraction.profile import broadened, histogram, profile_transform


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """How far measured patterns may lie from ideal ones; every quantity is drawn uniformly for each pattern.

    Attributes:
        noise: largest standard deviation of white noise, as a share of the highest point; `constant_noise` takes it
            for every pattern.
        strain: largest normal strain; shear strains reach half of it. Strain keeps the crystal's symmetry.
        widths: least and largest full width at half maximum in degrees.
        mixing: largest Lorentzian share of the profile.
        zero: largest zero shift in degrees, either sign.
        background: largest height of a smooth background, as a share of the highest point.
        scatter: largest standard deviation of the logarithm of single peak areas (grains, texture).
        damping: largest overall Debye-Waller parameter B in Å².
        crop: largest share of the axis that is not measured.
        constant_noise: see `noise`.
    """

    noise: float = 0.0
    strain: float = 0.0
    widths: tuple[float, float] = (0.2, 0.2)
    mixing: float = 0.0
    zero: float = 0.0
    background: float = 0.0
    scatter: float = 0.0
    damping: float = 0.0
    crop: float = 0.0
    constant_noise: bool = True

    def __post_init__(self) -> None:
        amounts = (self.noise, self.strain, self.zero, self.background, self.scatter, self.damping)
        if min(amounts) < 0 or not 0 < self.widths[0] <= self.widths[1]:
            raise InputError("the amounts of a disturbance are at least 0 and widths rise from above 0")
        if not 0 <= self.mixing <= 1 or not 0 <= self.crop < 1:
            raise InputError("mixing lies in [0, 1] and crop in [0, 1)")


IDEAL = Disturbance()
"""Nothing but a width of 0.2°: the pattern of a library entry."""


def disturbed(peaks: PeakTable, how: Disturbance, rng: np.random.Generator) -> NDArray[np.float32]:
    """(n, N_POINTS) patterns of n crystals as they might be measured; the highest point of the peaks is 1."""
    n = len(peaks)
    angles = peaks.angles(_strains(n, how.strain, rng), rng.uniform(-how.zero, how.zero, n))
    widths, mixing = rng.uniform(*how.widths, n), rng.uniform(0, how.mixing, n)
    spectrum = np.fft.rfft(histogram(angles, _areas(peaks, how, rng)), axis=1)
    pattern = broadened(spectrum, profile_transform(widths, mixing))
    pattern /= np.maximum(pattern.max(axis=1, keepdims=True), 1e-30)
    if how.background > 0:
        pattern += how.background * _backgrounds(n, rng)
    if how.noise > 0:
        level = np.full(n, how.noise) if how.constant_noise else rng.uniform(0, how.noise, n)
        pattern += level[:, None] * rng.standard_normal(pattern.shape)
    if how.crop > 0:
        pattern *= _windows(n, how.crop, rng)
    return pattern.astype(np.float32)


def _strains(n: int, most: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """(n, 6) in Mandel order; the response of the peaks leaves only the part that keeps the symmetry."""
    strain = rng.uniform(-most, most, (n, 6))
    strain[:, 3:] *= np.sqrt(2.0) / 2.0
    return strain


def _areas(peaks: PeakTable, how: Disturbance, rng: np.random.Generator) -> NDArray[np.float64]:
    area = peaks.area.astype(np.float64)
    if how.damping > 0:  # exp(-2 B s²) with s = g / 2
        b = rng.uniform(0, how.damping, (len(peaks), 1))
        area = area * np.exp(-0.5 * b * np.exp(2.0 * peaks.log_g))
    if how.scatter > 0:
        spread = rng.uniform(0, how.scatter, (len(peaks), 1))
        area = area * np.exp(spread * rng.standard_normal(area.shape))
    return np.asarray(area)


def _backgrounds(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(n, N_POINTS) a decay from low angles and a broad hump, each at most 1/2 high."""
    x = (AXIS - FIRST) / (LAST - FIRST)
    decay = rng.uniform(0, 0.5, (n, 1)) * np.exp(-rng.uniform(0, 6, (n, 1)) * x)
    centre, breadth = rng.uniform(0, 0.5, (n, 1)), rng.uniform(0.1, 0.4, (n, 1))
    hump = rng.uniform(0, 0.5, (n, 1)) * np.exp(-(((x - centre) / breadth) ** 2))
    return np.asarray(decay + hump)


def _windows(n: int, most: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """(n, N_POINTS) 1 where measured; a third of what is missing lies at low angles."""
    missing = rng.uniform(0, most, (n, 1)) * rng.integers(0, 2, (n, 1)) * N_POINTS
    place = np.arange(N_POINTS)
    return ((place >= missing / 3) & (place < N_POINTS - 2 * missing / 3)).astype(np.float64)
