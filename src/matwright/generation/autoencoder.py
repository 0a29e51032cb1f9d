"""The variational autoencoder of sequences: reconstruction and KL with a floor that keeps the latent in use (E24)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from matwright.generation.catalogue import WyckoffCatalogue
from matwright.generation.decoder import DecoderConfig, SequenceDecoder
from matwright.generation.encoder import EncoderConfig, SequenceEncoder
from matwright.generation.likelihood import sequence_log_prob
from matwright.generation.masks import SequenceMasks
from matwright.generation.sequence_batch import SequenceBatch
from matwright.generation.vocabulary import Vocabulary

ACTIVE_NATS = 0.02
"""A latent dimension whose average KL is above this counts as active."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LatentTerms:
    """What one pass of the autoencoder gives.

    Attributes:
        log_prob: (n,) nats of each kind of choice, as in `sequence_log_prob`.
        kl: (n, latent) nats, KL(q(z | sequence) ‖ N(0, I)) of each dimension.
    """

    log_prob: dict[str, Tensor]
    kl: Tensor


@final
class SequenceAutoencoder(nn.Module):
    """Encoder q(z | s) and decoder p(s | z) with the prior z ~ N(0, I)."""

    def __init__(
        self, *, decoder: DecoderConfig, encoder: EncoderConfig, vocabulary: Vocabulary, catalogue: WyckoffCatalogue
    ) -> None:
        super().__init__()
        self.decoder = SequenceDecoder(decoder, vocabulary, catalogue)
        self.encoder = SequenceEncoder(encoder, vocabulary, catalogue)

    def terms(self, batch: SequenceBatch, masks: SequenceMasks, noise: Tensor) -> LatentTerms:
        """Reconstruction and KL with z = μ + σ·noise; noise (n, latent), zeros for the mean."""
        mean, log_variance = self.encoder(batch)
        z = mean + (0.5 * log_variance).exp() * noise
        kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)
        return LatentTerms(log_prob=sequence_log_prob(self.decoder, batch, masks, z), kl=kl)


def negative_bound(terms: LatentTerms, *, kl_weight: float, free_nats: float) -> Tensor:
    """Scalar loss in nats: minus the evidence lower bound, each dimension's average KL counted from `free_nats` up.

    Below the floor a dimension costs nothing, so that the decoder cannot push the latent out of use.
    """
    reconstruction = torch.stack(list(terms.log_prob.values())).sum(0).mean()
    divergence = terms.kl.mean(0).clamp_min(free_nats).sum()
    return kl_weight * divergence - reconstruction
