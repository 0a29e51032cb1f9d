"""A property predictor on latents, trained with the autoencoder (the property term of E24)."""

from __future__ import annotations

from typing import cast, final

import torch
from torch import Tensor, nn


@final
class PropertyHead(nn.Module):
    """Properties of a material from its latent; works in standardised values, whose scale is kept with the weights."""

    def __init__(self, latent: int, n_properties: int, width: int = 64) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(latent, width), nn.SiLU(), nn.Linear(width, n_properties))
        self.register_buffer("centre", torch.zeros(n_properties))
        self.register_buffer("spread", torch.ones(n_properties))

    @torch.no_grad()
    def fit_scale(self, values: Tensor) -> None:
        """Take the scale from values (n, n_properties), NaN where unknown."""
        known = values.isfinite()
        count = known.sum(0).clamp_min(1)
        filled = values.nan_to_num(0.0)
        centre = filled.sum(0) / count
        variance = (((filled - centre) ** 2) * known).sum(0) / count
        cast(Tensor, self.centre).copy_(centre)
        cast(Tensor, self.spread).copy_(variance.sqrt().clamp_min(1e-6))

    def forward(self, z: Tensor) -> Tensor:
        """(n, n_properties) in the properties' own units."""
        centre, spread = cast(Tensor, self.centre), cast(Tensor, self.spread)
        return cast(Tensor, self.network(z)) * spread + centre

    def error(self, z: Tensor, values: Tensor) -> Tensor:
        """Scalar mean absolute error in spreads over all known values (n, n_properties); 0 where none is known."""
        known = values.isfinite()
        if not known.any():
            return z.new_zeros(())
        scaled = (self(z) - values.nan_to_num(0.0)) / cast(Tensor, self.spread)
        return cast(Tensor, scaled.abs()[known].mean())
