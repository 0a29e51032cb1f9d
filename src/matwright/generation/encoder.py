"""The recognition network q(z | crystal) (E25): a set network over the orbits, and what may read beside it.

Beside the set network an LSTM may read the orbits in order, and a trained GEM-PPM the crystal's graph: its embedding of
the material is computed once a crystal and comes with the batch. What was written as a sequence has its graph read from
the decoded crystal (see `graph_reader`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, final

import torch
from torch import Tensor, nn

from matwright.errors import InputError
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
        graph_model: name of the trained property model (GEM-PPM) whose embedding of the material is read too; empty:
            the sequence alone is read.
        graph_width: numbers in that embedding; 0 without a model.
        properties: names of the properties that a head predicts from the latent, trained with it; empty: no head.
    """

    latent: int = 16
    width: int = 160
    memory: int = 0
    graph_model: str = ""
    graph_width: int = 0
    properties: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.graph_width < 0 or bool(self.graph_model) != bool(self.graph_width):
            raise InputError(
                "graph_model and graph_width go together: a model's name and the width of its embedding, or neither; "
                f"found {self.graph_model!r} and {self.graph_width}"
            )


@final
class SequenceEncoder(nn.Module):
    """Mean and log variance of z.

    Every orbit is embedded, the atoms average, space group and cell shape join; with `memory`, the order of the orbits
    and the counts of the formula are read as well, so that z can hold the whole crystal; with `graph_model`, the
    embedding of its graph, for which a learned vector stands where it is not known.
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
        if config.graph_width:
            self.graph = nn.Sequential(
                nn.Linear(config.graph_width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
            )
            self.register_buffer("graph_centre", torch.zeros(config.graph_width))
            self.register_buffer("graph_spread", torch.ones(config.graph_width))
            self.no_graph = nn.Parameter(torch.zeros(width))
            summary += width
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
        if self.config.graph_width:
            summary.append(self._graph(batch))
        mu, log_variance = self.out(torch.cat(summary, dim=-1)).chunk(2, dim=-1)
        return cast(Tensor, mu), cast(Tensor, log_variance.clamp(-8, 2))

    def _formula(self, batch: SequenceBatch) -> Tensor:
        """(n, width) sum over the elements of the formula, each with its count."""
        pairs = self.pair(torch.cat([self.elements(batch.elements), self.counts(batch.counts)], dim=-1))
        return cast(Tensor, (pairs * (batch.counts > 0)[..., None]).sum(1))

    def _graph(self, batch: SequenceBatch) -> Tensor:
        """(n, width) of the graphs' embeddings."""
        if batch.graphs is None:
            return self.no_graph.expand(len(batch), -1)
        known = batch.graphs.isfinite().all(1, keepdim=True)
        scaled = (batch.graphs - cast(Tensor, self.graph_centre)) / cast(Tensor, self.graph_spread)
        return torch.where(known, self.graph(scaled.nan_to_num(0.0).clamp(-8, 8)), self.no_graph)

    @torch.no_grad()
    def fit_graphs(self, graphs: Tensor) -> None:
        """Take the scale of the graphs' embeddings (n, graph_width) from those of training crystals."""
        known = graphs[graphs.isfinite().all(1)]
        cast(Tensor, self.graph_centre).copy_(known.mean(0))
        cast(Tensor, self.graph_spread).copy_(known.std(0, correction=0).clamp_min(1e-6))

    def _in_order(self, orbits: Tensor, length: Tensor) -> Tensor:
        """(n, 2 · memory) final states of the two directions over the real orbits."""
        packed = nn.utils.rnn.pack_padded_sequence(orbits, length, batch_first=True, enforce_sorted=False)
        _, (hidden, _) = self.memory(packed)
        return cast(Tensor, hidden.transpose(0, 1).flatten(1))
