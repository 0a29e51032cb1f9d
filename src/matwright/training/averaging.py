"""Exponential moving average of a model's weights: flatter minima for the price of one copy."""

from __future__ import annotations

import copy
from typing import final

import torch


@final
class WeightAverage:
    """A copy of a model whose weights follow it slowly: w̄ ← d·w̄ + (1 − d)·w, d = min(decay, (1 + t)/(10 + t)).

    The rising decay forgets the random start. Floating-point buffers (running statistics of batch
    normalisation) are averaged with the weights they belong to; other buffers are copied.

    Attributes:
        module: the averaged model, always in eval mode and without gradients.
    """

    def __init__(self, model: torch.nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(model).eval().requires_grad_(False)
        self._decay = decay
        self._pairs = list(zip(self.module.state_dict().values(), model.state_dict().values(), strict=True))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the average towards the model after optimiser step number `step` (counted from 0)."""
        weight = 1 - min(self._decay, (1 + step) / (10 + step))
        for averaged, current in self._pairs:
            if averaged.is_floating_point():
                averaged.lerp_(current, weight)
            else:
                averaged.copy_(current)
