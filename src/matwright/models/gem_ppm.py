"""GEM-PPM: encoder, readout and heads as one trainable model (F1)."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from matwright.graphs.batch import GraphBatch
from matwright.models.config import GemPpmConfig
from matwright.models.encoder import Encoder
from matwright.models.heads import Heads
from matwright.models.readout import Readout


@final
class GemPpm(nn.Module):
    """Properties of crystals from their graphs.

    All numeric targets and outputs here are standardised (mean 0, variance 1 over the training data); the scaler is
    a wrapper outside.
    """

    def __init__(self, config: GemPpmConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.readout = Readout(config.width, config.pooling, config.dropout)
        self.heads = Heads(self.readout.out_width, config.heads)

    def forward(self, batch: GraphBatch) -> Tensor:
        """Return (n_crystals, n_outputs) raw outputs; `heads.split` gives those of each target."""
        outputs: Tensor = self.heads(self.embed(batch))
        return outputs

    def embed(self, batch: GraphBatch) -> Tensor:
        """Return (n_crystals, embedding width), the state of each material before the heads."""
        nodes = self.encoder(batch)
        state: Tensor = self.readout(nodes, batch)
        return state

    def loss(self, batch: GraphBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the scalar to minimise and the loss of each target (E4, E7)."""
        return self.heads.loss(self(batch), batch.targets, batch.mask)
