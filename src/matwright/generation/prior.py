"""The learned prior of latents: an invertible map from u ~ N(0, I) to where the recognition network goes (E24).

A latent that holds a whole crystal cannot follow N(0, I) exactly and stay readable. The flow closes the gap: it is
trained on the latents of the training crystals, so that z = f(u) looks like one of theirs. Optimisation and
interpolation can walk in u, where distance means probability.
"""

from __future__ import annotations

import math
from typing import cast, final

import torch
from torch import Tensor, nn


@final
class LatentFlow(nn.Module):
    """Affine coupling layers (Real NVP) over the two halves of the latent; without layers the identity."""

    def __init__(self, latent: int, *, layers: int, width: int) -> None:
        super().__init__()
        self.n_known = latent // 2
        self.steps = nn.ModuleList(_coupling(self.n_known, latent, width) for i in range(layers))
        permutations = [self._order(latent, number) for number in range(layers)]
        stacked = torch.stack(permutations) if permutations else torch.zeros(0, latent, dtype=torch.int64)
        self.register_buffer("order", stacked, persistent=False)

    def _order(self, latent: int, number: int) -> Tensor:
        """(latent,) order of the dimensions before a layer: shuffled before every second one, else halves exchanged.

        So every two layers move every dimension.
        """
        if number % 2 == 0:
            return torch.randperm(latent, generator=torch.Generator().manual_seed(number))
        return torch.cat([torch.arange(self.n_known, latent), torch.arange(self.n_known)])

    def to_latent(self, base: Tensor) -> Tensor:
        """(n, latent) latents of u (n, latent)."""
        z = base
        for step, order in zip(reversed(self.steps), cast(Tensor, self.order).flip(0), strict=True):
            shift, log_scale = self._move(step, z[:, : self.n_known])
            z = torch.cat([z[:, : self.n_known], z[:, self.n_known :] * log_scale.exp() + shift], dim=1)
            z = z[:, order.argsort()]
        return z

    def to_base(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """U (n, latent) of latents, and log |du/dz| (n,)."""
        log_volume = z.new_zeros(len(z))
        for step, order in zip(self.steps, cast(Tensor, self.order), strict=True):
            z = z[:, order]
            shift, log_scale = self._move(step, z[:, : self.n_known])
            z = torch.cat([z[:, : self.n_known], (z[:, self.n_known :] - shift) * (-log_scale).exp()], dim=1)
            log_volume = log_volume - log_scale.sum(1)
        return z, log_volume

    def log_prob(self, z: Tensor) -> Tensor:
        """(n,) nats, log density of latents."""
        base, log_volume = self.to_base(z)
        return log_volume - 0.5 * (base**2).sum(1) - 0.5 * base.shape[1] * math.log(2 * math.pi)

    @staticmethod
    def _move(step: nn.Module, known: Tensor) -> tuple[Tensor, Tensor]:
        shift, raw = step(known).chunk(2, dim=-1)
        return shift, 1.5 * torch.tanh(raw / 1.5)


def _coupling(half: int, latent: int, width: int) -> nn.Sequential:
    last = nn.Linear(width, 2 * (latent - half))
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(half, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), last)
