"""The reward of a crystal (E28), term by term.

    R(S) = −Σ_t min(d_t / s_t, 2) + λ_s · exp(−max(E_hull, 0) / h) − λ_u · U(S)

| symbol | variable |
| --- | --- |
| d_t | distance of the predicted property to target t |
| s_t | `Scale.reach`: the distance of the untuned generator's median crystal, at least the spread of its crystals |
| λ_s, h | `RewardConfig.stability`, `hull_scale` |
| U | mean over targets of σ_t / (σ_t + spread), σ_t epistemic, plus the domain score's excess over its limit |

So a target costs nothing where it is met and about 1 at the start; the scalarisation of several targets is their plain
sum. A target to minimise or maximise has no distance: it adds −z / (1 + |z|), z the number of spreads by which the
value is worse than the untuned median. Invalid crystals and those that no model can judge get the floor, which lies
below every other reward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.generation.rl.settings import RewardConfig
from matwright.generation.rl.surrogate import HULL_DISTANCE
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
        stability: before its weight, 0..1.
        uncertainty: U before its weight, 0..2.
        total: R; the floor where a crystal is invalid or cannot be judged.
        hit: bool, every target that accepts or rejects is met by the predicted values.
        objectives: (n, n_targets) one column a target, smaller is better: the distance, or the signed value.
    """

    target: Floats
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
        losses = [self._loss(target, predictions[target.name].mean) for target in self.targets]
        target = -np.sum(losses, axis=0)
        stability = self._stability(predictions)
        uncertainty = self._uncertainty(predictions)
        total = target + self.config.stability * stability - self.config.uncertainty * uncertainty
        demands = [t.satisfied(predictions[t.name].mean) for t in self.targets if not t.is_objective]
        judged = np.isfinite(total)
        return RewardTerms(
            target=target,
            stability=stability,
            uncertainty=uncertainty,
            total=np.where(judged, total, self.floor),
            hit=np.logical_and.reduce([judged, *demands]),
            objectives=np.stack([objective(t, predictions[t.name].mean) for t in self.targets], axis=1),
        )

    def _loss(self, target: Target, value: Floats) -> Floats:
        """(n,) in 0..`FARTHEST` for a demand, −1..1 for an objective."""
        scale = self.scales[target.name]
        if not target.is_objective:
            return np.minimum(target.distance(value) / scale.reach(target), FARTHEST)
        worse = (value - scale.centre) / scale.spread * (1 if target.kind is TargetKind.MINIMISE else -1)
        return np.asarray(worse / (1 + np.abs(worse)))

    def _stability(self, predictions: Mapping[str, Prediction]) -> Floats:
        above = predictions[HULL_DISTANCE].mean
        return np.asarray(np.exp(-np.maximum(above, 0.0) / self.config.hull_scale))

    def _uncertainty(self, predictions: Mapping[str, Prediction]) -> Floats:
        spreads = []
        for target in self.targets:
            sigma, usual = predictions[target.name].epistemic, self.scales[target.name].spread
            spreads.append(sigma / (sigma + usual))
        domain = predictions[self.targets[0].name].domain_score
        limit = self.config.domain_limit
        excess = np.clip((domain - limit) / (1 - limit), 0.0, 1.0)
        return np.asarray(np.mean(spreads, axis=0) + np.where(np.isnan(domain), 0.0, excess))


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
