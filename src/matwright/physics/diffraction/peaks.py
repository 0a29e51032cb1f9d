"""The peaks of several crystals side by side, ready to be moved by strain: what fits and simulations work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.physics.diffraction.axis import (
    FIRST,
    LAST,
    REFERENCE_WAVELENGTH,
    lorentz_polarisation,
    two_theta,
)
from matwright.physics.diffraction.reflections import Reflections

_REACH = 2.0  # degrees beyond the axis from which a strain may bring a peak in


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PeakTable:
    """Peaks of n crystals on the common axis, strongest first, padded to the same number.

    Attributes:
        log_g: (n, n_peaks) float32, ln|g|, g in 1/Å.
        area: (n, n_peaks) float32, strength · LP(CuKa) / volume²: what one unit of volume of the phase scatters into
            the peak, in a unit that all phases share; 0 for padding.
        response: (n, n_peaks, 6) float32, d ln|g| = -response · strain (see `Reflections`).
    """

    log_g: NDArray[np.float32]
    area: NDArray[np.float32]
    response: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.log_g)

    def strongest(self, n_peaks: int) -> PeakTable:
        """The same crystals with at most `n_peaks` peaks each."""
        return PeakTable(
            log_g=self.log_g[:, :n_peaks], area=self.area[:, :n_peaks], response=self.response[:, :n_peaks]
        )

    def select(self, rows: NDArray[np.integer]) -> PeakTable:
        """Some of the crystals."""
        return PeakTable(log_g=self.log_g[rows], area=self.area[rows], response=self.response[rows])

    def angles(self, strain: NDArray[np.float64], zero: NDArray[np.float64]) -> NDArray[np.float32]:
        """(n, n_peaks) 2θ in degrees under a strain (n, 6) in Mandel order and a zero shift (n,) in degrees."""
        stretched = self.log_g - np.matmul(self.response, strain.astype(np.float32)[:, :, None])[:, :, 0]
        sine = np.minimum(np.float32(REFERENCE_WAVELENGTH / 2.0) * np.exp(stretched), np.float32(1.0))
        angles: NDArray[np.float32] = np.degrees(np.float32(2.0) * np.arcsin(sine)) + zero.astype(np.float32)[:, None]
        return angles


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Peaks:
    """Peaks of one crystal, strongest first; the fields are rows of those of `PeakTable`."""

    log_g: NDArray[np.float32]
    area: NDArray[np.float32]
    response: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.log_g)


def peaks_on_axis(found: Reflections) -> Peaks:
    """The reflections that lie on the common axis or within reach of it, strongest first."""
    angle = two_theta(found.g)
    near = (angle > FIRST - _REACH) & (angle < LAST + _REACH)
    area = found.strength[near] * lorentz_polarisation(angle[near]) / found.volume**2
    order = np.argsort(-area, kind="stable")
    return Peaks(
        log_g=np.log(found.g[near][order]).astype(np.float32),
        area=area[order].astype(np.float32),
        response=found.response[near][order].astype(np.float32),
    )


def side_by_side(several: Sequence[Peaks], n_peaks: int) -> PeakTable:
    """A table of some crystals with at most `n_peaks` peaks each, padded where one has fewer."""
    width = max(1, min(n_peaks, max((len(peaks) for peaks in several), default=1)))
    log_g = np.zeros((len(several), width), np.float32)
    area = np.zeros((len(several), width), np.float32)
    response = np.zeros((len(several), width, 6), np.float32)
    for row, peaks in enumerate(several):
        count = min(width, len(peaks))
        log_g[row, :count] = peaks.log_g[:count]
        area[row, :count] = peaks.area[:count]
        response[row, :count] = peaks.response[:count]
    return PeakTable(log_g=log_g, area=area, response=response)
