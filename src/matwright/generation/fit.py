"""Training of the sequence autoencoder: buckets of equal length, averaged weights, a budget, states to resume from."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, final

import numpy as np
import torch
from torch import Tensor

from matwright.generation.autoencoder import BoundWeights, SequenceAutoencoder, negative_bound
from matwright.generation.consistency import consistency_loss
from matwright.generation.decoder import SequenceDecoder
from matwright.generation.fit_report import EpochReport, evaluate
from matwright.generation.jitter import element_masks, forget_graphs, swap_elements
from matwright.generation.masks import MaskRules
from matwright.generation.rebuild import RebuildRates
from matwright.generation.sequence_batch import SequenceBatch
from matwright.generation.sequence_data import SequenceData
from matwright.materials.constraints import Constraints
from matwright.training.state import load_state, pack_optimiser, save_state, unpack_optimiser


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
        free_nats, free_total, geometry_weight: see `autoencoder.BoundWeights`.
        kl_warmup: share of the training over which the KL weight rises from 0 to 1.
        averaging: decay of the running average of the weights, per step.
        without_latent: share of the sequences that the decoder learns to write without a latent.
        swapped: share of the others whose elements are swapped for neighbours (see `jitter`).
        property_weight: of the mean absolute error, in spreads, of the properties predicted from the latent (E24); it
            needs known values and `EncoderConfig.properties`.
        without_graph: share of the sequences whose graph is hidden from a recognition network that reads graphs, so
            that it can do without.
        consistency: weight of ‖z − E_φ(G_θ(z))‖² per dimension (E27), over `consistency_rows` draws a step.
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
    free_total: float = 0.0
    geometry_weight: float = 1.0
    without_latent: float = 0.0
    swapped: float = 0.0
    property_weight: float = 0.0
    without_graph: float = 0.0
    consistency: float = 0.0
    consistency_rows: int = 16
    seed: int = 0


@final
class _Training:
    """The state of a training: model, averaged model, optimiser, and how far it is."""

    def __init__(
        self,
        model: SequenceAutoencoder,
        config: FitConfig,
        read_graphs: Callable[[SequenceBatch], SequenceBatch] | None,
    ) -> None:
        self.model, self.read_graphs = model, read_graphs
        self.optimiser = torch.optim.AdamW(
            model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.average = torch.optim.swa_utils.AveragedModel(model, avg_fn=_running_average(config.averaging))
        self.epoch, self.steps, self.seconds = 0, 0, 0.0

    @property
    def averaged(self) -> SequenceAutoencoder:
        """The model with averaged weights."""
        return cast(SequenceAutoencoder, self.average.module)

    def save(self, path: Path) -> None:
        """Write everything that a resumed training needs."""
        parts: Mapping[str, Mapping[str, Tensor]] = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": pack_optimiser(self.optimiser),
        }
        tensors = {f"{part}:{name}": value for part, found in parts.items() for name, value in found.items()}
        save_state(path, tensors, {"epoch": self.epoch, "steps": self.steps, "seconds": self.seconds})

    def load(self, path: Path) -> None:
        """Go back to what `save` wrote."""
        tensors, position = load_state(path)
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimiser": {}}
        for key, value in tensors.items():
            part, name = key.split(":", 1)
            parts[part][name] = value
        self.model.load_state_dict(parts["model"])
        self.average.load_state_dict(parts["average"])
        unpack_optimiser(self.optimiser, parts["optimiser"])
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
    read_graphs: Callable[[SequenceBatch], SequenceBatch] | None = None,
) -> None:
    """Train in place; the model ends with the averaged weights.

    Dropout and latent noise draw from torch's global stream, which is seeded for each epoch and given back as it was.

    Args:
        model, train, valid, config: what is trained, on what, and how.
        on_epoch: told after each epoch.
        rebuild: measures after each epoch how many crystals come back from their latent; None: not measured.
        state: file of the training's state, written after each epoch; a training whose file exists goes on from there.
        read_graphs: reads the graphs of sequences that the decoder writes, for latent consistency with an encoder that
            reads graphs.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        if model.properties is not None and train.properties is not None:
            model.properties.fit_scale(train.properties)
        if model.encoder.config.graph_width and train.batch.graphs is not None:
            model.encoder.fit_graphs(train.batch.graphs)
        training = _Training(model, config, read_graphs)
        if state is not None and state.is_file():
            training.load(state)
        while training.epoch < config.epochs:
            loss = _epoch(training, train, config)
            if loss is None:
                break
            report = evaluate(training.averaged, valid)
            rates = rebuild(training.averaged) if rebuild is not None else None
            if state is not None:
                training.save(state)
            on_epoch(replace(report, epoch=training.epoch, seconds=training.seconds, train_loss=loss, rebuilt=rates))
        model.load_state_dict(training.averaged.state_dict())
        model.eval()


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
    training.epoch += 1
    return float(np.mean(losses)) if losses else None


def _running_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """An exponential average whose memory grows with the steps, so that it does not remember the start."""

    def update(averaged: Tensor, current: Tensor, steps: Tensor | int) -> Tensor:
        count = float(steps)
        return torch.lerp(averaged, current, 1 - min(decay, (1 + count) / (10 + count)))

    return update


def _step(training: _Training, data: SequenceData, config: FitConfig, progress: float) -> float:
    model, optimiser = training.model, training.optimiser
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
    terms = model.terms(data.batch, data.masks, noise, without=without)
    loss = negative_bound(terms, weights)
    if config.property_weight > 0 and model.properties is not None and data.properties is not None:
        loss = loss + config.property_weight * model.properties.error(terms.latent, data.properties)
    if config.consistency > 0:
        rules = MaskRules(model.decoder.vocabulary, model.decoder.catalogue, _limits(model.decoder))
        loss = loss + config.consistency * consistency_loss(model, rules, config.consistency_rows, training.read_graphs)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimiser.step()
    return float(loss.detach())


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
