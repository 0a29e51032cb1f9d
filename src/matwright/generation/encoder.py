"""The recognition network q(z | sequence): a set network over the orbits of a sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, final

import torch
from torch import Tensor, nn

from matwright.generation.catalogue import WyckoffCatalogue
from matwright.generation.decoder import N_WAVES, waves
from matwright.generation.sequence_batch import SequenceBatch
from matwright.generation.vocabulary import Vocabulary


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """Sizes of the recognition network.

    Attributes:
        latent: dimensions of z.
        width: hidden units.
    """

    latent: int = 16
    width: int = 160


@final
class SequenceEncoder(nn.Module):
    """Mean and log variance of z: every orbit is embedded, the atoms average, space group and cell shape join."""

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
        self.out = nn.Sequential(nn.Linear(2 * width + 48 + 7, width), nn.SiLU(), nn.Linear(width, 2 * config.latent))

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
        out = self.out(torch.cat([mean, largest, self.groups(batch.group), cell], dim=-1))
        mu, log_variance = out.chunk(2, dim=-1)
        return cast(Tensor, mu), cast(Tensor, log_variance.clamp(-8, 2))
