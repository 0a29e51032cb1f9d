"""Training of the sequence autoencoder: buckets of equal length, averaged weights, a budget, states to resume from."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast, final

import numpy as np
import torch
from torch import Tensor

from matwright.generation.autoencoder import SequenceAutoencoder
from matwright.generation.discriminator import LatentDiscriminator
from matwright.generation.fit_config import FitConfig
from matwright.generation.fit_loss import FitParts, step_loss
from matwright.generation.fit_report import EpochReport, evaluate
from matwright.generation.rebuild import RebuildRates
from matwright.generation.sequence_data import SequenceData
from matwright.training.state import load_state, pack_optimiser, save_state, unpack_optimiser


@final
class _Training:
    """The state of a training: model, averaged model, optimiser, and how far it is."""

    def __init__(self, model: SequenceAutoencoder, config: FitConfig, parts: FitParts) -> None:
        if config.adversarial > 0 and parts.discriminator is None:
            parts = replace(parts, discriminator=LatentDiscriminator(model.decoder.config.latent))
        self.model, self.parts = model, parts
        self.optimiser = torch.optim.AdamW(self.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
        self.average = torch.optim.swa_utils.AveragedModel(model, avg_fn=_running_average(config.averaging))
        self.epoch, self.steps, self.seconds = 0, 0, 0.0

    @property
    def averaged(self) -> SequenceAutoencoder:
        """The model with averaged weights."""
        return cast(SequenceAutoencoder, self.average.module)

    def parameters(self) -> list[torch.nn.Parameter]:
        """All that is trained: the model, and the discriminator where there is one."""
        discriminator = self.parts.discriminator
        return [*self.model.parameters(), *(discriminator.parameters() if discriminator is not None else ())]

    def save(self, path: Path) -> None:
        """Write everything that a resumed training needs."""
        parts: Mapping[str, Mapping[str, Tensor]] = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": pack_optimiser(self.optimiser),
            "discriminator": {} if self.parts.discriminator is None else self.parts.discriminator.state_dict(),
        }
        tensors = {f"{part}:{name}": value for part, found in parts.items() for name, value in found.items()}
        save_state(path, tensors, {"epoch": self.epoch, "steps": self.steps, "seconds": self.seconds})

    def load(self, path: Path) -> None:
        """Go back to what `save` wrote."""
        tensors, position = load_state(path)
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimiser": {}, "discriminator": {}}
        for key, value in tensors.items():
            part, name = key.split(":", 1)
            parts[part][name] = value
        self.model.load_state_dict(parts["model"])
        self.average.load_state_dict(parts["average"])
        unpack_optimiser(self.optimiser, parts["optimiser"])
        if self.parts.discriminator is not None:
            self.parts.discriminator.load_state_dict(parts["discriminator"])
        self.epoch, self.steps, self.seconds = position["epoch"], position["steps"], position["seconds"]


def fit_autoencoder(
    model: SequenceAutoencoder,
    train: SequenceData,
    valid: SequenceData,
    config: FitConfig,
    *,
    on_epoch: Callable[[EpochReport], None],
    rebuild: Callable[[SequenceAutoencoder], RebuildRates] | None = None,
    state: Path | None = None,
    parts: FitParts | None = None,
) -> None:
    """Train in place; the model ends with the averaged weights.

    Dropout and latent noise draw from torch's global stream, which is seeded for each epoch and given back as it was.

    Args:
        model, train, valid, config: what is trained, on what, and how.
        on_epoch: told after each epoch, and once where a resumed training has none left.
        rebuild: measures after each epoch how many crystals come back from their latent; None: not measured.
        state: file of the training's state, written after each epoch; a training whose file exists goes on from there.
        parts: what further terms of the loss need; the adversarial mode makes its discriminator where none is given.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        if model.properties is not None and train.properties is not None:
            model.properties.fit_scale(train.properties)
        if model.encoder.config.graph_width and train.batch.graphs is not None:
            model.encoder.fit_graphs(train.batch.graphs)
        training = _Training(model, config, parts or FitParts())
        if state is not None and state.is_file():
            training.load(state)
        told = False
        while training.epoch < config.epochs:
            loss = _epoch(training, train, config)
            if loss is None:
                break
            if state is not None:
                training.save(state)
            on_epoch(_report(training, valid, loss, rebuild))
            told = True
        if not told:  # a resumed training that was at its end
            on_epoch(_report(training, valid, math.nan, rebuild))
        model.load_state_dict(training.averaged.state_dict())
        model.eval()


def _report(
    training: _Training,
    valid: SequenceData,
    loss: float,
    rebuild: Callable[[SequenceAutoencoder], RebuildRates] | None,
) -> EpochReport:
    """What the averaged model can do now."""
    parts = training.parts
    report = evaluate(training.averaged, valid, physics=parts.physics, discriminator=parts.discriminator)
    rates = rebuild(training.averaged) if rebuild is not None else None
    return replace(report, epoch=training.epoch, seconds=training.seconds, train_loss=loss, rebuilt=rates)


def _epoch(training: _Training, train: SequenceData, config: FitConfig) -> float | None:
    """One pass over the data; its mean loss, None when the budget was used up before it began."""
    seed = int(np.random.SeedSequence([config.seed, training.epoch]).generate_state(1)[0])
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    training.model.train()
    begun, before, losses = time.monotonic(), training.seconds, []
    total = config.epochs * -(-len(train) // config.batch_size)
    for index in length_buckets(train.batch.length.numpy(), config.batch_size, rng):
        training.seconds = before + time.monotonic() - begun
        progress = max(training.steps / total, training.seconds / (60 * config.minutes))
        if progress >= 1:
            break
        _set_rate(training.optimiser, config.learning_rate, progress, training.steps)
        losses.append(_step(training, train.select(torch.from_numpy(index)), config, progress))
        training.average.update_parameters(training.model)
        training.steps += 1
    if not losses:
        return None
    training.epoch += 1
    return float(np.mean(losses))


def _running_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """An exponential average whose memory grows with the steps, so that it does not remember the start."""

    def update(averaged: Tensor, current: Tensor, steps: Tensor | int) -> Tensor:
        count = float(steps)
        return torch.lerp(averaged, current, 1 - min(decay, (1 + count) / (10 + count)))

    return update


def _step(training: _Training, data: SequenceData, config: FitConfig, progress: float) -> float:
    loss = step_loss(training.model, data, config, progress, training.parts)
    training.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(training.parameters(), 5.0)
    training.optimiser.step()
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
