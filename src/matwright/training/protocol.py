"""What `fit` asks of a model and of its data: the only place where models and training meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

Terms = Mapping[str, torch.Tensor]
"""Named parts of a loss, each a scalar tensor, for the log."""


@runtime_checkable
class Trainable(Protocol):
    """A torch module that can say how wrong it is on a batch; predictor, autoencoder and baselines alike."""

    def loss(self, batch: Any) -> tuple[torch.Tensor, Terms]:
        """Return the scalar to minimise (the mean over the batch) and its named parts."""
        ...


class BatchSource(Protocol):
    """Records that can be drawn by index, for instance a graph store or an array of sequences."""

    def __len__(self) -> int:
        """The number of records."""
        ...

    def batch(self, indices: NDArray[np.int64]) -> Any:
        """Return the records at `indices`, shape (n,), as one batch (on the CPU)."""
        ...


Augment = Callable[[Any, torch.Generator], Any]
"""(batch, generator) → a randomly changed copy of the batch; all randomness comes from the generator."""

Evaluate = Callable[[torch.nn.Module], Mapping[str, float]]
"""Model in eval mode → validation numbers; the key "score" (lower is better) steers early stopping."""
