"""Gated memory over the layers (F2): what each round of message passing knew is weighed before the readout."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn


@final
class GatedMemory(nn.Module):
    """(n_atoms, width) node states from the states after every layer (jumping knowledge).

    A long short-term memory reads the layers in their order; an attention over its outputs weighs them, node by node
    (K. Xu et al., ICML 2018), and the result is added to the last layer's state.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(width, width // 2, batch_first=True, bidirectional=True)
        self.attention = nn.Linear(2 * (width // 2), 1)
        self.out = nn.Linear(width, width)

    def forward(self, layers: list[Tensor]) -> Tensor:
        """Combine the (n_atoms, width) states of the layers, the first layer first."""
        states = torch.stack(layers, dim=1)  # (n_atoms, n_layers, width)
        weights = self.attention(self.recurrent(states)[0]).softmax(dim=1)
        combined: Tensor = layers[-1] + self.out((weights * states).sum(dim=1))
        return combined
