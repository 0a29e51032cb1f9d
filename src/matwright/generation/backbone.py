"""The memories of the decoder: an LSTM (F4), or a causal Transformer that is called in the same way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import cast, final

import torch
from torch import Tensor, nn

MemoryState = tuple[Tensor, Tensor]
"""What a memory knows of earlier steps, two tensors with the rows in their second dimension: hidden and cell state of
an LSTM, (1, n, width) each; tokens so far (n_tokens, n, width) and a first token (1, n, width) of a Transformer."""


class Backbone(StrEnum):
    """What the memories of the decoder are."""

    LSTM = "lstm"
    TRANSFORMER = "transformer"


@final
class CausalTransformer(nn.Module):
    """A Transformer that sees what came before, called like a batch-first LSTM of one layer.

    The state that an LSTM would start from is read as two tokens in front of the sequence. The state holds the tokens
    themselves: a step computes all of them anew, which for sequences of a few orbits costs little and keeps the state
    a plain tensor whose rows can be selected.
    """

    def __init__(self, n_in: int, width: int, *, longest: int, dropout: float, layers: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.project = nn.Linear(n_in, width)
        self.place = nn.Parameter(0.02 * torch.randn(longest + 2, width))
        layer = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)

    def forward(self, inputs: Tensor, state: MemoryState) -> tuple[Tensor, MemoryState]:
        """Outputs (n, n_steps, width) of the new inputs (n, n_steps, n_in), and the state after them."""
        before, first = state
        tokens = torch.cat([before, self.project(inputs).transpose(0, 1)])  # (n_tokens, n, width)
        seen = torch.cat([first, tokens]).transpose(0, 1)
        length = seen.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length, dtype=seen.dtype)
        outputs = self.layers(seen + self.place[:length], mask=mask, is_causal=True)
        return cast(Tensor, outputs[:, length - inputs.shape[1] :]), (tokens, first)


def _lstm(n_in: int, width: int, longest: int, dropout: float) -> nn.Module:
    del longest, dropout  # an LSTM has no limit; its outputs are dropped by the decoder
    return nn.LSTM(n_in, width, batch_first=True)


def _transformer(n_in: int, width: int, longest: int, dropout: float) -> nn.Module:
    return CausalTransformer(n_in, width, longest=longest, dropout=dropout)


_BUILDERS: Mapping[Backbone, Callable[[int, int, int, float], nn.Module]] = {
    Backbone.LSTM: _lstm,
    Backbone.TRANSFORMER: _transformer,
}


def memory(backbone: Backbone, n_in: int, width: int, *, longest: int, dropout: float) -> nn.Module:
    """A memory from n_in features to `width` for sequences of at most `longest` steps.

    It is called with inputs (n, n_steps, n_in) and a `MemoryState`, and gives outputs (n, n_steps, width) and the next
    state.
    """
    return _BUILDERS[backbone](n_in, width, longest, dropout)
