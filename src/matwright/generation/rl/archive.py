"""The best different candidates of a run, with every term of their rewards: memory for replay, and its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from matwright.generation.rl.diversity import Keys
from matwright.generation.sequence_batch import SequenceBatch, join_batches


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Archive:
    """At most as many candidates as asked for, one a bucket, the best first.

    Attributes:
        batch: their sequences; z (n, latent) the latents.
        keys: (n,) their buckets.
        columns: (n,) float64 numbers by name: "reward", its terms, "hit" (0 or 1), "step", and for each property its
            value, "<property>.std", and so on.
    """

    batch: SequenceBatch
    z: Tensor
    keys: Keys
    columns: Mapping[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.keys)

    def select(self, index: NDArray[np.int64]) -> Archive:
        """The rows of `index`."""
        rows = torch.from_numpy(index)
        return Archive(
            batch=self.batch.select(rows),
            z=self.z[rows],
            keys=self.keys[index],
            columns={name: values[index] for name, values in self.columns.items()},
        )

    def merged(self, other: Archive, size: int) -> Archive:
        """Both as one: the best of each bucket, hits before others, then by reward; at most `size`."""
        joined = Archive(
            batch=join_batches([self.batch, other.batch]),
            z=torch.cat([self.z, other.z]),
            keys=np.concatenate([self.keys, other.keys]),
            columns={name: np.concatenate([self.columns[name], other.columns[name]]) for name in self.columns},
        )
        return joined.best(size)

    def best(self, size: int) -> Archive:
        """The best of each bucket, hits before others, then by reward, then those found first; at most `size`."""
        order = np.lexsort((-self.columns["reward"], -self.columns["hit"]))
        _, first = np.unique(self.keys[order], return_index=True)
        return self.select(order[np.sort(first)[:size]])
