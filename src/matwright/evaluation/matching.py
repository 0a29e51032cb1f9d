"""Do generated crystals find the reference's structures: METRe over a whole set, match rate crystal by crystal.

METRe (match everyone to reference): share of reference structures that any generated crystal matches; a generator that
repeats one good structure gains nothing. Match rate: share of reference structures that one of the k crystals generated
*for it* matches (structure prediction). Both with the root mean square displacement of `StructureMatcher`, which is
normalised by (V/n)^(1/3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.evaluation.generation import MatchSettings, StructureComparison, formula_key
from matwright.materials.crystal import Crystal

PREDICTION_MATCH = MatchSettings(ltol=0.3, stol=0.5, angle_tol=10.0)
"""The published tolerances of structure prediction."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRate:
    """How many of n reference structures are matched.

    Attributes:
        matched, n: counts.
        rms: mean over the matched of the smallest root mean square displacement, no unit; NaN for none.
    """

    matched: int
    n: int
    rms: float

    @property
    def value(self) -> float:
        """Matched / n; 0 for n = 0."""
        return self.matched / self.n if self.n else 0.0


def match_everyone(
    generated: Sequence[Crystal], reference: Sequence[Crystal], comparison: StructureComparison
) -> MatchRate:
    """METRe: every generated crystal may match every reference structure of its formula."""
    by_formula: dict[object, list[Crystal]] = {}
    for crystal in generated:
        by_formula.setdefault(formula_key(crystal), []).append(crystal)
    return match_rate([by_formula.get(formula_key(crystal), []) for crystal in reference], reference, comparison)


def match_rate(
    tries: Sequence[Sequence[Crystal]], reference: Sequence[Crystal], comparison: StructureComparison
) -> MatchRate:
    """Share of reference structures that one of their own tries matches; tries of another formula never do."""
    best = best_distances(tries, reference, comparison)
    found = best[np.isfinite(best)]
    return MatchRate(matched=len(found), n=len(best), rms=float(found.mean()) if len(found) else float("nan"))


def best_distances(
    tries: Sequence[Sequence[Crystal]], reference: Sequence[Crystal], comparison: StructureComparison
) -> NDArray[np.float64]:
    """(n,) smallest displacement of the tries of each reference structure; infinite where none matches."""
    return np.array(
        [
            min((comparison.distance(one, target) for one in own), default=np.inf)
            for own, target in zip(tries, reference, strict=True)
        ]
    )
