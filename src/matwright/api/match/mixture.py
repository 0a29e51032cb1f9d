"""Several phases in one pattern: the best match, then whatever explains what is left, and how much of each there is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from matwright.api.match.search import Match, SearchSettings, profiles_of, rank
from matwright.physics.diffraction.axis import AxisPattern
from matwright.physics.diffraction.background import without_background
from matwright.physics.diffraction.phases import PhaseAmounts, phase_amounts

if TYPE_CHECKING:
    from matwright.api.match.library import MatchLibrary
    from matwright.api.match.model import Matcher

LEAST_GAIN = 0.02
"""Share of the pattern's sum of squares that a further phase must explain to be taken in."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixture:
    """The phases that together explain a pattern, in the order in which they were found.

    Attributes:
        phases: (n,) at least one.
        amounts: of the phases.
    """

    phases: tuple[Match, ...]
    amounts: PhaseAmounts

    @property
    def profiles(self) -> NDArray[np.float64]:
        """(n, N_POINTS) what each phase adds to the pattern."""
        return self.amounts.contributions


def find_mixture(
    pattern: AxisPattern,
    first: Match,
    library: MatchLibrary,
    matcher: Matcher,
    settings: SearchSettings,
    most: int,
) -> Mixture:
    """Add to the first match the crystal that best explains the rest of the pattern, while it explains enough.

    Args:
        pattern: background subtracted.
        first: the best match of the whole pattern.
        library, matcher, settings: of the search; the rest of the pattern is searched for like a pattern.
        most: largest number of phases, at least 1.
    """
    mixture = _mixed(pattern, (first,), library, settings)
    while len(mixture.phases) < most:
        rest = replace(pattern, intensity=pattern.intensity - mixture.profiles.sum(axis=0))
        rest.intensity[: rest.first], rest.intensity[rest.last :] = 0.0, 0.0
        rest = without_background(rest)  # what was left under the peaks weighs more now
        known = {match.index for match in mixture.phases}
        found = [match for match in rank(rest, library, matcher, settings)[:5] if match.index not in known]
        tried = [_mixed(pattern, (*mixture.phases, match), library, settings) for match in found]
        better = max(tried, key=lambda one: one.amounts.explained, default=mixture)
        if better.amounts.explained < mixture.amounts.explained + LEAST_GAIN or (better.amounts.amount == 0).any():
            break
        mixture = better
    return mixture


def _mixed(pattern: AxisPattern, phases: tuple[Match, ...], library: MatchLibrary, settings: SearchSettings) -> Mixture:
    from matwright.physics.geometry import density  # behind its door with the physics

    profiles = profiles_of(phases, settings.fit)
    densities = np.array([density(library.crystals[match.index]) / (1.0 + match.volume_strain) for match in phases])
    amounts = phase_amounts(pattern, profiles, densities, settings.fit.background_order)
    return Mixture(phases=phases, amounts=amounts)
