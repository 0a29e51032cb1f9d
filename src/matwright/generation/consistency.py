"""Latent consistency (E27): what is decoded from a latent should be read back as that latent."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from matwright.generation.autoencoder import SequenceAutoencoder
from matwright.generation.masks import MaskRules
from matwright.generation.sampler import Temperatures, sample_sequences


def consistency_loss(model: SequenceAutoencoder, rules: MaskRules, n: int) -> Tensor:
    """Scalar ‖z − E_φ(G_θ(z))‖² per latent dimension, over n draws z of the prior that decode to whole sequences.

    A sequence is a chain of choices, through which no gradient passes: the term teaches the recognition network alone.
    Latents and choices come from torch's global stream. 0 where no draw decodes.
    """
    seed = int(torch.randint(2**31, ()))
    training = model.training
    model.eval()
    rollout = sample_sequences(
        model.decoder, rules, n, temperatures=Temperatures(), generator=torch.Generator().manual_seed(seed)
    )
    model.train(training)
    rows = rollout.complete.nonzero()[:, 0]
    if len(rows) == 0:
        return torch.zeros(())
    mean, _ = model.encoder(rollout.batch.select(rows))
    return cast(Tensor, (mean - rollout.z[rows].detach()).square().mean())
