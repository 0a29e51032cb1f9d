"""Acquisition: which candidates to evaluate next, from what a surrogate believes of them.

A score is higher for a candidate that is more worth an evaluation. Values are to be maximised; give −value to minimise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from matwright.errors import InputError

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Belief:
    """What a surrogate believes of n candidates.

    Attributes:
        mean: (n,) expected value.
        std: (n,) standard deviation of what is not known (epistemic), in the same unit.
        samples: (n_samples, n) joint draws, for instance the members of an ensemble; None where there are none.
        place: (n, width) where the candidates lie, for the diversity of a batch; None where that is not known.
        cost: (n,) CPU seconds of an evaluation; None where all cost the same.
        feasible: (n,) probability that the constraints hold, in [0, 1]; None where there are none.
    """

    mean: Array
    std: Array
    samples: Array | None = None
    place: Array | None = None
    cost: Array | None = None
    feasible: Array | None = None

    def __post_init__(self) -> None:
        n = len(self.mean)
        for name in ("std", "cost", "feasible"):
            values = getattr(self, name)
            if values is not None and values.shape != (n,):
                raise InputError(f"{name} needs shape ({n},), found {values.shape}")
        if not np.isfinite(self.mean).all() or not (np.isfinite(self.std) & (self.std >= 0)).all():
            raise InputError("a belief needs finite means, and standard deviations of at least 0")
        if self.samples is not None and self.samples.shape[1:] != (n,):
            raise InputError(f"samples need shape (n_samples, {n}), found {self.samples.shape}")
        if self.place is not None and len(self.place) != n:
            raise InputError(f"places are needed for {n} candidates, found {len(self.place)}")
        if self.cost is not None and not (self.cost > 0).all():
            raise InputError("a cost is above 0")


@final
class Acquisition(Enum):
    """How the next candidates are chosen."""

    GREEDY = "greedy"
    UCB = "ucb"
    EXPECTED_IMPROVEMENT = "ei"
    PROBABILITY = "probability"
    THOMPSON = "thompson"
    RANDOM = "random"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AcquisitionSettings:
    """How a batch is chosen.

    Attributes:
        kind: greedy (mean), ucb (mean + beta·std), ei (expected improvement over the best so far), probability (of an
            improvement), thompson (each place of the batch goes to the best of one draw) or random (what the others
            have to beat).
        beta: weight of the standard deviation in ucb.
        diversity: 0 for the best scores; above, every candidate chosen lowers the scores near it by up to this share.
    """

    kind: Acquisition = Acquisition.EXPECTED_IMPROVEMENT
    beta: float = 1.0
    diversity: float = 0.0

    def __post_init__(self) -> None:
        if self.beta < 0 or not 0 <= self.diversity <= 1:
            raise InputError("beta is at least 0, and diversity lies in 0..1")


def greedy(belief: Belief, _best: float, _settings: AcquisitionSettings) -> Array:
    """(n,) the expected value: exploits, never explores."""
    return belief.mean


def upper_confidence_bound(belief: Belief, _best: float, settings: AcquisitionSettings) -> Array:
    """(n,) μ + β σ (Srinivas 2010)."""
    return belief.mean + settings.beta * belief.std


def expected_improvement(belief: Belief, best: float, _settings: AcquisitionSettings) -> Array:
    """(n,) E[max(0, y − best)] = (μ − best) Φ(z) + σ φ(z), z = (μ − best)/σ (Jones 1998)."""
    gain = belief.mean - best
    std = np.maximum(belief.std, 1e-300)
    z = np.clip(gain / std, -1e3, 1e3)
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return np.where(belief.std > 0, np.maximum(gain * ndtr(z) + std * density, 0.0), np.maximum(gain, 0.0))


def probability_of_improvement(belief: Belief, best: float, _settings: AcquisitionSettings) -> Array:
    """(n,) P(y ≥ best) = Φ((μ − best)/σ) (Kushner 1964); 0 or 1 where σ is 0."""
    gain = belief.mean - best
    std = np.maximum(belief.std, 1e-300)
    return np.where(belief.std > 0, ndtr(np.clip(gain / std, -1e3, 1e3)), (gain >= 0).astype(float))


_SCORES: Mapping[Acquisition, Callable[[Belief, float, AcquisitionSettings], Array]] = MappingProxyType(
    {
        Acquisition.GREEDY: greedy,
        Acquisition.UCB: upper_confidence_bound,
        Acquisition.EXPECTED_IMPROVEMENT: expected_improvement,
        Acquisition.PROBABILITY: probability_of_improvement,
    }
)


_GAINS = (Acquisition.EXPECTED_IMPROVEMENT, Acquisition.PROBABILITY)


def choose(
    belief: Belief, n: int, *, best: float, settings: AcquisitionSettings, rng: np.random.Generator
) -> NDArray[np.int64]:
    """(≤ n,) indices of the candidates to evaluate next, the most wanted first; all of them where there are fewer.

    Args:
        belief: of the candidates.
        n: size of the batch.
        best: the best value known so far.
        settings: how.
        rng: draws for thompson, and decides between equal scores.
    """
    size = min(n, len(belief.mean))
    order = rng.permutation(len(belief.mean))  # equal scores are taken in a random order, not by their place in a table
    if settings.kind is Acquisition.RANDOM:
        return order[:size]
    if settings.kind is Acquisition.THOMPSON:
        return _thompson(belief, size, order, rng)
    scores = _weighted(_SCORES[settings.kind](belief, best, settings), belief, gains=settings.kind in _GAINS)
    if settings.diversity == 0 or belief.place is None:
        return order[np.argsort(-scores[order], kind="stable")][:size]
    return _diverse(scores, belief.place, size, settings.diversity, order)


def _weighted(scores: Array, belief: Belief, *, gains: bool = False) -> Array:
    """Scores above the worst, times the chance that the constraints hold, a CPU second.

    A score that is a gain already (expected improvement, a probability) counts from 0.
    """
    if belief.feasible is None and belief.cost is None:
        return scores
    gain = scores if gains else scores - scores.min()
    weight = np.ones_like(gain) if belief.feasible is None else belief.feasible
    weighted: Array = gain * weight if belief.cost is None else gain * weight / belief.cost
    return weighted


def _thompson(belief: Belief, size: int, order: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """One draw a place of the batch; its best candidate that is not chosen yet."""
    chosen: list[int] = []
    free = np.ones(len(belief.mean), dtype=bool)
    for _ in range(size):
        if belief.samples is None:
            draw = belief.mean + belief.std * rng.standard_normal(len(belief.mean))
        else:
            draw = belief.samples[rng.integers(len(belief.samples))]
        scores = np.where(free, _weighted(draw, belief), -np.inf)
        pick = int(order[np.argmax(scores[order])])
        chosen.append(pick)
        free[pick] = False
    return np.array(chosen, dtype=np.int64)


def _diverse(scores: Array, place: Array, size: int, diversity: float, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """One after the other; each one chosen lowers what lies near it, within the typical distance of the best ones."""
    shortlist = order[np.argsort(-scores[order], kind="stable")][: max(20 * size, 200)]
    value = scores[shortlist] - scores[shortlist].min()
    value = value / (value.max() or 1.0) + 1e-12
    points = place[shortlist]
    centre = points - points.mean(axis=0)
    width = float(np.sqrt((centre**2).sum(axis=1).mean())) or 1.0
    left = value.copy()
    chosen: list[int] = []
    for _ in range(min(size, len(shortlist))):
        pick = int(np.argmax(left))
        chosen.append(pick)
        near = np.exp(-((points - points[pick]) ** 2).sum(axis=1) / (2 * (0.5 * width) ** 2))
        left = left * (1.0 - diversity * near)
        left[chosen] = -np.inf
    return shortlist[chosen]
