"""GEM-PPM: encoder, readout, fusion with the conditions and heads as one trainable model (F1)."""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from matwright.graphs.batch import GraphBatch
from matwright.graphs.interface import GraphSource
from matwright.models.composition import CompositionBranch
from matwright.models.conditions import ConditionEncoder, ConditionScale
from matwright.models.config import GemPpmConfig
from matwright.models.elastic import ElasticTensor
from matwright.models.encoder import Encoder
from matwright.models.fusion import FUSIONS
from matwright.models.heads import Heads
from matwright.models.readout import Readout
from matwright.models.reconstruction import DistanceDecoder
from matwright.models.temperature import InverseTemperature

_MEASURED_AT_ONCE = 256


@final
class GemPpm(nn.Module):
    """Properties of materials from their graphs and conditions.

    All numeric targets and outputs here are standardised (mean 0, variance 1 over the training data); the scaler is
    a wrapper outside.
    """

    def __init__(self, config: GemPpmConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.readout = Readout(config.width, config.pooling, config.dropout)
        width = self.readout.out_width
        self.composition = CompositionBranch(config.width, config.dropout) if config.composition else None
        width += config.width if config.composition else 0
        self.conditions: ConditionEncoder | None = None
        self.fusion: nn.Module | None = None
        if config.conditions is not None and config.fuses:
            self.conditions = ConditionEncoder(config.conditions, config.width, config.dropout, config.law_columns)
            self.fusion = FUSIONS[config.fusion](width, config.width, config.width)
            width = config.width
        self.heads = Heads(width, config.heads)
        self.elastic = ElasticTensor(config, width) if config.elastic else None
        self.temperature = InverseTemperature(config)
        self.decoder = DistanceDecoder(config.width) if config.reconstruction > 0 else None

    def forward(self, batch: GraphBatch) -> Tensor:
        """Return (n_crystals, n_outputs) raw outputs; `heads.split` gives those of each target."""
        nodes = self.encoder(batch)
        return self.outputs(self.state(nodes, batch), nodes, batch)

    def embed(self, batch: GraphBatch) -> Tensor:
        """Return (n_crystals, embedding width), the state of each material under its conditions before the heads."""
        return self.state(self.encoder(batch), batch)

    def state(self, nodes: Tensor, batch: GraphBatch) -> Tensor:
        """Return the state of each material from its (n_atoms, width) node states: h_S, then z of E14-E18."""
        state: Tensor = self.readout(nodes, batch)
        if self.composition is not None:
            state = torch.cat([state, self.composition(batch)], dim=1)
        if self.conditions is None or self.fusion is None:
            return state
        fused: Tensor = self.fusion(state, self.conditions(batch))
        return fused

    def outputs(self, state: Tensor, nodes: Tensor, batch: GraphBatch) -> Tensor:
        """Return the raw outputs of all heads from the states of materials and nodes, laws of temperature applied."""
        stiffness = None if self.elastic is None else self.elastic(nodes, state, batch)
        outputs: Tensor = self.heads(state, self.temperature(batch), stiffness)
        return outputs

    def loss(self, batch: GraphBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the scalar to minimise and its terms: one a target (E4, E7), and the autoencoder's (E13)."""
        loss, terms, _ = self.loss_and_means(batch)
        return loss, terms

    def loss_and_means(self, batch: GraphBatch) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Return loss and terms as `loss` does, and the (n_crystals, n_targets) means of the numeric heads."""
        nodes = self.encoder(batch)
        outputs = self.outputs(self.state(nodes, batch), nodes, batch)
        loss, terms = self.heads.loss(outputs, batch.targets, batch.mask, batch.censored)
        if self.decoder is not None:
            terms["reconstruction"] = self.decoder(nodes, batch)
            loss = loss + self.config.reconstruction * terms["reconstruction"]
        return loss, terms, torch.stack([part[:, 0] for part in self.heads.split(outputs)], dim=1)

    def measure(self, source: GraphSource, indices: NDArray[np.int64]) -> None:
        """Standardise conditions and composition statistics by the records at `indices`, the training part alone."""
        if self.conditions is None and self.composition is None:
            return
        chosen = range(0, len(indices), _MEASURED_AT_ONCE)
        batches = [source.batch(indices[start : start + _MEASURED_AT_ONCE]) for start in chosen]
        if self.conditions is not None and self.config.conditions is not None:
            conditions = torch.cat([batch.conditions for batch in batches]).double().numpy()
            self.conditions.set_scale(ConditionScale.fit(conditions, self.config.conditions))
        if self.composition is not None:
            statistics = torch.cat([self.composition.statistics(batch) for batch in batches]).double()
            spread = statistics.std(dim=0, correction=0)
            self.composition.set_scale(statistics.mean(dim=0), torch.where(spread > 1e-6, spread, 1.0))
