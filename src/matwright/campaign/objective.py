"""What a campaign is after: one objective to improve, and demands that a candidate has to meet.

Everything is turned so that larger is better: a quantity to minimise counts negative, one that shall have a value
counts as minus its distance from that value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from matwright.campaign.evaluator import Quantity
from matwright.errors import InputError
from matwright.materials.target import Target, TargetKind

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Guess:
    """What a surrogate expects of one quantity of n candidates.

    Attributes:
        mean, std: (n,) in the unit of the quantity.
        samples: (n_samples, n) joint draws, None where there are none.
    """

    mean: Array
    std: Array
    samples: Array | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """The targets of a campaign.

    Attributes:
        targets: demands and at most one quantity to minimise or maximise.

    Raises:
        InputError: at construction, when there is no target or several objectives.
    """

    targets: tuple[Target, ...]

    def __post_init__(self) -> None:
        if not self.targets:
            raise InputError("a campaign needs at least one target")
        objectives = [target.name for target in self.targets if target.is_objective]
        if len(objectives) > 1:
            raise InputError(f"a campaign has one objective, found {', '.join(objectives)}; state the others as bounds")

    @property
    def leading(self) -> Target:
        """What acquisition improves: the objective, else the first demand."""
        return next((target for target in self.targets if target.is_objective), self.targets[0])

    @property
    def demands(self) -> tuple[Target, ...]:
        """The targets that accept or reject."""
        return tuple(target for target in self.targets if not target.is_objective)

    @property
    def names(self) -> tuple[str, ...]:
        """The quantities that the targets speak of, each once."""
        return tuple(dict.fromkeys(target.name for target in self.targets))

    def knows(self, values: Mapping[str, Quantity]) -> bool:
        """Whether every quantity of the targets is known."""
        return all(name in values for name in self.names)

    def is_hit(self, values: Mapping[str, Quantity]) -> bool:
        """Whether every demand is met by what is known; what is not known meets nothing."""
        return self.knows(values) and all(bool(one.satisfied(values[one.name].value)) for one in self.demands)

    def n_met(self, values: Mapping[str, Quantity]) -> int:
        """How many demands the known values meet."""
        return sum(one.name in values and bool(one.satisfied(values[one.name].value)) for one in self.demands)

    def merit(self, values: Mapping[str, Quantity]) -> float | None:
        """How good a candidate is, larger is better: the leading quantity, turned; None where it is not known."""
        found = values.get(self.leading.name)
        return None if found is None else float(self._turned(np.array([found.value]))[0])

    def bar(self) -> float | None:
        """The merit from which on the leading demand is met; None for an objective, which has no end."""
        target = self.leading
        if target.is_objective:
            return None
        bound = target.upper if target.kind is TargetKind.MAXIMUM else target.lower
        return float(self._turned(np.array([bound], dtype=np.float64))[0])

    def turned(self, guess: Guess) -> Guess:
        """What is expected of the merit, from what is expected of the leading quantity."""
        if self.leading.kind in (TargetKind.RANGE, TargetKind.VALUE):
            return _distance(guess, float(self.leading.centre or 0.0))
        sign = self._sign
        samples = None if guess.samples is None else sign * guess.samples
        return Guess(mean=sign * guess.mean, std=guess.std, samples=samples)

    def feasible(self, guesses: Mapping[str, Guess], n: int) -> Array:
        """(n,) probability that the demands beside the leading one are met, taken as independent and normal."""
        chance = np.ones(n)
        for target in self.demands:
            if target is not self.leading and target.name in guesses:
                chance *= _chance(target, guesses[target.name])
        return chance

    @property
    def _sign(self) -> float:
        return -1.0 if self.leading.kind in (TargetKind.MINIMISE, TargetKind.MAXIMUM) else 1.0

    def _turned(self, values: Array) -> Array:
        if self.leading.kind in (TargetKind.RANGE, TargetKind.VALUE):
            return -np.abs(values - float(self.leading.centre or 0.0))
        return self._sign * values


def _distance(guess: Guess, centre: float) -> Guess:
    """Minus the distance of a normal number from a centre: mean and spread of the folded normal (Leone 1961)."""
    shift, std = guess.mean - centre, np.maximum(guess.std, 1e-12)
    density = np.sqrt(2 / np.pi) * np.exp(-0.5 * (shift / std) ** 2)
    mean = std * density + shift * (1 - 2 * ndtr(-shift / std))
    spread = np.sqrt(np.maximum(shift**2 + std**2 - mean**2, 0.0))
    samples = None if guess.samples is None else -np.abs(guess.samples - centre)
    return Guess(mean=-mean, std=spread, samples=samples)


def _chance(target: Target, guess: Guess) -> Array:
    std = np.maximum(guess.std, 1e-12)
    high = 1.0 if target.upper is None else ndtr((target.upper - guess.mean) / std)
    low = 0.0 if target.lower is None else ndtr((target.lower - guess.mean) / std)
    return np.asarray(np.maximum(high - low, 0.0))


def best_merit(goal: Goal, known: Sequence[Mapping[str, Quantity]]) -> float | None:
    """The best merit among those that meet every demand beside the leading one; None where there is none."""
    others = [target for target in goal.demands if target is not goal.leading]
    merits = [
        merit
        for values in known
        if (merit := goal.merit(values)) is not None
        and all(one.name in values and bool(one.satisfied(values[one.name].value)) for one in others)
    ]
    return max(merits, default=None)
