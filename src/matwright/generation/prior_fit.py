"""Fits the learned prior: the flow to where the recognition network puts the training crystals."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from matwright.generation.autoencoder import SequenceAutoencoder
from matwright.generation.prior import LatentFlow
from matwright.generation.sequence_data import SequenceData


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PriorFitConfig:
    """How the flow is trained.

    Attributes:
        epochs: passes over the latents, at most; patience: passes without a better held-out density before it ends.
        batch_size, learning_rate, weight_decay: of AdamW.
        seed: of the latents' noise and their order.
    """

    epochs: int = 150
    patience: int = 12
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    seed: int = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PriorReport:
    """Held-out nats per latent: under N(0, I), and under the fitted flow; epochs of the best flow."""

    standard: float
    fitted: float
    epochs: int


def fit_prior(
    model: SequenceAutoencoder,
    train: SequenceData,
    valid: SequenceData,
    config: PriorFitConfig,
    *,
    on_epoch: Callable[[int, float], None] | None = None,
) -> PriorReport:
    """Train the flow of `model.decoder` in place, by maximum likelihood of latents drawn from q(z | s); E24's prior.

    `on_epoch` is told the epoch and the held-out log density. A flow without layers stays N(0, I).
    """
    flow: LatentFlow = model.decoder.prior
    generator = torch.Generator().manual_seed(config.seed)
    (mean, width), held_out = _posterior(model, train), _drawn(*_posterior(model, valid), generator)
    normal = torch.distributions.Normal(0.0, 1.0)
    standard = float(normal.log_prob(held_out).sum(1).mean())
    if len(flow.steps) == 0:
        return PriorReport(standard=standard, fitted=standard, epochs=0)
    optimiser = torch.optim.AdamW(flow.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    best, best_epoch, kept = _density(flow, held_out), 0, copy.deepcopy(flow.state_dict())
    for epoch in range(1, config.epochs + 1):
        for rows in torch.randperm(len(mean), generator=generator).split(config.batch_size):
            optimiser.zero_grad(set_to_none=True)
            loss = -flow.log_prob(_drawn(mean[rows], width[rows], generator)).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
            optimiser.step()
        density = _density(flow, held_out)
        if on_epoch is not None:
            on_epoch(epoch, density)
        if density > best:
            best, best_epoch, kept = density, epoch, copy.deepcopy(flow.state_dict())
        if epoch - best_epoch >= config.patience:
            break
    flow.load_state_dict(kept)
    return PriorReport(standard=standard, fitted=best, epochs=best_epoch)


@torch.no_grad()
def _posterior(model: SequenceAutoencoder, data: SequenceData) -> tuple[Tensor, Tensor]:
    """(n, latent) means and standard deviations of q(z | s)."""
    model.eval()
    parts = [model.encoder(data.select(rows).batch) for rows in torch.arange(len(data)).split(512)]
    mean = torch.cat([part[0] for part in parts])
    return mean, torch.cat([(0.5 * part[1]).exp() for part in parts])


def _drawn(mean: Tensor, width: Tensor, generator: torch.Generator) -> Tensor:
    return mean + width * torch.randn(mean.shape, generator=generator)


@torch.no_grad()
def _density(flow: LatentFlow, latents: Tensor) -> float:
    return float(flow.log_prob(latents).mean())
