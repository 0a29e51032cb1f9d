"""Fit of many candidate crystals to one measured pattern at once: strain that keeps symmetry, zero shift, width.

Each candidate's peaks are moved so that they meet the measured ones, first on a blurred pattern, then on sharper ones
(Gauss-Newton with the analytic derivative of Bragg's law), and the pattern they then give is compared with the
measured one, background left out of the comparison. All candidates advance together in arrays; the hopeless are
dropped between the stages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.physics.diffraction.axis import AxisPattern
from matwright.physics.diffraction.comparison import comparison
from matwright.physics.diffraction.descent import descend, isotropic_start
from matwright.physics.diffraction.peaks import PeakTable


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
    strain_cost: float = 1e-3
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
    """Fit every candidate to the pattern (background subtracted before, see `background`).

    Each stage moves a candidate once from where the last stage left it and once from its ideal cell, and keeps the
    better of the two: with other phases in the pattern the blurred start may lead astray.
    """
    n = len(peaks)
    strain, zero = np.zeros((n, 6)), np.zeros(n)
    similarity, width, stage = np.full(n, -1.0), np.full(n, np.nan), np.zeros(n, dtype=np.int64)
    order, coarse, first = settings.background_order, settings.widths[1::3], settings.stages[0]
    quick, full = (comparison(pattern, widths, settings.mixing, order) for widths in (coarse, settings.widths))
    most = np.array([settings.max_strain] * 6 + [settings.max_zero])
    strain[:, :3] = isotropic_start(pattern, peaks.strongest(first.n_peaks), first.blur, settings.max_strain)[:, None]
    alive = np.arange(n)
    for number, now in enumerate(settings.stages, start=1):
        rows = np.concatenate([alive, alive])
        starts = np.concatenate([strain[alive], np.zeros((len(alive), 6))])
        shifts = np.concatenate([zero[alive], np.zeros(len(alive))])
        some = peaks.strongest(now.n_peaks).select(rows)
        moved = descend(pattern, some, starts, shifts, blur=now.blur, steps=now.steps, most=most)
        last = number == len(settings.stages)
        met, widths = (full if last else quick).similarity(peaks.select(rows) if last else some, *moved)
        better = np.arange(len(alive)) + len(alive) * (met[len(alive) :] > met[: len(alive)])
        strain[alive], zero[alive] = moved[0][better], moved[1][better]
        similarity[alive], width[alive], stage[alive] = met[better], widths[better], number
        alive = alive[np.argsort(-similarity[alive], kind="stable")[: now.keep]]
    score = similarity - settings.strain_cost * ((strain / 0.01) ** 2).sum(axis=1)
    return Fits(similarity=similarity, score=score, stage=stage, strain=strain, zero=zero, width=width)
