"""The variational autoencoder of sequences: reconstruction and KL with a floor that keeps the latent in use (E24)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from matwright.generation.catalogue import WyckoffCatalogue
from matwright.generation.decoder import DecoderConfig, SequenceDecoder
from matwright.generation.encoder import EncoderConfig, SequenceEncoder
from matwright.generation.foreseen import Foreseen
from matwright.generation.likelihood import sequence_log_prob
from matwright.generation.masks import SequenceMasks
from matwright.generation.property_head import PropertyHead
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
        used: (n,) bool, False where the decoder was not told the latent; its KL does not count.
        latent: (n, latent), the z that was drawn.
    """

    log_prob: dict[str, Tensor]
    kl: Tensor
    used: Tensor
    latent: Tensor


@final
class SequenceAutoencoder(nn.Module):
    """Encoder q(z | s) and decoder p(s | z) with the prior z ~ N(0, I)."""

    def __init__(
        self, *, decoder: DecoderConfig, encoder: EncoderConfig, vocabulary: Vocabulary, catalogue: WyckoffCatalogue
    ) -> None:
        super().__init__()
        self.decoder = SequenceDecoder(decoder, vocabulary, catalogue)
        self.encoder = SequenceEncoder(encoder, vocabulary, catalogue)
        self.properties = PropertyHead(encoder.latent, len(encoder.properties)) if encoder.properties else None

    def terms(
        self,
        batch: SequenceBatch,
        masks: SequenceMasks,
        noise: Tensor,
        *,
        without: Tensor | None = None,
        foreseen: Foreseen | None = None,
    ) -> LatentTerms:
        """Reconstruction and KL with z = μ + σ·noise.

        Args:
            batch, masks: the sequences with the masks of teacher forcing.
            noise: (n, latent), zeros for the mean.
            without: (n,) bool, rows whose decoder is told "no latent"; None for none.
            foreseen: filled with what the decoder would write at each step.
        """
        mean, log_variance = self.encoder(batch)
        z = mean + (0.5 * log_variance).exp() * noise
        kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)
        used = torch.ones(len(batch), dtype=torch.bool) if without is None else ~without
        told = z if self.decoder.no_latent is None else torch.where(used[:, None], z, self.decoder.no_latent)
        log_prob = sequence_log_prob(self.decoder, batch, masks, told, foreseen=foreseen)
        return LatentTerms(log_prob=log_prob, kl=kl, used=used, latent=z)


GEOMETRY = ("shape", "coordinate")
"""The choices that are densities."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BoundWeights:
    """How the terms of the bound are weighed.

    Attributes:
        kl: weight of the KL.
        free_nats: KL floor of each latent dimension, below which it costs nothing.
        free_total: KL of a sequence, over all dimensions, below which it costs nothing: what the latent may hold.
        geometry: weight of the densities where the latent is told. Digits of a coordinate are worth as many nats as a
            formula; below 1, the latent holds chemistry and symmetry first.
    """

    kl: float = 1.0
    free_nats: float = 0.0
    free_total: float = 0.0
    geometry: float = 1.0


def negative_bound(terms: LatentTerms, weights: BoundWeights) -> Tensor:
    """Scalar loss in nats: minus the weighted evidence lower bound (E24), with what the latent may hold for free.

    Below its floor a dimension costs nothing, so that the decoder cannot push the latent out of use.
    """
    used = terms.used
    geometry = torch.where(used, weights.geometry, 1.0)
    parts = [value * (geometry if name in GEOMETRY else 1.0) for name, value in terms.log_prob.items()]
    reconstruction = torch.stack(parts).sum(0).mean()
    if not used.any():
        return -reconstruction
    divergence = terms.kl[used].mean(0).clamp_min(weights.free_nats).sum()
    share = used.float().mean()
    return weights.kl * share * (divergence - weights.free_total).clamp_min(0.0) - reconstruction
