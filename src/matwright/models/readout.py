"""From node states to one state of each material (E11)."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from matwright.graphs.batch import GraphBatch
from matwright.models.config import Pooling


@final
class Readout(nn.Module):
    """(n_crystals, out_width): every node state goes through one hidden layer, then all of a material are pooled.

    With MEAN and a linear head this is a mean of contributions of the atoms, which suits properties per atom; means
    and maxima do not depend on the cell chosen (intensive), sums scale with it (extensive). The elements of a
    composition count by their fraction.
    """

    def __init__(self, width: int, pooling: Pooling, dropout: float) -> None:
        super().__init__()
        self.pooling = pooling
        self.hidden = nn.Linear(width, width)
        self.attention = nn.Linear(width, 1) if pooling is Pooling.ATTENTION else None
        self.dropout = nn.Dropout(dropout)
        self.out_width = 2 * width if pooling is Pooling.MEAN_MAX else width

    def forward(self, nodes: Tensor, batch: GraphBatch) -> Tensor:
        """Pool (n_atoms, width) node states crystal by crystal."""
        nodes = self.dropout(functional.silu(self.hidden(nodes)))
        weights = batch.weights
        if self.attention is not None:
            weights = weights * _attention(self.attention(nodes)[:, 0], batch)
        if not bool((weights == 1.0).all()):
            nodes = nodes * weights[:, None]
        sums = nodes.new_zeros(batch.n_crystals, nodes.shape[1]).index_add(0, batch.crystal, nodes)
        if self.pooling is Pooling.SUM:
            return sums
        means = sums / sums.new_zeros(batch.n_crystals).index_add(0, batch.crystal, weights)[:, None]
        if self.pooling is not Pooling.MEAN_MAX:
            return means
        lowest = torch.full_like(means, -torch.inf)
        maxima = lowest.scatter_reduce(0, batch.crystal[:, None].expand_as(nodes), nodes, "amax")
        return torch.cat([means, maxima], dim=1)


def _attention(scores: Tensor, batch: GraphBatch) -> Tensor:
    """(n_atoms,) exp of the scores, those of each material counted from its highest, so that none overflows."""
    lowest = scores.new_full((batch.n_crystals,), -torch.inf)
    highest = lowest.scatter_reduce(0, batch.crystal, scores.detach(), "amax")
    return (scores - highest.index_select(0, batch.crystal)).exp()
