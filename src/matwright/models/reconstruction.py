"""The graph-autoencoder loss (E13): the node states must still know how far their neighbours are."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from matwright.graphs.batch import GraphBatch


@final
class DistanceDecoder(nn.Module):
    """L_AE = Σ (w_uv - ŵ_uv)² over the edges, with w_uv = d_uv / r_u and ŵ decoded from h_u ⊙ h_v and |h_u - h_v|."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, width // 2)
        self.hidden = nn.Linear(2 * (width // 2), width // 2)
        self.out = nn.Linear(width // 2, 1)

    def forward(self, nodes: Tensor, batch: GraphBatch) -> Tensor:
        """Return the mean squared error (no unit), each edge weighted by its envelope."""
        low = self.down(nodes)
        width = batch.neighbours.shape[1]
        ends = low.index_select(0, batch.neighbours.reshape(-1))
        starts = low.index_select(0, batch.rows.repeat_interleave(width))
        pair = torch.cat([starts * ends, (starts - ends).abs()], dim=1)
        guess = self.out(functional.silu(self.hidden(pair))).view(batch.distances.shape)
        truth = batch.distances / batch.radii.index_select(0, batch.rows)[:, None]
        error = (guess - truth).square() * batch.envelope
        mean: Tensor = error.sum() / batch.envelope.sum().clamp(min=1.0)
        return mean
