"""Training data as tensors: packed sequences with the masks that stood open while they would be written."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import final

from torch import Tensor

from matwright.generation.masks import SequenceMasks
from matwright.generation.sequence_batch import SequenceBatch


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceData:
    """Packed sequences with the masks of teacher forcing.

    Attributes:
        batch, masks: of n sequences.
        properties: (n, n_properties) known values of each, NaN where unknown; None where none are asked for.
    """

    batch: SequenceBatch
    masks: SequenceMasks
    properties: Tensor | None = None

    def __len__(self) -> int:
        return len(self.batch)

    def select(self, index: Tensor) -> SequenceData:
        """The rows of `index`, orbits cut to the longest."""
        batch = self.batch.select(index)
        masks = {f.name: getattr(self.masks, f.name)[index] for f in fields(self.masks)}
        masks["letters"] = masks["letters"][:, : batch.letters.shape[1]]
        values = None if self.properties is None else self.properties[index]
        return SequenceData(batch=batch, masks=SequenceMasks(**masks), properties=values)
