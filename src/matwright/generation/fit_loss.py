"""The loss of one training step: the bound (E24) and the further terms that the configuration gives a weight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from matwright.generation.autoencoder import BoundWeights, LatentTerms, SequenceAutoencoder, negative_bound
from matwright.generation.consistency import consistency_loss
from matwright.generation.decoder import SequenceDecoder
from matwright.generation.discriminator import LatentDiscriminator, adversarial_loss
from matwright.generation.fit_config import FitConfig
from matwright.generation.foreseen import Foreseen
from matwright.generation.jitter import element_masks, forget_graphs, swap_elements
from matwright.generation.masks import MaskRules
from matwright.generation.physics_terms import PhysicsTerms
from matwright.generation.sequence_batch import SequenceBatch
from matwright.generation.sequence_data import SequenceData
from matwright.materials.constraints import Constraints


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FitParts:
    """What further terms of the loss need; a part without which its term cannot be computed may be None.

    Attributes:
        read_graphs: reads the graphs of sequences that the decoder writes, for latent consistency with an encoder that
            reads graphs.
        physics: computes the physics regularisers.
        discriminator: of the adversarial mode.
    """

    read_graphs: Callable[[SequenceBatch], SequenceBatch] | None = None
    physics: PhysicsTerms | None = None
    discriminator: LatentDiscriminator | None = None


def step_loss(
    model: SequenceAutoencoder, data: SequenceData, config: FitConfig, progress: float, parts: FitParts
) -> Tensor:
    """Scalar loss of some sequences at a progress of 0..1; noise comes from torch's global stream."""
    noise = torch.randn(len(data), model.decoder.config.latent)
    weights = BoundWeights(
        kl=min(1.0, progress / config.kl_warmup) if config.kl_warmup > 0 else 1.0,
        free_nats=config.free_nats,
        free_total=config.free_total,
        geometry=config.geometry_weight,
    )
    without = torch.rand(len(data)) < config.without_latent if config.without_latent > 0 else None
    if config.without_graph > 0:
        data = replace(data, batch=forget_graphs(data.batch, torch.rand(len(data)) < config.without_graph))
    if config.swapped > 0:
        data = _swapped(data, without, config.swapped, model.decoder)
    foreseen = Foreseen() if any(config.physics_weights.values()) and parts.physics is not None else None
    terms = model.terms(data.batch, data.masks, noise, without=without, foreseen=foreseen)
    loss = negative_bound(terms, weights)
    if foreseen is not None and parts.physics is not None:
        loss = loss + _physics(parts.physics, data, foreseen, config)
    return loss + _latent_terms(model, data, terms, config, parts)


def _physics(physics: PhysicsTerms, data: SequenceData, foreseen: Foreseen, config: FitConfig) -> Tensor:
    """Σ λ_k R_k over some of the sequences."""
    rows = torch.randperm(len(data))[: config.physics_rows]
    found = physics(data.batch, foreseen, rows)
    return torch.stack([config.physics_weights[name] * value for name, value in found.items()]).sum()


def _latent_terms(
    model: SequenceAutoencoder, data: SequenceData, terms: LatentTerms, config: FitConfig, parts: FitParts
) -> Tensor:
    """The terms that speak of latents: property (E24), consistency (E27) and discriminator, each with its weight."""
    loss = torch.zeros(())
    if config.property_weight > 0 and model.properties is not None and data.properties is not None:
        loss = loss + config.property_weight * model.properties.error(terms.latent, data.properties)
    if config.consistency > 0:
        rules = MaskRules(model.decoder.vocabulary, model.decoder.catalogue, _limits(model.decoder))
        loss = loss + config.consistency * consistency_loss(model, rules, config.consistency_rows, parts.read_graphs)
    if config.adversarial > 0 and parts.discriminator is not None:
        drawn = torch.randn_like(terms.latent)
        loss = loss + config.adversarial * adversarial_loss(parts.discriminator, terms.latent, drawn)
    return loss


def _swapped(data: SequenceData, without: Tensor | None, share: float, decoder: SequenceDecoder) -> SequenceData:
    """The data with elements swapped in a share of the rows, whose properties are then unknown.

    Rows without a latent keep their elements.
    """
    rows = torch.rand(len(data)) < share
    if without is not None:
        rows &= ~without
    vocabulary = decoder.vocabulary
    batch = swap_elements(data.batch, rows, len(vocabulary))
    elements = element_masks(batch, MaskRules(vocabulary, decoder.catalogue, _limits(decoder)))
    values = data.properties
    if values is not None:
        values = values.masked_fill(rows[:, None], torch.nan)
    return SequenceData(batch=batch, masks=replace(data.masks, elements=elements), properties=values)


def _limits(decoder: SequenceDecoder) -> Constraints:
    """No demand but the size of the vocabulary."""
    vocabulary = decoder.vocabulary
    return Constraints(n_atoms=(1, vocabulary.max_atoms), n_elements=(1, vocabulary.max_elements))
