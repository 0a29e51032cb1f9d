"""Learning rates as functions of how much of the budget is spent."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from matwright.training.settings import FitSettings, Schedule

Shape = Callable[[float, float, FitSettings], float]
"""(share of the budget after warm-up in [0, 1], epochs done so far, settings) → factor of the peak rate."""


def _cosine(share: float, _epochs: float, settings: FitSettings) -> float:
    return settings.final_rate + (1 - settings.final_rate) * 0.5 * (1 + math.cos(math.pi * share))


def _linear(share: float, _epochs: float, settings: FitSettings) -> float:
    return settings.final_rate + (1 - settings.final_rate) * (1 - share)


def _exponential(_share: float, epochs: float, settings: FitSettings) -> float:
    return settings.decay ** math.floor(epochs)


def _constant(_share: float, _epochs: float, _settings: FitSettings) -> float:
    return 1.0


SHAPES: Mapping[Schedule, Shape] = {
    Schedule.COSINE: _cosine,
    Schedule.LINEAR: _linear,
    Schedule.EXPONENTIAL: _exponential,
    Schedule.CONSTANT: _constant,
}


def learning_rate(settings: FitSettings, *, spent: float, epochs: float) -> float:
    """Return the learning rate when the share `spent` of the budget, in [0, 1], and `epochs` passes are done.

    The rate rises linearly over the first `warm_up` of the budget and follows the schedule's shape from there.
    """
    spent = min(max(spent, 0.0), 1.0)
    if spent < settings.warm_up:
        return settings.learning_rate * max(spent / settings.warm_up, 1e-3)
    share = (spent - settings.warm_up) / (1 - settings.warm_up)
    return settings.learning_rate * SHAPES[settings.schedule](share, epochs, settings)
