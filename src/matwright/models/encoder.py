"""From a batch of graphs to node states (E10)."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from matwright.graphs.batch import GraphBatch
from matwright.models.config import GemPpmConfig
from matwright.models.layers import AttentionLayer, BondEmbedding, EdgeBasis, Edges, ElementEmbedding
from matwright.models.memory import GatedMemory


@final
class Encoder(nn.Module):
    """(n_atoms, width) node states after all rounds of message passing; unchanged by rotation, origin and cell."""

    def __init__(self, config: GemPpmConfig) -> None:
        super().__init__()
        self.embedding = ElementEmbedding(config.width)
        self.fraction = nn.Linear(1, config.width, bias=False) if config.composition else None
        self.basis = EdgeBasis(config.graph.cutoff, config.radial_functions, config.angular_order)
        self.bonds = BondEmbedding(config.radial_functions) if config.bonds else None
        self.joint = nn.Linear(config.radial_functions, config.width, bias=False) if config.joint else None
        self.memory = GatedMemory(config.width) if config.memory else None
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
        """Return the node states of all structures of the batch, in the order of `batch.numbers`."""
        nodes: Tensor = self.embedding(batch)
        if self.fraction is not None:
            nodes = nodes + self.fraction(1.0 - batch.weights[:, None])  # nothing for an atom, whose weight is 1
        edges = self.basis(batch)
        if self.bonds is not None:
            edges = self.bonds(edges, batch)
        states = []
        for layer in self.layers:
            nodes = layer(nodes, edges, batch.rows)
            states.append(nodes)
        nodes = nodes if self.memory is None else self.memory(states)
        return nodes if self.joint is None else nodes + self.joint(_edge_sums(edges, len(nodes)))


def _edge_sums(edges: Edges, n_atoms: int) -> Tensor:
    """(n_atoms, radial_functions) Σ_u e_uv: the radial features of each node's edges, each with its envelope (E12)."""
    weighed = edges.radial * edges.envelope
    return weighed.new_zeros(n_atoms, weighed.shape[1]).index_add(0, edges.atoms, weighed)
