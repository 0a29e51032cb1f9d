"""Fit of many candidate crystals to one measured pattern at once: strain that keeps symmetry, zero shift, width.

Each candidate's peaks are moved so that they meet the measured ones, first on a blurred pattern, then on sharper ones
(Gauss-Newton with the analytic derivative of Bragg's law), and the pattern they then give is compared with the
measured one, background left out of the comparison. All candidates advance together in arrays; the hopeless are
dropped between the stages.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.physics.diffraction.axis import FIRST, STEP, AxisPattern
from matwright.physics.diffraction.peaks import PeakTable
from matwright.physics.diffraction.profile import (
    MARGIN,
    N_TRANSFORM,
    broadened,
    histogram,
    profile_transform,
    smoothed,
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of the search: blur in degrees, Gauss-Newton steps, peaks used, candidates kept at its end."""

    blur: float
    steps: int
    n_peaks: int
    keep: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """How far a candidate may be deformed and how the search goes.

    Attributes:
        max_strain: largest component of the strain, in (0, 0.1).
        strain_cost: similarity that a candidate must gain to earn a strain of 1 % in one direction; of two crystals
            that explain the pattern alike, the less strained one is first.
        max_zero: largest zero shift in degrees, at least 0.
        widths: full widths at half maximum tried, in degrees.
        mixing: Lorentzian share of the profile.
        stages: coarse to fine.
        background_order: highest Chebyshev polynomial that counts as background.
    """

    max_strain: float = 0.02
    strain_cost: float = 3e-4
    max_zero: float = 0.15
    widths: tuple[float, ...] = (0.08, 0.12, 0.18, 0.26, 0.38, 0.6)
    mixing: float = 0.5
    stages: tuple[Stage, ...] = (
        Stage(blur=0.8, steps=4, n_peaks=128, keep=100),
        Stage(blur=0.4, steps=5, n_peaks=128, keep=30),
        Stage(blur=0.2, steps=6, n_peaks=256, keep=30),
        Stage(blur=0.12, steps=5, n_peaks=512, keep=30),
    )
    background_order: int = 6

    def __post_init__(self) -> None:
        if not 0 < self.max_strain < 0.1:
            raise InputError(f"the largest strain lies in (0, 0.1), found {self.max_strain:g}")
        if not 0 <= self.max_zero <= 2:
            raise InputError(f"the largest zero shift lies in 0..2°, found {self.max_zero:g}")


DEFAULT_FIT = FitSettings()


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fits:
    """The fit of n candidates.

    Attributes:
        similarity: (n,) cosine between measured and fitted pattern in -1..1 after both lost their background; of
            candidates dropped early, the coarse value.
        score: (n,) similarity less the cost of the strain.
        stage: (n,) how many stages the candidate survived; those of a later stage rank first.
        strain: (n, 6) Mandel order.
        zero: (n,) zero shift in degrees.
        width: (n,) best full width at half maximum in degrees.
    """

    similarity: NDArray[np.float64]
    score: NDArray[np.float64]
    stage: NDArray[np.int64]
    strain: NDArray[np.float64]
    zero: NDArray[np.float64]
    width: NDArray[np.float64]

    @property
    def order(self) -> NDArray[np.int64]:
        """(n,) candidates, best first."""
        return np.lexsort((-self.score, -self.stage))


def fit_candidates(pattern: AxisPattern, peaks: PeakTable, settings: FitSettings = DEFAULT_FIT) -> Fits:
    """Fit every candidate to the pattern (background subtracted before, see `background`)."""
    n = len(peaks)
    strain, zero = np.zeros((n, 6)), np.zeros(n)
    similarity, width, stage = np.full(n, -1.0), np.full(n, np.nan), np.zeros(n, dtype=np.int64)
    alive = np.arange(n)
    strain[:, :3] = _isotropic_start(pattern, peaks, settings)[:, None]
    for number, now in enumerate(settings.stages, start=1):
        some = peaks.strongest(now.n_peaks).select(alive)
        strain[alive], zero[alive] = _descend(pattern, some, strain[alive], zero[alive], now, settings)
        last = number == len(settings.stages)
        full = peaks.select(alive) if last else some
        similarity[alive], width[alive] = compare(pattern, full, strain[alive], zero[alive], settings)
        stage[alive] = number
        alive = alive[np.argsort(-similarity[alive], kind="stable")[: now.keep]]
    score = similarity - settings.strain_cost * ((strain / 0.01) ** 2).sum(axis=1)
    return Fits(similarity=similarity, score=score, stage=stage, strain=strain, zero=zero, width=width)


def compare(
    pattern: AxisPattern,
    peaks: PeakTable,
    strain: NDArray[np.float64],
    zero: NDArray[np.float64],
    settings: FitSettings = DEFAULT_FIT,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) best similarity over the widths, and the width that gave it."""
    part = slice(pattern.first, pattern.last)
    basis = background_basis(pattern.first, pattern.last, settings.background_order)
    measured = pattern.intensity[part]
    measured = measured - basis @ (basis.T @ measured)
    measured = measured / max(float(np.linalg.norm(measured)), 1e-30)
    spectrum = np.fft.rfft(histogram(peaks.angles(strain, zero), peaks.area), axis=1)
    found = np.empty((len(settings.widths), len(peaks)))
    for row, width in enumerate(settings.widths):
        profiles = broadened(spectrum, profile_transform(width, settings.mixing))[:, part]
        rest = np.einsum("np,np->n", profiles, profiles) - ((profiles @ basis) ** 2).sum(axis=1)
        found[row] = profiles @ measured / np.sqrt(np.maximum(rest, 1e-30))
    best = found.argmax(axis=0)
    return found[best, np.arange(len(peaks))], np.array(settings.widths)[best]


@cache
def background_basis(first: int, last: int, order: int) -> NDArray[np.float64]:
    """(last - first, order + 1) orthonormal polynomials of the angle over the measured range."""
    from numpy.polynomial.chebyshev import chebvander

    x = np.linspace(-1.0, 1.0, last - first)
    return np.asarray(np.linalg.qr(chebvander(x, order))[0])


def _isotropic_start(pattern: AxisPattern, peaks: PeakTable, settings: FitSettings) -> NDArray[np.float64]:
    """(n,) the isotropic strain of a grid that brings most of each candidate's area onto measured peaks."""
    some = peaks.strongest(settings.stages[0].n_peaks)
    blurred = smoothed(pattern.intensity, settings.stages[0].blur)
    grid = np.linspace(-settings.max_strain, settings.max_strain, 2 * round(settings.max_strain / 0.0025) + 1)
    met = np.empty((len(grid), len(peaks)))
    strain, zero = np.zeros((len(peaks), 6)), np.zeros(len(peaks))
    for row, value in enumerate(grid):
        strain[:, :3] = value
        met[row] = np.einsum("np,np->n", some.area, _sampled(blurred, some.angles(strain, zero)))
    return np.asarray(grid[met.argmax(axis=0)])


def _descend(
    pattern: AxisPattern,
    peaks: PeakTable,
    strain: NDArray[np.float64],
    zero: NDArray[np.float64],
    stage: Stage,
    settings: FitSettings,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Raise Σ area · blurred(2θ) of each candidate by damped Newton steps over (strain, zero shift).

    The curvature is that of the blurred pattern where it is a maximum, and 0 elsewhere.
    """
    blurred = smoothed(pattern.intensity, stage.blur)
    slope = np.gradient(blurred, STEP)
    bend = np.maximum(-np.gradient(slope, STEP), 0.0)
    weight = peaks.area / np.maximum(np.linalg.norm(peaks.area, axis=1, keepdims=True), 1e-30)
    most = np.array([settings.max_strain] * 6 + [settings.max_zero])
    state = np.column_stack([strain, zero])
    jacobian = np.empty((*weight.shape, 7))
    for _ in range(stage.steps):
        angles = peaks.angles(state[:, :6], state[:, 6])
        turn = np.degrees(2.0 * np.tan(np.radians(np.minimum(angles - state[:, 6:], 170.0)) / 2.0))
        np.multiply(peaks.response, -turn[:, :, None], out=jacobian[:, :, :6])
        jacobian[:, :, 6] = 1.0 if settings.max_zero > 0 else 0.0
        force = np.matmul((weight * _sampled(slope, angles))[:, None, :], jacobian)[:, 0]
        scaled = jacobian * (weight * _sampled(bend, angles))[:, :, None]
        hessian = np.matmul(scaled.transpose(0, 2, 1), jacobian)
        state = np.clip(state + _step(hessian, force, most), -most, most)
    return state[:, :6], state[:, 6]


def _step(hessian: NDArray[np.float64], force: NDArray[np.float64], most: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 7) damped Newton steps in units of `most`, each component at most a third of it."""
    scale = np.where(most > 0, most, 1.0)
    hessian = hessian * scale[:, None] * scale
    trace = np.trace(hessian, axis1=1, axis2=2)
    damped = hessian + (0.01 * trace + 1e-12)[:, None, None] * np.eye(len(most))
    step = np.linalg.solve(damped, (force * scale)[:, :, None])[:, :, 0]
    return np.asarray(np.clip(step, -1 / 3, 1 / 3) * most)


def _sampled(values: NDArray[np.float64], angles: NDArray[np.floating]) -> NDArray[np.float64]:
    """`values` (N_TRANSFORM,) on the grid with margins, at angles (n, n_peaks); 0 beyond."""
    place = np.clip((angles - FIRST) / STEP + MARGIN, 0, N_TRANSFORM - 2)
    whole = place.astype(np.int64)
    low = values[whole]
    result: NDArray[np.float64] = low + (place - whole) * (values[whole + 1] - low)
    return result
