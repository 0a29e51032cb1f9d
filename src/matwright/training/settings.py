"""How a model is trained: budget, optimiser, schedule, averaging, augmentation; and the named protocols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import final

from matwright.errors import InputError


@final
class Schedule(StrEnum):
    """How the learning rate moves over the budget (see `training.schedule`)."""

    COSINE = "cosine"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"
    CONSTANT = "constant"


@final
class Optimiser(StrEnum):
    """ADAM couples weight decay to the gradient (the paper); ADAMW keeps it apart."""

    ADAM = "adam"
    ADAMW = "adamw"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """Settings of one fit; exactly one of `epochs` and `minutes` is the budget.

    Attributes:
        epochs: passes over the training records, at least 1.
        minutes: CPU minutes of the training process, above 0.
        batch_size: records a step, at least 1.
        learning_rate: peak step size (no unit).
        optimiser: update rule.
        schedule: shape of the learning rate after warm-up.
        warm_up: share of the budget with linearly rising rate, in [0, 1).
        final_rate: rate at the end of COSINE and LINEAR as a share of the peak, in [0, 1].
        decay: factor an epoch of EXPONENTIAL, in (0, 1].
        weight_decay: strength of weight decay, at least 0.
        clip: largest gradient norm, None for no clipping.
        average: decay of the exponential moving average of the weights a step, in (0, 1); None for none.
        perturbation: standard deviation of random displacements of the atoms in Å, at least 0.
        strain: standard deviation of the components of a random strain of the cell, at least 0.
        patience: epochs without a better validation score until the fit stops, None for never; with it the best
            weights are kept, without it the last.
        save_seconds: wall time between two saved states, in s.
    """

    epochs: int | None = None
    minutes: float | None = None
    batch_size: int = 64
    learning_rate: float = 4e-3
    optimiser: Optimiser = Optimiser.ADAMW
    schedule: Schedule = Schedule.COSINE
    warm_up: float = 0.05
    final_rate: float = 0.0
    decay: float = 0.95
    weight_decay: float = 1e-2
    clip: float | None = 1.0
    average: float | None = 0.998
    perturbation: float = 0.0
    strain: float = 0.0
    patience: int | None = None
    save_seconds: float = 20.0

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.minutes is None):
            raise InputError("a fit needs a budget: give either epochs or minutes, not both and not none")
        _check("epochs", self.epochs, self.epochs is None or self.epochs >= 1, "at least 1")
        _check("minutes", self.minutes, self.minutes is None or self.minutes > 0, "above 0")
        _check("batch_size", self.batch_size, self.batch_size >= 1, "at least 1")
        _check("learning_rate", self.learning_rate, self.learning_rate > 0, "above 0")
        _check("warm_up", self.warm_up, 0 <= self.warm_up < 1, "in [0, 1)")
        _check("final_rate", self.final_rate, 0 <= self.final_rate <= 1, "in [0, 1]")
        _check("decay", self.decay, 0 < self.decay <= 1, "in (0, 1]")
        _check("weight_decay", self.weight_decay, self.weight_decay >= 0, "at least 0")
        _check("clip", self.clip, self.clip is None or self.clip > 0, "above 0 or none")
        _check("average", self.average, self.average is None or 0 < self.average < 1, "in (0, 1) or none")
        _check("perturbation", self.perturbation, self.perturbation >= 0, "at least 0 Å")
        _check("strain", self.strain, self.strain >= 0, "at least 0")
        _check("patience", self.patience, self.patience is None or self.patience >= 1, "at least 1 or none")
        _check("save_seconds", self.save_seconds, self.save_seconds >= 0, "at least 0 s")


def _check(name: str, value: object, good: object, allowed: str) -> None:
    if not good:
        raise InputError(f"{name} must be {allowed}, found {value}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingProtocol:
    """A named way to train the property model.

    Attributes:
        settings: of the fit, with the protocol's own budget.
        dropout: share of hidden units dropped, in [0, 1); None leaves the model's own default.
        note: one line for the model card.
    """

    settings: FitSettings
    dropout: float | None
    note: str


PROTOCOLS: Mapping[str, TrainingProtocol] = {
    "default": TrainingProtocol(
        settings=FitSettings(epochs=100),
        dropout=None,
        note="AdamW, warm-up, cosine to zero, averaged weights",
    ),
    "paper": TrainingProtocol(
        settings=FitSettings(
            epochs=300,
            learning_rate=1e-3,
            optimiser=Optimiser.ADAM,
            schedule=Schedule.EXPONENTIAL,
            warm_up=0.0,
            decay=0.95,
            weight_decay=1e-5,
            clip=None,
            average=None,
            perturbation=0.01,
            patience=30,
        ),
        dropout=0.2,
        note="Adam 1e-3, decay 0.95 an epoch, weight decay 1e-5, dropout 0.2, perturbed structures, early stopping",
    ),
}
"""The named protocols of `train`; "paper" keeps the published settings, "default" is the better one."""


def protocol(name: str, *, epochs: int | None = None, minutes: float | None = None) -> TrainingProtocol:
    """Return the protocol of that name, with the budget replaced where one is given.

    Raises:
        InputError: no such protocol, or both budgets given.
    """
    if name not in PROTOCOLS:
        raise InputError(f"there is no training protocol {name!r}; known are {', '.join(sorted(PROTOCOLS))}")
    chosen = PROTOCOLS[name]
    if epochs is None and minutes is None:
        return chosen
    return replace(chosen, settings=replace(chosen.settings, epochs=epochs, minutes=minutes))
