"""Fit: the one way in to training, for every model that can say how wrong it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.progress import Progress, silent
from matwright.training.compute import fast_mode
from matwright.training.log import HistoryRow
from matwright.training.protocol import Augment, BatchSource, Evaluate, Trainable
from matwright.training.settings import FitSettings

STATE_FILE = "fit.safetensors"
LOG_FILE = "log.csv"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FitData:
    """What a fit learns from and is judged by.

    Attributes:
        source: the records.
        train, validation: (n,) indices into `source`; `validation` may be empty.
    """

    source: BatchSource
    train: NDArray[np.int64]
    validation: NDArray[np.int64]

    def __post_init__(self) -> None:
        if len(self.train) == 0:
            raise InputError("there is nothing to train on: the training part holds no records")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FitResult:
    """What a fit came to; the model itself holds the final (averaged or best) weights.

    Attributes:
        history: one row a validation.
        steps: optimiser steps taken.
        seconds: CPU seconds spent in the fit, over all its resumptions.
        records_per_second: training records a CPU second, validation excluded.
        best_epoch: epoch with the lowest validation score, None without validation.
        stopped_early: whether patience ran out before the budget.
    """

    history: tuple[HistoryRow, ...]
    steps: int
    seconds: float
    records_per_second: float
    best_epoch: float | None
    stopped_early: bool


def fit(
    model: torch.nn.Module,
    data: FitData,
    settings: FitSettings,
    *,
    folder: Path,
    seed: int,
    evaluate: Evaluate | None = None,
    augment: Augment | None = None,
    progress: Progress | None = None,
    device: str = "cpu",
    resume: bool = False,
    keep_going: Callable[[], bool] | None = None,
) -> FitResult:
    """Train `model` in place and leave the final weights in it.

    The order of an epoch depends on (seed, epoch), augmentation and dropout on (seed, step). So with a budget in
    epochs, a fit that was killed and resumed from its saved state ends with the same weights, bit for bit on one
    machine, as one that was not. With a budget in minutes the time already spent is restored, but how many steps
    fit into the rest depends on the machine.

    Args:
        model: a torch module that satisfies `Trainable`.
        data: records and the indices of the training and validation parts.
        settings: budget, optimiser, schedule.
        folder: an existing folder; receives `log.csv` and the resumable state (the caller deletes it when done).
        seed: decides order, augmentation and dropout (the caller seeds the initial weights).
        evaluate: validation numbers with key "score"; by default the mean loss on the validation part.
        augment: random change of a training batch.
        progress: told how much of the budget is spent: steps, or CPU seconds for a budget in minutes.
        device: "cpu", "cuda" or "auto".
        resume: continue from the state in `folder` where there is one.
        keep_going: asked before each step; when it answers False the state is saved and the fit ends.

    Raises:
        InputError: the model is not trainable, or the saved state belongs to another fit.
        CalculationError: the loss became NaN or infinite.
        InterruptedError: `keep_going` answered False.
    """
    # heavy: behind its door (Lightning takes seconds to import)
    from matwright.training.loop import Loop

    if not isinstance(model, Trainable):
        raise InputError(f"{type(model).__name__} has no method loss(batch) and cannot be trained")
    with fast_mode(), torch.random.fork_rng():  # dropout draws from the global state of torch
        loop = Loop(model, data, settings, folder=folder, seed=seed, device=device, evaluate=evaluate, augment=augment)
        if resume:
            loop.restore()
        return loop.complete(progress or silent(), keep_going or (lambda: True))


def remove_state(folder: Path) -> None:
    """Delete the resumable state of a fit that is finished and saved elsewhere; the log stays."""
    (folder / STATE_FILE).unlink(missing_ok=True)
