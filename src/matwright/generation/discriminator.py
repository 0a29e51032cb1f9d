"""The adversarial mode (an option of E27): a discriminator keeps the latents of crystals like draws of N(0, I).

The discriminator tells latents of the recognition network from draws of the prior; the recognition network is trained
to be mistaken for the prior (Makhzani et al., Adversarial Autoencoders, 2016). One step trains both: the gradient is
turned round on its way from the discriminator into the recognition network.
"""

from __future__ import annotations

from typing import Any, cast, final

import torch
from torch import Tensor, nn


@final
class LatentDiscriminator(nn.Module):
    """Logit that a latent comes from a crystal and not from N(0, I)."""

    def __init__(self, latent: int, width: int = 128) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Linear(latent, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2), nn.Linear(width, 1)
        )

    def forward(self, z: Tensor) -> Tensor:
        """(n,) logits of latents (n, latent)."""
        return cast(Tensor, self.network(z)[:, 0])


def adversarial_loss(discriminator: LatentDiscriminator, latents: Tensor, drawn: Tensor) -> Tensor:
    """Scalar cross-entropy, nats, of telling latents (n, latent) of crystals from draws (n, latent) of the prior.

    To descend it teaches the discriminator to tell them apart, and what made the latents to prevent it.
    """
    told = nn.functional.softplus(-discriminator(_Turned.apply(latents)))  # type: ignore[no-untyped-call]
    return (told + nn.functional.softplus(discriminator(drawn))).mean() / 2


def told_apart(discriminator: LatentDiscriminator, latents: Tensor, drawn: Tensor) -> float:
    """Share of latents and draws that the discriminator sorts rightly; 0.5: it cannot tell."""
    return float(((discriminator(latents) > 0).float() + (discriminator(drawn) <= 0).float()).mean() / 2)


class _Turned(torch.autograd.Function):
    """The identity, with the gradient's sign turned."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        del ctx
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        del ctx
        return -gradient
