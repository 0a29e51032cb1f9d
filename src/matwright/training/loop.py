"""The training loop on Lightning Fabric, and the state that lets it resume to the same weights after a kill.

Fabric rather than Trainer, by measurement on one core: Fabric adds less than 0.1 ms to a step, Trainer with
logging, checkpoints and progress off 0.5-0.9 ms, which is 2-3 % of a step at 2,000 graphs/s; and the exact
position within an epoch is ours to save.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray

from matwright import rng
from matwright.errors import CalculationError, InputError
from matwright.progress import Progress
from matwright.serialization import hash_json
from matwright.training.averaging import WeightAverage
from matwright.training.fit import LOG_FILE, STATE_FILE, FitData, FitResult
from matwright.training.log import HistoryRow, write_log
from matwright.training.protocol import Augment, Evaluate
from matwright.training.schedule import learning_rate
from matwright.training.settings import FitSettings, Optimiser
from matwright.training.state import load_state, pack_optimiser, save_state, unpack_optimiser

VALIDATION_SHARE = 0.03  # largest share of a budget in CPU time that goes into validation
PROGRESS_SECONDS = 0.2  # wall time between two words to the progress listener


@dataclass(slots=True, kw_only=True)
class Position:
    """Where a fit stands; everything here is JSON, everything else that must survive a kill is a tensor."""

    fingerprint: str
    epoch: int = 0  # epochs completed
    offset: int = 0  # batches done in the present epoch
    step: int = 0
    records: int = 0
    rate: float = 0.0  # learning rate of the last step
    loss_sum: float = 0.0  # since the last row of the history
    loss_count: int = 0
    elapsed: float = 0.0  # CPU seconds
    validating: float = 0.0  # of these, in validation
    validated_at: float = 0.0  # `elapsed` at the end of the last validation
    best_score: float | None = None
    best_epoch: float | None = None
    stale: int = 0  # validations without a better score
    history: list[dict[str, Any]] = field(default_factory=list)


@final
class Loop:
    """The one owner of the training state (see `fit` for the arguments)."""

    def __init__(
        self,
        model: torch.nn.Module,
        data: FitData,
        settings: FitSettings,
        *,
        folder: Path,
        seed: int,
        device: str,
        evaluate: Evaluate | None,
        augment: Augment | None,
    ) -> None:
        self._settings, self._data, self._folder, self._seed = settings, data, folder, seed
        self._evaluate, self._augment = evaluate or self._mean_loss, augment
        self._batches = max(1, round(len(data.train) / settings.batch_size))
        self._fabric = Fabric(accelerator=device, devices=1)
        self._model = model.to(self._fabric.device)
        self._wrapped, self._optimiser = self._fabric.setup(self._model, make_optimiser(self._model, settings))
        self._wrapped.mark_forward_method("loss")
        self._average = WeightAverage(self._model, settings.average) if settings.average is not None else None
        self._best: dict[str, torch.Tensor] = {}
        budget = {name: value for name, value in asdict(settings).items() if name != "save_seconds"}
        self._at = Position(fingerprint=hash_json([budget, seed, data.train, data.validation]))
        self._clock = time.process_time()
        self._saved_at = time.monotonic()

    def complete(self, progress: Progress, keep_going: Callable[[], bool]) -> FitResult:
        """Run to the end of the budget or of patience, and load the final weights into the model."""
        meter = _Meter(progress, *self._units())
        while not self._is_done():
            order = rng.generator(self._seed, "order", self._at.epoch).permutation(self._data.train)
            while self._at.offset < self._batches and self._spent() < 1:
                if not keep_going():
                    self.save()
                    raise InterruptedError("the fit was told to stop")
                self._step(order)
                meter.move_to(self._units()[0])
                self._save_when_due()
            self._end_epoch(meter)
            self._save_when_due()
        meter.finish()
        return self._finish()

    # --- one step -------------------------------------------------------------------------------------------------

    def _step(self, order: NDArray[np.int64]) -> None:
        at = self._at
        batch = self._draw(order[self._bound(at.offset) : self._bound(at.offset + 1)])
        if self._augment is not None:
            batch = self._augment(batch, rng.torch_generator(self._seed, "augment", at.step))
        self._set_rate()
        torch.manual_seed(rng.derive_seed(self._seed, "dropout", at.step))  # the caller's state is restored by `fit`
        self._wrapped.train()
        loss, _ = self._wrapped.loss(batch)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise CalculationError(f"the loss became {value} at step {at.step}; try a lower learning rate")
        self._optimiser.zero_grad(set_to_none=True)
        self._fabric.backward(loss)
        if self._settings.clip is not None:
            self._fabric.clip_gradients(self._wrapped, self._optimiser, max_norm=self._settings.clip)
        self._optimiser.step()
        if self._average is not None:
            self._average.update(at.step)
        self._count(value, self._bound(at.offset + 1) - self._bound(at.offset))

    def _draw(self, indices: NDArray[np.int64]) -> Any:
        batch = self._data.source.batch(indices)
        return batch if self._fabric.device.type == "cpu" else batch.to(self._fabric.device)

    def _bound(self, batch: int) -> int:
        """Where a batch begins in the order: batches of nearly equal size, so that none is too small to normalise."""
        return batch * len(self._data.train) // self._batches

    def _set_rate(self) -> None:
        self._at.rate = learning_rate(self._settings, spent=self._spent(), epochs=self._at.epoch)
        for group in self._optimiser.param_groups:
            group["lr"] = self._at.rate

    def _count(self, loss: float, records: int) -> None:
        at = self._at
        at.step, at.offset, at.records = at.step + 1, at.offset + 1, at.records + records
        at.loss_sum, at.loss_count = at.loss_sum + loss, at.loss_count + 1

    # --- budget ---------------------------------------------------------------------------------------------------

    def _seconds(self) -> float:
        now = time.process_time()
        self._at.elapsed += now - self._clock
        self._clock = now
        return self._at.elapsed

    def _spent(self) -> float:
        """The share of the budget spent, in [0, 1] (and a little above for CPU time)."""
        if self._settings.epochs is not None:
            return self._at.step / (self._settings.epochs * self._batches)
        return self._seconds() / (60 * float(self._settings.minutes or 0))

    def _units(self) -> tuple[int, int]:
        """(done, total) in steps or CPU seconds, for the progress listener."""
        if self._settings.epochs is not None:
            return self._at.step, self._settings.epochs * self._batches
        return int(self._seconds()), math.ceil(60 * float(self._settings.minutes or 0))

    def _is_done(self) -> bool:
        return self._spent() >= 1 or self._out_of_patience()

    def _out_of_patience(self) -> bool:
        return self._settings.patience is not None and self._at.stale >= self._settings.patience

    # --- the end of an epoch --------------------------------------------------------------------------------------

    def _end_epoch(self, meter: _Meter) -> None:
        at = self._at
        passes = at.epoch + at.offset / self._batches
        if at.offset >= self._batches:
            at.epoch, at.offset = at.epoch + 1, 0
        if not self._validation_is_due():
            return
        numbers = self._validate()
        seconds = self._seconds()
        row = HistoryRow(
            epoch=passes,
            step=at.step,
            rate=at.rate,
            train_loss=at.loss_sum / max(at.loss_count, 1),
            validation=numbers,
            records_per_second=at.records / max(seconds - at.validating, 1e-9),
            seconds=seconds,
        )
        at.history.append(asdict(row))
        at.loss_sum, at.loss_count = 0.0, 0
        self._judge(numbers, passes)
        write_log(self._folder / LOG_FILE, self._history())
        meter.note(str(row))

    def _validation_is_due(self) -> bool:
        """After every epoch; where the budget is time, not so often that it eats more than its share."""
        at = self._at
        if self._settings.minutes is None or not at.history or self._spent() >= 1:
            return True
        return at.elapsed - at.validated_at > at.validating / len(at.history) / VALIDATION_SHARE

    def _validate(self) -> dict[str, float]:
        if len(self._data.validation) == 0:
            return {}
        before = self._seconds()
        with torch.no_grad(), _eval_mode(self._judged()) as judged:
            numbers = {name: float(value) for name, value in self._evaluate(judged).items()}
        self._at.validated_at = self._seconds()
        self._at.validating += self._at.validated_at - before
        return numbers

    def _mean_loss(self, model: torch.nn.Module) -> Mapping[str, float]:
        trainable: Any = model  # checked by `fit`
        part, size, total = self._data.validation, self._settings.batch_size, 0.0
        for start in range(0, len(part), size):
            indices = part[start : start + size]
            total += float(trainable.loss(self._draw(indices))[0]) * len(indices)
        return {"score": total / len(part)}

    def _judge(self, numbers: Mapping[str, float], passes: float) -> None:
        if "score" not in numbers:
            return
        at, score = self._at, numbers["score"]
        if at.best_score is None or score < at.best_score:
            at.best_score, at.best_epoch, at.stale = score, passes, 0
            if self._settings.patience is not None:
                self._best = {name: value.detach().clone() for name, value in self._judged().state_dict().items()}
        else:
            at.stale += 1

    def _judged(self) -> torch.nn.Module:
        return self._average.module if self._average is not None else self._model

    def _history(self) -> tuple[HistoryRow, ...]:
        return tuple(HistoryRow(**row) for row in self._at.history)

    def _finish(self) -> FitResult:
        at = self._at
        self._model.load_state_dict(self._best or self._judged().state_dict())
        self._model.eval()
        return FitResult(
            history=self._history(),
            steps=at.step,
            seconds=at.elapsed,
            records_per_second=at.records / max(at.elapsed - at.validating, 1e-9),
            best_epoch=at.best_epoch,
            stopped_early=self._out_of_patience() and self._spent() < 1,
        )

    # --- saving and restoring -------------------------------------------------------------------------------------

    def _save_when_due(self) -> None:
        if time.monotonic() - self._saved_at >= self._settings.save_seconds:
            self.save()

    def save(self) -> None:
        """Write the state; the position and all tensors are of the same step because they share a file."""
        self._seconds()
        tensors = {f"model/{name}": value for name, value in self._model.state_dict().items()}
        tensors |= {f"optimiser/{name}": value for name, value in pack_optimiser(self._optimiser).items()}
        tensors |= {f"best/{name}": value for name, value in self._best.items()}
        if self._average is not None:
            tensors |= {f"average/{name}": value for name, value in self._average.module.state_dict().items()}
        save_state(self._folder / STATE_FILE, tensors, asdict(self._at))
        self._saved_at = time.monotonic()

    def restore(self) -> None:
        """Continue from the saved state, or from the start where there is none.

        Raises:
            InputError: the state is broken, or was made with other settings, data or seed.
        """
        path = self._folder / STATE_FILE
        if not path.exists():
            return
        tensors, position = load_state(path)
        if position.get("fingerprint") != self._at.fingerprint:
            raise InputError(f"{path} belongs to a fit with other settings, data or seed and cannot be resumed")
        self._at = Position(**position)
        self._model.load_state_dict(_part(tensors, "model/"))
        unpack_optimiser(self._optimiser, _part(tensors, "optimiser/"))
        if self._average is not None:
            self._average.module.load_state_dict(_part(tensors, "average/"))
        self._best = _part(tensors, "best/")
        self._clock = time.process_time()


def make_optimiser(model: torch.nn.Module, settings: FitSettings) -> torch.optim.Optimizer:
    """Return the optimiser; weight decay spares biases, norms and embeddings' one-dimensional parameters."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if settings.optimiser is Optimiser.ADAM:
        return torch.optim.Adam(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=settings.learning_rate, fused=True)


def _part(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


@contextmanager
def _eval_mode(model: torch.nn.Module) -> Iterator[torch.nn.Module]:
    was_training = model.training
    model.eval()
    try:
        yield model
    finally:
        model.train(was_training)


@final
class _Meter:
    """Passes progress on, at most a few times a second so that listening costs nothing."""

    def __init__(self, progress: Progress, done: int, total: int) -> None:
        self._progress, self._done, self._latest, self._told = progress, 0, 0, 0.0
        progress.start("training", total)
        self.move_to(done)

    def move_to(self, done: int) -> None:
        self._latest, now = done, time.monotonic()
        if now - self._told >= PROGRESS_SECONDS:
            self._tell()
            self._told = now

    def _tell(self) -> None:
        if self._latest > self._done:
            self._progress.advance(self._latest - self._done)
            self._done = self._latest

    def note(self, text: str) -> None:
        self._progress.note(text)

    def finish(self) -> None:
        self._tell()
        self._progress.finish()
