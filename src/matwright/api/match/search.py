"""From a measured pattern to a ranked list of crystals: learned short list, then a fit of each of its members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError, MatwrightError
from matwright.physics.diffraction.axis import AxisPattern
from matwright.physics.diffraction.background import without_background
from matwright.physics.diffraction.fit import FitSettings, fit_candidates
from matwright.physics.diffraction.peaks import Peaks, side_by_side

if TYPE_CHECKING:
    from matwright.api.match.library import MatchLibrary
    from matwright.api.match.model import Matcher

MOST_PEAKS = 512
"""Peaks of a candidate that are fitted, the strongest first."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """How a pattern is searched for.

    Attributes:
        shortlist: crystals that the learned embedding passes on to the fit, at least 1.
        allowed: atomic numbers that a crystal may hold; empty for all.
        required: atomic numbers that it must hold.
        fit: of the candidates.
    """

    shortlist: int = 100
    allowed: frozenset[int] = frozenset()
    required: frozenset[int] = frozenset()
    fit: FitSettings = field(default_factory=FitSettings)

    def __post_init__(self) -> None:
        if self.shortlist < 1:
            raise InputError(f"the short list has at least 1 place, found {self.shortlist}")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Match:
    """One crystal of the library beside the pattern.

    Attributes:
        index: place in the library.
        similarity: cosine between measured and fitted pattern, background left out, at most 1.
        score: similarity less the cost of the strain; the rank follows it.
        embedding: similarity in the learned space.
        strain: (6,) fitted strain in Mandel order.
        zero: fitted zero shift in degrees on the common axis.
        width: full width at half maximum in degrees on the common axis, NaN where no fit came so far.
        peaks: of the crystal.
    """

    index: int
    similarity: float
    score: float
    embedding: float
    strain: NDArray[np.float64]
    zero: float
    width: float
    peaks: Peaks

    @property
    def volume_strain(self) -> float:
        """Relative change of the cell's volume by the fitted strain."""
        return float(self.strain[:3].sum())


def search(
    pattern: AxisPattern, library: MatchLibrary, matcher: Matcher, settings: SearchSettings | None = None
) -> list[Match]:
    """Return the fitted crystals of the short list, best first.

    Raises:
        InputError: no crystal of the library has the elements asked for, or none of the short list gives a pattern.
    """
    settings = settings or SearchSettings()
    return rank(without_background(pattern), library, matcher, settings)


def rank(pattern: AxisPattern, library: MatchLibrary, matcher: Matcher, settings: SearchSettings) -> list[Match]:
    """As `search`, of a pattern whose background is subtracted already."""
    candidates, similarity = shortlist(pattern, library, matcher, settings)
    kept: list[int] = []
    peaks: list[Peaks] = []
    for place, index in enumerate(candidates.tolist()):
        try:
            peaks.append(library.peaks(index))
            kept.append(place)
        except MatwrightError:  # an element without scattering factors: it cannot explain the pattern
            continue
    if not kept:
        raise InputError("none of the crystals that were looked at gives a powder pattern")
    fits = fit_candidates(pattern, side_by_side(peaks, MOST_PEAKS), settings.fit)
    return [
        Match(
            index=int(candidates[kept[row]]),
            similarity=float(fits.similarity[row]),
            score=float(fits.score[row]),
            embedding=float(similarity[kept[row]]),
            strain=fits.strain[row],
            zero=float(fits.zero[row]),
            width=float(fits.width[row]),
            peaks=peaks[row],
        )
        for row in fits.order.tolist()
    ]


def shortlist(
    pattern: AxisPattern, library: MatchLibrary, matcher: Matcher, settings: SearchSettings
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The places of the most similar crystals by the embedding, best first, and their similarities.

    Raises:
        InputError: no crystal of the library has the elements asked for.
    """
    chosen = eligible(library.elements, settings)
    if len(chosen) == 0:
        raise InputError("no crystal of the library is made of the elements asked for")
    similarity = library.vectors[chosen] @ matcher.query(pattern.intensity[None])[0]
    best = np.argsort(-similarity, kind="stable")[: settings.shortlist]
    return chosen[best], similarity[best]


def eligible(elements: NDArray[np.bool_], settings: SearchSettings) -> NDArray[np.int64]:
    """The places of the crystals that the elements asked for permit."""
    good = np.ones(len(elements), dtype=bool)
    if settings.allowed:
        others = np.ones(elements.shape[1], dtype=bool)
        others[sorted(settings.allowed | settings.required)] = False
        good &= ~elements[:, others].any(axis=1)
    for number in sorted(settings.required):
        good &= elements[:, number]
    return np.flatnonzero(good)


def profiles_of(matches: Sequence[Match], settings: FitSettings) -> NDArray[np.float64]:
    """(n, n_widths, N_POINTS) fitted profiles of matches in all widths, each for one unit of volume of its crystal."""
    from matwright.physics.diffraction.profile import broadened, histogram, profile_transform

    table = side_by_side([match.peaks for match in matches], MOST_PEAKS)
    strain = np.array([match.strain for match in matches])
    angles = table.angles(strain, np.array([match.zero for match in matches]))
    spectrum = np.fft.rfft(histogram(angles, table.area), axis=1)
    return broadened(spectrum[:, None], profile_transform(np.array(settings.widths), settings.mixing))
