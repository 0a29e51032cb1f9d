"""The recognition network q(z | sequence): a set network over the orbits, with an LSTM over their order if wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, final

import torch
from torch import Tensor, nn

from matwright.generation.catalogue import WyckoffCatalogue
from matwright.generation.decoder import N_WAVES, waves
from matwright.generation.sequence_batch import SequenceBatch
from matwright.generation.vocabulary import Vocabulary

START_LOG_VARIANCE = -1.5
"""Log variance at which latents that are to hold the crystal start."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """Sizes of the recognition network.

    Attributes:
        latent: dimensions of z.
        width: hidden units.
        memory: hidden units, each way, of an LSTM that reads the orbits in order beside the set network, together with
            the formula element by element; 0: none.
        properties: names of the properties that a head predicts from the latent, trained with it; empty: no head.
    """

    latent: int = 16
    width: int = 160
    memory: int = 0
    properties: tuple[str, ...] = ()


@final
class SequenceEncoder(nn.Module):
    """Mean and log variance of z.

    Every orbit is embedded, the atoms average, space group and cell shape join; with `memory`, the order of the orbits
    and the counts of the formula are read as well, so that z can hold the whole crystal.
    """

    def __init__(self, config: EncoderConfig, vocabulary: Vocabulary, catalogue: WyckoffCatalogue) -> None:
        super().__init__()
        self.config, self.catalogue = config, catalogue
        width = config.width
        self.elements = nn.Embedding(len(vocabulary) + 1, 48)
        self.positions = nn.Embedding(catalogue.n_positions, 32)
        self.sites = nn.Embedding(catalogue.n_sites, 32)
        self.groups = nn.Embedding(231, 48)
        self.orbit = nn.Sequential(
            nn.Linear(48 + 32 + 6 * N_WAVES + 1, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        summary = 2 * width + 48 + 7
        if config.memory:
            self.counts = nn.Embedding(vocabulary.max_atoms + 1, 32)
            self.pair = nn.Sequential(nn.Linear(48 + 32, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
            self.memory = nn.LSTM(width, config.memory, batch_first=True, bidirectional=True)
            summary += width + 2 * config.memory
        self.out = nn.Sequential(nn.Linear(summary, width), nn.SiLU(), nn.Linear(width, 2 * config.latent))
        if config.memory:
            self._speak_up()

    def _speak_up(self) -> None:
        """Start with latents that stand out of their noise: a decoder that hears nothing learns to do without them."""
        last = cast(nn.Linear, self.out[-1])
        with torch.no_grad():
            last.weight[: self.config.latent] *= 4
            last.bias[self.config.latent :] = START_LOG_VARIANCE

    def forward(self, batch: SequenceBatch) -> tuple[Tensor, Tensor]:
        """Mean and log variance of z, (n, latent) each."""
        place = (batch.group[:, None], batch.letters)
        size = self.catalogue.multiplicity[place] * batch.orbit_mask
        position = self.positions(self.catalogue.index[place]) + self.sites(self.catalogue.site[place])
        share = size / size.sum(1, keepdim=True)
        described = [self.elements(batch.orbit_elements), position, waves(batch.coords), size[..., None] / 10]
        orbits = self.orbit(torch.cat(described, dim=-1))
        mean = (orbits * share[..., None]).sum(1)
        largest = orbits.masked_fill(~batch.orbit_mask[..., None], -1e9).amax(1)
        cell = torch.cat([batch.shape.clamp(-5, 5), batch.n_atoms[:, None] / 10], dim=-1)
        summary = [mean, largest, self.groups(batch.group), cell]
        if self.config.memory:
            summary += [self._formula(batch), self._in_order(orbits, batch.length)]
        mu, log_variance = self.out(torch.cat(summary, dim=-1)).chunk(2, dim=-1)
        return cast(Tensor, mu), cast(Tensor, log_variance.clamp(-8, 2))

    def _formula(self, batch: SequenceBatch) -> Tensor:
        """(n, width) sum over the elements of the formula, each with its count."""
        pairs = self.pair(torch.cat([self.elements(batch.elements), self.counts(batch.counts)], dim=-1))
        return cast(Tensor, (pairs * (batch.counts > 0)[..., None]).sum(1))

    def _in_order(self, orbits: Tensor, length: Tensor) -> Tensor:
        """(n, 2 · memory) final states of the two directions over the real orbits."""
        packed = nn.utils.rnn.pack_padded_sequence(orbits, length, batch_first=True, enforce_sorted=False)
        _, (hidden, _) = self.memory(packed)
        return cast(Tensor, hidden.transpose(0, 1).flatten(1))
