"""Latent consistency (E27): what is decoded from a latent should be read back as that latent."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

from matwright.generation.autoencoder import SequenceAutoencoder
from matwright.generation.masks import MaskRules
from matwright.generation.sampler import Temperatures, sample_sequences
from matwright.generation.sequence_batch import SequenceBatch


def consistency_loss(
    model: SequenceAutoencoder,
    rules: MaskRules,
    n: int,
    read_graphs: Callable[[SequenceBatch], SequenceBatch] | None = None,
) -> Tensor:
    """Scalar ‖z − E_φ(G_θ(z))‖² per latent dimension, over n draws z of the prior that decode to whole sequences.

    A sequence is a chain of choices, through which no gradient passes: the term teaches the recognition network alone.
    Latents and choices come from torch's global stream. 0 where no draw decodes. `read_graphs` gives a recognition
    network that reads graphs those of the decoded crystals; without, it reads the sequences alone.
    """
    seed = int(torch.randint(2**31, ()))
    training = model.training
    model.eval()
    rollout = sample_sequences(
        model.decoder,
        rules,
        n,
        temperatures=Temperatures(),
        generator=torch.Generator().manual_seed(seed),
        latents=model.decoder.draw_latents,
    )
    model.train(training)
    rows = rollout.complete.nonzero()[:, 0]
    if len(rows) == 0:
        return torch.zeros(())
    written = rollout.batch.select(rows)
    mean, _ = model.encoder(written if read_graphs is None else read_graphs(written))
    return cast(Tensor, (mean - rollout.z[rows].detach()).square().mean())
