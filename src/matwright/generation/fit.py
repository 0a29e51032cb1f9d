"""Training of the sequence autoencoder: buckets of equal length, averaged weights, a time or epoch budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import cast, final

import numpy as np
import torch
from torch import Tensor

from matwright.generation.autoencoder import ACTIVE_NATS, SequenceAutoencoder, negative_bound
from matwright.generation.masks import SequenceMasks
from matwright.generation.sequence_batch import SequenceBatch


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FitConfig:
    """How the autoencoder is trained.

    Attributes:
        epochs: passes over the training sequences.
        minutes: wall-clock budget; the learning-rate schedule runs on whichever of the two is used up further.
        batch_size: sequences a step.
        learning_rate: peak of the schedule (warm-up, then cosine to zero).
        weight_decay: of AdamW.
        free_nats: KL floor of each latent dimension.
        kl_warmup: share of the training over which the KL weight rises from 0 to 1.
        averaging: decay of the running average of the weights, per step.
        seed: of initialisation, order, dropout and latent noise.
    """

    epochs: int = 50
    minutes: float = 25.0
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.1
    free_nats: float = 0.35
    kl_warmup: float = 0.1
    averaging: float = 0.998
    seed: int = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceData:
    """Packed sequences with the masks of teacher forcing."""

    batch: SequenceBatch
    masks: SequenceMasks

    def __len__(self) -> int:
        return len(self.batch)

    def select(self, index: Tensor) -> SequenceData:
        """The rows of `index`, orbits cut to the longest."""
        batch = self.batch.select(index)
        masks = {f.name: getattr(self.masks, f.name)[index] for f in fields(self.masks)}
        masks["letters"] = masks["letters"][:, : batch.letters.shape[1]]
        return SequenceData(batch=batch, masks=SequenceMasks(**masks))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EpochReport:
    """One epoch: nats per sequence unless said.

    Attributes:
        epoch, seconds: how far and how long.
        train_loss: running loss of the epoch.
        valid: log-probability of each kind of choice on held-out sequences, with the KL under "kl".
        active_units: latent dimensions with an average KL above `ACTIVE_NATS` on held-out sequences.
    """

    epoch: int
    seconds: float
    train_loss: float
    valid: dict[str, float] = field(default_factory=dict)
    active_units: int = 0

    @property
    def bound(self) -> float:
        """Evidence lower bound of the held-out sequences."""
        return sum(value for name, value in self.valid.items() if name != "kl") - self.valid["kl"]


def fit_autoencoder(
    model: SequenceAutoencoder,
    train: SequenceData,
    valid: SequenceData,
    config: FitConfig,
    *,
    on_epoch: Callable[[EpochReport], None],
) -> None:
    """Train in place; the model ends with the averaged weights.

    Dropout and latent noise draw from torch's global stream, which is seeded here and given back as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        _fit(model, train, valid, config, on_epoch)


def _fit(
    model: SequenceAutoencoder,
    train: SequenceData,
    valid: SequenceData,
    config: FitConfig,
    on_epoch: Callable[[EpochReport], None],
) -> None:
    rng = np.random.default_rng(config.seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    average = torch.optim.swa_utils.AveragedModel(model, avg_fn=_running_average(config.averaging))
    start, steps = time.monotonic(), 0
    total = config.epochs * -(-len(train) // config.batch_size)
    for epoch in range(config.epochs):
        model.train()
        losses = []
        for index in length_buckets(train.batch.length.numpy(), config.batch_size, rng):
            spent = (time.monotonic() - start) / (60 * config.minutes)
            progress = max(steps / total, spent)
            if progress >= 1:
                break
            _set_rate(optimiser, config.learning_rate, progress, steps)
            losses.append(_step(model, optimiser, train.select(torch.from_numpy(index)), config, progress))
            average.update_parameters(model)
            steps += 1
        if not losses:
            break
        report = evaluate(cast(SequenceAutoencoder, average.module), valid)
        seconds, loss = time.monotonic() - start, float(np.mean(losses))
        on_epoch(replace(report, epoch=epoch + 1, seconds=seconds, train_loss=loss))
    model.load_state_dict(average.module.state_dict())
    model.eval()


def _running_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """An exponential average whose memory grows with the steps, so that it does not remember the start."""

    def update(averaged: Tensor, current: Tensor, steps: Tensor | int) -> Tensor:
        count = float(steps)
        return torch.lerp(averaged, current, 1 - min(decay, (1 + count) / (10 + count)))

    return update


def _step(
    model: SequenceAutoencoder,
    optimiser: torch.optim.Optimizer,
    data: SequenceData,
    config: FitConfig,
    progress: float,
) -> float:
    noise = torch.randn(len(data), model.decoder.config.latent)
    weight = min(1.0, progress / config.kl_warmup) if config.kl_warmup > 0 else 1.0
    terms = model.terms(data.batch, data.masks, noise)
    loss = negative_bound(terms, kl_weight=weight, free_nats=config.free_nats)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimiser.step()
    return float(loss.detach())


def _set_rate(optimiser: torch.optim.Optimizer, peak: float, progress: float, steps: int) -> None:
    rate = peak * min(1.0, (steps + 1) / 200) * 0.5 * (1 + np.cos(np.pi * progress))
    for group in optimiser.param_groups:
        group["lr"] = max(rate, 1e-3 * peak)


def length_buckets(
    lengths: np.ndarray[tuple[int, ...], np.dtype[np.int64]], size: int, rng: np.random.Generator
) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    """Index arrays of at most `size` rows of similar length, in random order, every row once."""
    jitter = rng.random(len(lengths)) * 1.5
    order = np.argsort(lengths + jitter, kind="stable")
    blocks = [order[i : i + size] for i in range(0, len(order), size)]
    for place in rng.permutation(len(blocks)):
        yield blocks[place]


@torch.no_grad()
def evaluate(model: SequenceAutoencoder, data: SequenceData, *, seed: int = 0, batch_size: int = 512) -> EpochReport:
    """Held-out log-probabilities with one latent sample a sequence, KL and active units."""
    training = model.training
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    sums: dict[str, float] = {}
    kl = torch.zeros(model.decoder.config.latent)
    for index in torch.arange(len(data)).split(batch_size):
        part = data.select(index)
        noise = torch.randn(len(part), model.decoder.config.latent, generator=generator)
        terms = model.terms(part.batch, part.masks, noise)
        for name, value in terms.log_prob.items():
            sums[name] = sums.get(name, 0.0) + float(value.sum())
        kl += terms.kl.sum(0)
    model.train(training)
    valid = {name: value / len(data) for name, value in sums.items()} | {"kl": float(kl.sum()) / len(data)}
    active = int((kl / len(data) > ACTIVE_NATS).sum())
    return EpochReport(epoch=0, seconds=0.0, train_loss=0.0, valid=valid, active_units=active)
