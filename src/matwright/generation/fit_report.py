"""What a trainer of the autoencoder tells after each epoch: held-out nats, and how much the latent holds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from matwright.generation.autoencoder import ACTIVE_NATS, SequenceAutoencoder
from matwright.generation.discriminator import LatentDiscriminator, told_apart
from matwright.generation.foreseen import Foreseen
from matwright.generation.physics_terms import PhysicsTerms
from matwright.generation.rebuild import RebuildRates
from matwright.generation.sequence_data import SequenceData

INFORMATION_ROWS = 1024
"""Sequences for the estimate of the mutual information, which cannot exceed the logarithm of their number."""

PHYSICS_ROWS = 256
"""Sequences over which the physics regularisers are measured."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EpochReport:
    """One epoch: nats per sequence unless said.

    Attributes:
        epoch, seconds: how far and how long.
        train_loss: running loss of the epoch.
        valid: log-probability of each kind of choice on held-out sequences, with the KL under "kl".
        active_units: latent dimensions with an average KL above `ACTIVE_NATS` on held-out sequences.
        information: lower estimate of the mutual information of sequence and latent, in nats; it saturates at the
            logarithm of the number of sequences (at most `INFORMATION_ROWS`).
        without_latent: held-out log-probability of a decoder that is told no latent; NaN where it has not learned to.
        property_error: mean absolute error, in spreads of the training values, of the properties predicted from the
            held-out latent means; NaN where none are.
        physics: the regularisers on held-out sequences (see `physics_terms`), whatever their weight; empty where they
            are not computed.
        told_apart: share of held-out latents and draws of N(0, I) that a discriminator sorts rightly; NaN without one.
        rebuilt: crystals that come back from their latent mean; None where it was not asked for.
    """

    epoch: int
    seconds: float
    train_loss: float
    valid: dict[str, float] = field(default_factory=dict)
    active_units: int = 0
    information: float = 0.0
    without_latent: float = math.nan
    property_error: float = math.nan
    physics: dict[str, float] = field(default_factory=dict)
    told_apart: float = math.nan
    rebuilt: RebuildRates | None = None

    @property
    def bound(self) -> float:
        """Evidence lower bound of the held-out sequences."""
        return sum(value for name, value in self.valid.items() if name != "kl") - self.valid["kl"]


@torch.no_grad()
def evaluate(
    model: SequenceAutoencoder,
    data: SequenceData,
    *,
    seed: int = 0,
    batch_size: int = 512,
    physics: PhysicsTerms | None = None,
    discriminator: LatentDiscriminator | None = None,
) -> EpochReport:
    """Held-out log-probabilities with one latent sample a sequence, KL, active units and mutual information."""
    training = model.training
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    optional = model.decoder.no_latent is not None
    sums: dict[str, float] = {}
    alone, kl = 0.0, torch.zeros(model.decoder.config.latent)
    for index in torch.arange(len(data)).split(batch_size):
        part = data.select(index)
        noise = torch.randn(len(part), model.decoder.config.latent, generator=generator)
        terms = model.terms(part.batch, part.masks, noise)
        for name, value in terms.log_prob.items():
            sums[name] = sums.get(name, 0.0) + float(value.sum())
        kl += terms.kl.sum(0)
        if optional:
            without = torch.ones(len(part), dtype=torch.bool)
            told_nothing = model.terms(part.batch, part.masks, noise, without=without)
            alone += sum(float(value.sum()) for value in told_nothing.log_prob.values())
    residuals = {} if physics is None else _physics(model, data, physics, generator)
    apart = math.nan if discriminator is None else _told_apart(model, data, discriminator, generator)
    information, error = _information(model, data, generator), _property_error(model, data)
    model.train(training)
    valid = {name: value / len(data) for name, value in sums.items()} | {"kl": float(kl.sum()) / len(data)}
    return EpochReport(
        epoch=0,
        seconds=0.0,
        train_loss=0.0,
        valid=valid,
        active_units=int((kl / len(data) > ACTIVE_NATS).sum()),
        information=information,
        without_latent=alone / len(data) if optional else math.nan,
        property_error=error,
        physics=residuals,
        told_apart=apart,
    )


def _physics(
    model: SequenceAutoencoder, data: SequenceData, physics: PhysicsTerms, generator: torch.Generator
) -> dict[str, float]:
    """The regularisers over the first `PHYSICS_ROWS` sequences, with one latent sample each."""
    part = data.select(torch.arange(min(len(data), PHYSICS_ROWS)))
    noise, foreseen = torch.randn(len(part), model.decoder.config.latent, generator=generator), Foreseen()
    model.terms(part.batch, part.masks, noise, foreseen=foreseen)
    found = physics(part.batch, foreseen, torch.arange(len(part)), generator)
    return {name: float(value) for name, value in found.items()}


def _told_apart(
    model: SequenceAutoencoder, data: SequenceData, discriminator: LatentDiscriminator, generator: torch.Generator
) -> float:
    mean, log_variance = model.encoder(data.batch)
    latents = mean + (0.5 * log_variance).exp() * torch.randn(mean.shape, generator=generator)
    return told_apart(discriminator, latents, torch.randn(mean.shape, generator=generator))


def _property_error(model: SequenceAutoencoder, data: SequenceData) -> float:
    if model.properties is None or data.properties is None:
        return math.nan
    means = [model.encoder(data.select(rows).batch)[0] for rows in torch.arange(len(data)).split(512)]
    return float(model.properties.error(torch.cat(means), data.properties))


def _information(model: SequenceAutoencoder, data: SequenceData, generator: torch.Generator) -> float:
    """E[log q(z | x) − log mean over x' of q(z | x')]: nats."""
    part = data.select(torch.arange(min(len(data), INFORMATION_ROWS)))
    mean, log_variance = model.encoder(part.batch)
    z = mean + (0.5 * log_variance).exp() * torch.randn(mean.shape, generator=generator)
    density = _log_density(z, mean, log_variance)
    marginal = torch.logsumexp(density, dim=1) - math.log(len(part))
    return float((density.diagonal() - marginal).mean())


def _log_density(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """(n, m) log q(z_i | x_j) up to a constant."""
    precision = (-log_variance).exp()
    squares = z**2 @ precision.T - 2 * z @ (mean * precision).T + (mean**2 * precision).sum(1)
    return -0.5 * (squares + log_variance.sum(1))
