"""A small real fit that a test runs in its own process, so that it can be killed: `small_fit.py FOLDER`."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from matwright.training.fit import FitData, FitResult, fit
from matwright.training.protocol import Evaluate
from matwright.training.settings import FitSettings


@dataclass(frozen=True)
class Rows:
    """A batch of `Points`."""

    x: torch.Tensor
    y: torch.Tensor


class Points:
    """Records (x, y) with y = sin(3 x0) + x1 · x2."""

    def __init__(self, n: int, pause: float = 0.0) -> None:
        x = np.random.default_rng(5).normal(size=(n, 3)).astype(np.float32)
        self.x, self.y = torch.tensor(x), torch.tensor(np.sin(3 * x[:, 0]) + x[:, 1] * x[:, 2])
        self.pause = pause

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, indices: np.ndarray) -> Rows:
        time.sleep(self.pause)
        return Rows(self.x[indices], self.y[indices])


class Network(torch.nn.Module):
    """Two layers with batch normalisation and dropout: everything that has a state of its own."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.layers = torch.nn.Sequential(
                torch.nn.Linear(3, 32), torch.nn.BatchNorm1d(32), torch.nn.SiLU(), torch.nn.Dropout(0.1),
                torch.nn.Linear(32, 1),
            )  # fmt: skip

    def loss(self, batch: Rows) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        error = (self.layers(batch.x).squeeze(-1) - batch.y).abs().mean()
        return error, {"mae": error}


def jitter(batch: Rows, generator: torch.Generator) -> Rows:
    """Move the inputs a little."""
    return Rows(batch.x + 0.01 * torch.randn(batch.x.shape, generator=generator), batch.y)


SETTINGS = FitSettings(epochs=12, batch_size=16, patience=9, save_seconds=0.05)


def run(
    folder: Path,
    *,
    resume: bool = False,
    pause: float = 0.0,
    settings: FitSettings = SETTINGS,
    evaluate: Evaluate | None = None,
) -> tuple[Network, FitResult]:
    """Fit a `Network` to 200 points."""
    model, points = Network(), Points(260, pause)
    data = FitData(source=points, train=np.arange(200), validation=np.arange(200, 260))
    return model, fit(model, data, settings, folder=folder, seed=3, augment=jitter, evaluate=evaluate, resume=resume)


if __name__ == "__main__":
    run(Path(sys.argv[1]), pause=0.01)
