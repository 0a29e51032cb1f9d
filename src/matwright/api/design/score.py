"""The score that ranks candidates: the probability that everything asked for holds, as far as the models can tell.

    score = Π_t P(target t is met) · Π_o P(better than the pool in objective o) · P(E_hull ≤ limit)

Each P comes from a belief: a two-sided normal distribution whose median is the prediction and whose halves reproduce
the calibrated interval. An objective has no bound to meet, so its factor is the probability of beating a candidate
drawn from the pool, whose centre and spread are fixed once, before relaxation. The factors are treated as
independent. This is the reward of E28 written as probabilities: the distance to the target and the uncertainty
penalty act together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, median
from typing import final

from matwright.api.design.records import Measurement
from matwright.materials.target import Target, TargetKind

STABLE = "stable"
"""Name of the factor that stands for stability."""
NARROWEST = 1e-9
"""A half width below this counts as certainty."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """A two-sided normal distribution for one number, in the unit of what it was made from.

    Attributes:
        median: half of the probability lies on either side.
        below, above: standard deviation of the lower and of the upper half.
    """

    median: float
    below: float
    above: float

    def at_most(self, value: float) -> float:
        """Probability that the number is at most `value`."""
        width = self.below if value < self.median else self.above
        if width < NARROWEST:
            return 1.0 if value >= self.median else 0.0
        return NormalDist().cdf((value - self.median) / width)

    def between(self, lower: float | None, upper: float | None) -> float:
        """Probability that the number lies between the bounds (None: no bound)."""
        high = 1.0 if upper is None else self.at_most(upper)
        low = 0.0 if lower is None else self.at_most(lower)
        return max(high - low, 0.0)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Centre and spread of one objective over the candidates that the surrogate saw.

    Attributes:
        centre: median.
        spread: half the distance between the 16th and the 84th percentile (a standard deviation, were it normal).
    """

    centre: float
    spread: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The product and its factors.

    Attributes:
        value: 0..1.
        factors: (name, probability), in the order targets, objectives, stability.
    """

    value: float
    factors: tuple[tuple[str, float], ...]


def belief(measured: Measurement) -> Belief:
    """The distribution that has the measurement's value as median and its interval as central quantiles.

    A measurement without an interval is taken as exact.
    """
    value = measured.value if measured.value is not None else math.nan
    if measured.lower is None or measured.upper is None or measured.level is None:
        return Belief(median=value, below=0.0, above=0.0)
    quantile = NormalDist().inv_cdf(0.5 + measured.level / 2)
    return Belief(
        median=value,
        below=max(value - measured.lower, 0.0) / quantile,
        above=max(measured.upper - value, 0.0) / quantile,
    )


def pool_of(values: Sequence[float]) -> Pool:
    """Centre and spread of an objective over the pool; a pool of equal values (or one) gets a spread of 0."""
    ordered = sorted(value for value in values if math.isfinite(value))
    if not ordered:
        return Pool(centre=0.0, spread=0.0)
    low = ordered[round(0.16 * (len(ordered) - 1))]
    high = ordered[round(0.84 * (len(ordered) - 1))]
    return Pool(centre=median(ordered), spread=(high - low) / 2)


def chance(target: Target, believed: Belief, pool: Pool | None = None) -> float:
    """Probability that the target is met, or for an objective that a candidate of the pool is beaten.

    Args:
        pool: needed for an objective; without it the factor is 1 (nothing to compare with).
    """
    if not target.is_objective:
        return believed.between(target.lower, target.upper)
    if pool is None:
        return 1.0
    ahead = believed.median - pool.centre
    if target.kind is TargetKind.MINIMISE:
        ahead = -ahead
    own = believed.above if (target.kind is TargetKind.MINIMISE) == (ahead > 0) else believed.below
    width = math.hypot(own, pool.spread)
    if width < NARROWEST:
        return 0.5 + 0.5 * (ahead > 0) - 0.5 * (ahead < 0)
    return NormalDist().cdf(ahead / width)


def score(
    targets: Sequence[Target],
    beliefs: Mapping[str, Belief],
    pools: Mapping[str, Pool],
    hull: Belief,
    stability: float,
) -> Score:
    """The score of one candidate.

    Args:
        targets: demands and objectives; each name must be in `beliefs`.
        beliefs: by property name, in the unit of its target.
        pools: by property name, for objectives.
        hull: energy above the hull, eV/atom.
        stability: largest energy above the hull that counts as stable, eV/atom.
    """
    factors = [(target.name, chance(target, beliefs[target.name], pools.get(target.name))) for target in targets]
    factors.append((STABLE, hull.at_most(stability)))
    return Score(value=math.prod(probability for _, probability in factors), factors=tuple(factors))
