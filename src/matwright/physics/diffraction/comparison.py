"""How alike fitted profiles and a measured pattern are when both have lost their background."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.physics.diffraction.axis import AXIS, AxisPattern
from matwright.physics.diffraction.peaks import PeakTable
from matwright.physics.diffraction.profile import MARGIN, N_TRANSFORM, histogram, profile_transform


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """A measured pattern ready to be compared with many profiles at once.

    All sums over the axis are sums over frequencies (Parseval), so that a profile is never drawn: widths are factors.

    Attributes:
        widths: (n_widths,) full widths at half maximum that are tried, in degrees.
        window: measured range in degrees; peaks beyond are left out.
        columns: (n_frequencies, n_widths · (1 + n_basis)) complex, the measured pattern of unit length and the
            background functions, each times the transform of a width.
        squares: (n_frequencies, n_widths) squared transforms of the widths.
    """

    widths: NDArray[np.float64]
    window: tuple[float, float]
    columns: NDArray[np.complex64]
    squares: NDArray[np.float32]

    def similarity(
        self, peaks: PeakTable, strain: NDArray[np.float64], zero: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n,) cosine with the measured pattern at the best width, and that width.

        Args:
            peaks: of n candidates.
            strain: (n, 6) Mandel order.
            zero: (n,) zero shift in degrees.
        """
        angles = peaks.angles(strain, zero)
        seen = (angles >= self.window[0]) & (angles <= self.window[1])
        spectrum = np.fft.rfft(histogram(angles, peaks.area * seen).astype(np.float32), axis=1)
        products = (spectrum @ self.columns).real.reshape(len(peaks), -1, len(self.widths))
        squared = (spectrum.real**2 + spectrum.imag**2) @ self.squares - (products[:, 1:] ** 2).sum(axis=1)
        cosine = products[:, 0] / np.sqrt(np.maximum(squared, 1e-12 * squared.max(initial=1e-30)))
        best = cosine.argmax(axis=1)
        return cosine[np.arange(len(peaks)), best].astype(np.float64), self.widths[best]


def comparison(pattern: AxisPattern, widths: tuple[float, ...], mixing: float, background_order: int) -> Comparison:
    """Prepare a pattern; `mixing` is the Lorentzian share of the profiles, the rest as in `FitSettings`."""
    basis = background_basis(pattern.first, pattern.last, background_order)
    measured = pattern.intensity[pattern.first : pattern.last]
    measured = measured - basis @ (basis.T @ measured)
    measured = measured / max(float(np.linalg.norm(measured)), 1e-30)
    spectra = np.concatenate([_spectrum(measured[None], pattern.first), _basis_spectrum(pattern, background_order)])
    transforms = profile_transform(np.array(widths), mixing)  # (n_widths, n_frequencies)
    weights = np.full(transforms.shape[1], 2.0 / N_TRANSFORM)
    weights[0] /= 2.0
    columns = np.conj(spectra)[:, None] * (weights * transforms)  # (1 + n_basis, n_widths, n_frequencies)
    return Comparison(
        widths=np.array(widths),
        window=(float(AXIS[pattern.first]), float(AXIS[pattern.last - 1])),
        columns=np.ascontiguousarray(columns.reshape(-1, columns.shape[2]).T.astype(np.complex64)),
        squares=np.ascontiguousarray((weights * transforms**2).T.astype(np.float32)),
    )


@cache
def background_basis(first: int, last: int, order: int) -> NDArray[np.float64]:
    """(last - first, order + 1) orthonormal polynomials of the angle over the measured range."""
    from numpy.polynomial.chebyshev import chebvander

    x = np.linspace(-1.0, 1.0, last - first)
    return np.asarray(np.linalg.qr(chebvander(x, order))[0])


def _basis_spectrum(pattern: AxisPattern, order: int) -> NDArray[np.complex128]:
    return _spectrum(background_basis(pattern.first, pattern.last, order).T, pattern.first)


def _spectrum(rows: NDArray[np.float64], first: int) -> NDArray[np.complex128]:
    """(n, n_frequencies) of rows (n, n_measured) that begin at point `first` of the axis."""
    grid = np.zeros((len(rows), N_TRANSFORM))
    grid[:, MARGIN + first : MARGIN + first + rows.shape[1]] = rows
    return np.asarray(np.fft.rfft(grid, axis=1))
