"""The reward of a crystal (E28), term by term.

    R(S) = −Σ_t min(d_t / s_t, 2) + λ_m M + λ_s T − λ_u U,    M = Π_t P_t · T · (1 − X)
    T = exp(−(max(E_hull, 0) + max(−E_hull − p, 0)) / h)

| symbol | variable |
| --- | --- |
| d_t | expected distance to target t of a normal variable with the predicted mean and k times the standard deviation |
| s_t | `Scale.reach`: the distance of the untuned generator's median crystal, at least the spread of its crystals |
| P_t, k, λ_m | probability that this variable meets target t, 0 outside the margin; `RewardConfig.doubt`, `met` |
| T, λ_s, h, p | `RewardConfig.stability`, `hull_scale`, `plausible`: farther below the hull a model rather errs |
| X | the domain score's excess over `RewardConfig.domain_limit`, 0..1 |
| U | mean over targets of σ_t / (σ_t + spread), σ_t epistemic, plus X |

So a target costs about 1 at the start and nothing where it is surely met; the distance leads there from afar, the
probability counts near by, and only as far as stability and domain support it. A hit lies inside every target with a
margin of standard deviations, and each P_t is at least `RewardConfig.chance`. The scalarisation of several targets is
the plain sum of distances and the product of probabilities. A target to minimise or maximise has no distance: it adds
−z / (1 + |z|), z the number of spreads by which the value is worse than the untuned median. Invalid crystals and those
that no model can judge get the floor, which lies below every other reward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.generation.rl.settings import RewardConfig
from matwright.generation.rl.surrogate import BAND_GAP, FORMATION_ENERGY, HULL_DISTANCE, VALENCE
from matwright.materials.target import Target, TargetKind
from matwright.models.interface import Prediction

Floats = NDArray[np.float64]
_SMALLEST_SPREAD = 1e-6
FARTHEST = 2.0
"""Largest loss of one target, in units of `Scale.reach`."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What one property looks like among crystals of the untuned generator, in its unit.

    Attributes:
        centre: median.
        spread: half the distance between the 16th and the 84th percentile.
    """

    centre: float
    spread: float

    def reach(self, target: Target) -> float:
        """The distance that counts as 1, in the unit of the target."""
        return max(float(target.distance(self.centre)), self.spread)

    @classmethod
    def of(cls, values: Floats) -> Scale:
        """The scale of some values; NaN is left out.

        Raises:
            InputError: there is no number.
        """
        finite = values[np.isfinite(values)]
        if len(finite) == 0:
            raise InputError("none of the first crystals has a prediction: the reward has no scale")
        low, centre, high = np.percentile(finite, [16, 50, 84])
        return cls(centre=float(centre), spread=max(float(high - low) / 2, _SMALLEST_SPREAD))


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RewardTerms:
    """The reward of n crystals and what it is made of, (n,) each.

    Attributes:
        target: −Σ over targets, each in −2..1.
        met: M before its weight, 0..1.
        stability: before its weight, 0..1.
        uncertainty: U before its weight, 0..2.
        total: R; the floor where a crystal is invalid or cannot be judged.
        hit: bool, the predicted values lie inside every target that accepts or rejects, with the margin to spare and
            a fair chance to be right.
        objectives: (n, n_targets) one column a target, smaller is better: the distance, or the signed value.
    """

    target: Floats
    met: Floats
    stability: Floats
    uncertainty: Floats
    total: Floats
    hit: NDArray[np.bool_]
    objectives: Floats


@final
class Reward:
    """E28 for some targets.

    Args:
        targets: what is asked for.
        scales: of each target's property, by name.
        config: the weights.

    Raises:
        InputError: there is no target.
    """

    def __init__(self, targets: Sequence[Target], scales: Mapping[str, Scale], config: RewardConfig) -> None:
        if not targets:
            raise InputError("say what you want: at least one target")
        self.targets, self.scales, self.config = tuple(targets), dict(scales), config

    @property
    def floor(self) -> float:
        """The reward of an invalid crystal, below that of every valid one."""
        return -FARTHEST * len(self.targets) - 2 * self.config.uncertainty - 0.5

    def __call__(self, predictions: Mapping[str, Prediction]) -> RewardTerms:
        """The terms of n crystals that passed the contact rules."""
        believed = self.believed(predictions)
        losses = [self._loss(target, believed[target.name]) for target in self.targets]
        target = -np.sum(losses, axis=0)
        demands = [(t, believed[t.name]) for t in self.targets if not t.is_objective]
        inside = [self._inside(*demand) for demand in demands]
        chances = [self._chance(*demand) for demand in demands]
        likely = [chance >= self.config.chance for chance in chances]
        stability, uncertainty = self._stability(believed), self._uncertainty(believed)
        met = np.prod(chances, axis=0) * np.logical_and.reduce(inside) if demands else np.zeros_like(target)
        if self.config.discounted:
            met = met * stability * (1 - self._excess(believed))
        total = (
            target + self.config.met * met + self.config.stability * stability - self.config.uncertainty * uncertainty
        )
        judged = np.isfinite(total)
        return RewardTerms(
            target=target,
            met=met,
            stability=stability,
            uncertainty=uncertainty,
            total=np.where(judged, total, self.floor),
            hit=np.logical_and.reduce([judged, *inside, *likely]),
            objectives=np.stack([objective(t, believed[t.name].mean) for t in self.targets], axis=1),
        )

    def believed(self, predictions: Mapping[str, Prediction]) -> dict[str, Prediction]:
        """The predictions, corrected where physics says that a model rather errs.

        The formation energy beats the known hull by no more than `plausible`: known hulls are seldom beaten by more.
        Where a gap is asked for, a crystal without usual valences (`RewardConfig.valence`) has none.
        """
        believed = dict(predictions)
        above = predictions[HULL_DISTANCE]
        lift = np.maximum(-self.config.plausible - above.mean, 0.0)
        if FORMATION_ENERGY in believed:
            formation = believed[FORMATION_ENERGY]
            believed[FORMATION_ENERGY] = replace(formation, mean=formation.mean + lift)
        if self.config.valence > 0 and any(target.asks_for_a_gap for target in self.targets):
            gap, usual = believed[BAND_GAP], predictions[VALENCE.name].mean >= self.config.valence
            believed[BAND_GAP] = replace(gap, mean=np.where(usual, gap.mean, np.minimum(gap.mean, 0.0)))
        return believed

    def _loss(self, target: Target, prediction: Prediction) -> Floats:
        """(n,) in 0..`FARTHEST` for a demand, −1..1 for an objective."""
        scale = self.scales[target.name]
        if not target.is_objective:
            distance = expected_distance(target, prediction.mean, self.config.doubt * prediction.std)
            return np.minimum(distance / scale.reach(target), FARTHEST)
        worse = (prediction.mean - scale.centre) / scale.spread * (1 if target.kind is TargetKind.MINIMISE else -1)
        return np.asarray(worse / (1 + np.abs(worse)))

    def _inside(self, target: Target, prediction: Prediction) -> NDArray[np.bool_]:
        """(n,) bool, the mean meets the target with the margin to spare."""
        spare = self.config.margin * prediction.std
        if target.lower is not None and target.upper is not None:
            spare = np.minimum(spare, (target.upper - target.lower) / 4)
        return np.asarray(target.satisfied(prediction.mean - spare) & target.satisfied(prediction.mean + spare))

    def _chance(self, target: Target, prediction: Prediction) -> Floats:
        """(n,) P_t."""
        return probability_met(target, prediction.mean, self.config.doubt * prediction.std)

    def _stability(self, predictions: Mapping[str, Prediction]) -> Floats:
        above = predictions[HULL_DISTANCE].mean
        off = np.maximum(above, 0.0) + np.maximum(-above - self.config.plausible, 0.0)
        return np.asarray(np.exp(-off / self.config.hull_scale))

    def _uncertainty(self, predictions: Mapping[str, Prediction]) -> Floats:
        spreads = []
        for target in self.targets:
            sigma, usual = predictions[target.name].epistemic, self.scales[target.name].spread
            spreads.append(sigma / (sigma + usual))
        return np.asarray(np.mean(spreads, axis=0) + self._excess(predictions))

    def _excess(self, predictions: Mapping[str, Prediction]) -> Floats:
        """(n,) 0 within the limit of the domain, 1 where nothing like it was learned."""
        domain = predictions[self.targets[0].name].domain_score
        limit = self.config.domain_limit
        return np.where(np.isnan(domain), 0.0, np.clip((domain - limit) / (1 - limit), 0.0, 1.0))


def expected_distance(target: Target, mean: Floats, std: Floats) -> Floats:
    """(n,) E[d(x)] for x ~ N(mean, std²), in the unit of the target: a prediction near a bound may miss it.

    E[max(b − x, 0)] = σ (u Φ(u) + φ(u)) with u = (b − μ)/σ, and likewise above.
    """
    sigma = np.maximum(std, _SMALLEST_SPREAD)
    total = np.zeros(len(mean))
    for bound, sign in ((target.lower, 1.0), (target.upper, -1.0)):
        if bound is not None:
            u = sign * (bound - mean) / sigma
            total += sigma * (u * _normal_share(u) + np.exp(-0.5 * u**2) / np.sqrt(2 * np.pi))
    return total


def probability_met(target: Target, mean: Floats, std: Floats) -> Floats:
    """(n,) P(x is accepted) for x ~ N(mean, std²), 0 where the mean is not accepted.

    Without that cut a larger standard deviation would pay wherever the mean misses the target.
    """
    sigma = np.maximum(std, _SMALLEST_SPREAD)
    below = 0.0 if target.lower is None else _normal_share((target.lower - mean) / sigma)
    above = 0.0 if target.upper is None else _normal_share((mean - target.upper) / sigma)
    return np.clip(1.0 - below - above, 0.0, 1.0) * target.satisfied(mean)


def _normal_share(u: Floats) -> Floats:
    from scipy.special import ndtr  # heavy: behind its door

    return np.asarray(ndtr(u))


def objective(target: Target, value: Floats) -> Floats:
    """(n,) what a Pareto front compares, smaller is better, in the target's unit."""
    if not target.is_objective:
        return target.distance(value)
    return np.asarray(value if target.kind is TargetKind.MINIMISE else -value)


def nondominated(values: Floats) -> NDArray[np.bool_]:
    """(n,) which rows of (n, n_objectives) no other row beats: nowhere worse and somewhere better."""
    front = np.ones(len(values), dtype=bool)
    for column in np.lexsort(values.T[::-1]):  # in this order only earlier rows can dominate
        rows = np.flatnonzero(front)
        no_worse = (values[rows] <= values[column]).all(1)
        better = (values[rows] < values[column]).any(1)
        front[column] = not (no_worse & better).any()
    return front
