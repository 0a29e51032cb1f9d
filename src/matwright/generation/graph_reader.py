"""What reads the graph of a crystal for the recognition network (E25): a trained property model, from above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from matwright.generation.packing import SequencePacker
from matwright.generation.sequence_batch import SequenceBatch
from matwright.generation.wyckoff.decode import decode_arrays
from matwright.materials.crystal import Crystal


class GraphReader(Protocol):
    """A property model as a reader of crystals: `name` and `width` are those of the encoder's configuration."""

    @property
    def name(self) -> str:
        """The model's name."""
        ...

    @property
    def width(self) -> int:
        """Numbers in an embedding."""
        ...

    def __call__(self, crystals: Sequence[Crystal]) -> Tensor:
        """(n, width) float32 embeddings; NaN rows for crystals that the model cannot read."""
        ...


def with_graphs(batch: SequenceBatch, packer: SequencePacker, reader: GraphReader) -> SequenceBatch:
    """The batch with the embedding of each decoded crystal; NaN where no cell closes."""
    arrays, rows = packer.arrays(batch)
    graphs = torch.full((len(batch), reader.width), torch.nan)
    if len(rows):
        graphs[torch.from_numpy(rows)] = reader(decode_arrays(arrays).crystals())
    return replace(batch, graphs=graphs)
