"""From a batch of graphs to node states (E10)."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from matwright.graphs.batch import GraphBatch
from matwright.models.config import GemPpmConfig
from matwright.models.layers import AttentionLayer, EdgeBasis, ElementEmbedding


@final
class Encoder(nn.Module):
    """(n_atoms, width) node states after all rounds of message passing; unchanged by rotation, origin and cell."""

    def __init__(self, config: GemPpmConfig) -> None:
        super().__init__()
        self.embedding = ElementEmbedding(config.width)
        self.basis = EdgeBasis(config.graph.cutoff, config.radial_functions, config.angular_order)
        self.layers = nn.ModuleList(
            AttentionLayer(
                config.width,
                config.radial_functions,
                config.angular_order,
                config.dropout,
            )
            for _ in range(config.layers)
        )

    def forward(self, batch: GraphBatch) -> Tensor:
        """Return the node states of all crystals of the batch, in the order of `batch.numbers`."""
        nodes: Tensor = self.embedding(batch)
        edges = self.basis(batch)
        for layer in self.layers:
            nodes = layer(nodes, edges, batch.rows)
        return nodes
