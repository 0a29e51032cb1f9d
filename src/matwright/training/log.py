"""The learning curve as values and as `log.csv`."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from matwright.serialization import atomic_write_text


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One validation of a fit.

    Attributes:
        epoch: passes over the training records so far (a fraction when the budget ends within an epoch).
        step: optimiser steps so far.
        rate: learning rate of the last step.
        train_loss: mean loss over the training batches since the last row.
        validation: validation numbers, among them "score".
        records_per_second: training records a CPU second so far, validation excluded.
        seconds: CPU seconds so far.
    """

    epoch: float
    step: int
    rate: float
    train_loss: float
    validation: Mapping[str, float]
    records_per_second: float
    seconds: float

    def __str__(self) -> str:
        numbers = "  ".join(f"{name} {value:.4g}" for name, value in self.validation.items())
        return f"epoch {self.epoch:.4g}  loss {self.train_loss:.4g}  {numbers}  {self.records_per_second:.0f}/s"


def write_log(path: Path, history: Sequence[HistoryRow]) -> None:
    """Write the whole history as CSV, atomically, so that a resumed fit never repeats a row.

    Columns: epoch, step, learning_rate, train_loss, one `val_<name>` a validation number, records_per_s, seconds.
    """
    names = sorted({name for row in history for name in row.validation})
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    header = ["epoch", "step", "learning_rate", "train_loss", *(f"val_{name}" for name in names)]
    writer.writerow([*header, "records_per_s", "seconds"])
    for row in history:
        start = [f"{row.epoch:.6g}", row.step, f"{row.rate:.6g}", f"{row.train_loss:.6g}"]
        numbers = [f"{row.validation[name]:.6g}" if name in row.validation else "" for name in names]
        writer.writerow([*start, *numbers, f"{row.records_per_second:.1f}", f"{row.seconds:.2f}"])
    atomic_write_text(path, buffer.getvalue())
