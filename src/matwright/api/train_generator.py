"""The verb that trains a crystal generator: sequences in, a folder that `load_generator` reads out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

from matwright.api.graph_reader import ModelReader
from matwright.errors import InputError
from matwright.generation.autoencoder import SequenceAutoencoder
from matwright.generation.checkpoint import TrainedGenerator, save_generator
from matwright.generation.contacts import ContactRules
from matwright.generation.corpus import Corpus, Properties, build_corpus
from matwright.generation.decoder import DecoderConfig
from matwright.generation.encoder import EncoderConfig
from matwright.generation.fit import fit_autoencoder
from matwright.generation.fit_config import FitConfig
from matwright.generation.fit_loss import FitParts
from matwright.generation.fit_report import EpochReport
from matwright.generation.graph_reader import GraphReader, with_graphs
from matwright.generation.physics_terms import PhysicsTerms
from matwright.generation.prior_fit import PriorFitConfig, PriorReport, fit_prior
from matwright.generation.rebuild import RebuildRates, rebuild_rates, small
from matwright.generation.sampler import Temperatures
from matwright.generation.warm_start import start_from
from matwright.generation.wyckoff import SymmetrySequence

STATE = "state.safetensors"


def train_generator(
    train: Sequence[SymmetrySequence],
    valid: Sequence[SymmetrySequence],
    *,
    out: Path,
    name: str,
    decoder: DecoderConfig | None = None,
    encoder: EncoderConfig | None = None,
    fit: FitConfig | None = None,
    prior: PriorFitConfig | None = None,
    values: tuple[Properties, Properties] | None = None,
    reader: GraphReader | None = None,
    start: TrainedGenerator | None = None,
    rebuilt: int = 0,
    keep_state: bool = False,
    max_atoms: int = 24,
    data: Mapping[str, Any] | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> TrainedGenerator:
    """Train a generator on sequences and write it to the existing folder `out`; `load_generator(out)` reads it.

    Args:
        train, valid: sequences of the two parts (see `generation.corpus.encode_all`).
        out: folder of `model.json` and `model.safetensors`.
        name: what stands in the provenance of its candidates.
        decoder, encoder, fit: sizes and training settings; None takes the defaults.
        prior: how the flow is fitted afterwards, for a decoder that has one.
        values: of `EncoderConfig.properties`, one row a sequence of the two parts, NaN where unknown.
        reader: reads graphs, for an encoder with a `graph_model`; None loads that model.
        start: a trained generator of the same vocabulary whose decoder this one starts from.
        rebuilt: held-out crystals (at most 20 atoms) that are decoded from their latents after each epoch; 0: none.
        keep_state: write the state of the training into `out` after each epoch, and go on from one that is there.
        max_atoms: largest primitive cell it learns and writes.
        data: where the sequences come from, kept in the model's record.
        on_epoch: told after each epoch.

    Raises:
        InputError: a part has no sequence of that size, `start` has another vocabulary, or the reader is not the
            encoder's.
    """
    fit = fit or FitConfig()
    decoder = decoder or DecoderConfig()
    encoder = encoder or EncoderConfig(latent=decoder.latent)
    reader = reader or (ModelReader(encoder.graph_model) if encoder.graph_model else None)
    if reader is not None and (reader.name, reader.width) != (encoder.graph_model, encoder.graph_width):
        raise InputError(
            f"the encoder reads {encoder.graph_width} numbers of {encoder.graph_model!r}, "
            f"found a reader of {reader.width} of {reader.name!r}"
        )
    corpus = build_corpus(train, valid, max_atoms=max_atoms, values=values, reader=reader)
    model = _model(corpus, decoder, encoder, fit.seed)
    if start is not None:
        if start.packer.vocabulary != corpus.packer.vocabulary:
            raise InputError(f"{start.name} knows other elements or sizes than these sequences: no start from it")
        start_from(model, start.model)
    few = corpus.valid.batch.select(small(corpus.valid.batch, rebuilt)) if rebuilt else None
    reports: list[EpochReport] = []

    def record(report: EpochReport) -> None:
        reports.append(report)
        if on_epoch is not None:
            on_epoch(report)

    def rates(averaged: SequenceAutoencoder) -> RebuildRates:
        return rebuild_rates(averaged, corpus.packer, few if few is not None else corpus.valid.batch)

    fit_autoencoder(
        model, corpus.train, corpus.valid, fit,
        on_epoch=record, rebuild=rates if rebuilt else None, state=out / STATE if keep_state else None,
        parts=FitParts(
            read_graphs=None if reader is None else partial(with_graphs, packer=corpus.packer, reader=reader),
            physics=PhysicsTerms(corpus.packer),
        ),
    )  # fmt: skip
    flow = fit_prior(model, corpus.train, corpus.valid, prior or PriorFitConfig(seed=fit.seed))
    facts = {"data": dict(data or {}), "start": None if start is None else start.name, "fit": asdict(fit)}
    facts |= _measured(corpus, reports[-1], flow)
    trained = TrainedGenerator(
        name=name, model=model, packer=corpus.packer, temperatures=Temperatures(), rules=ContactRules(), record=facts,
        reader=reader,
    )  # fmt: skip
    save_generator(trained, out)
    return trained


def _model(corpus: Corpus, decoder: DecoderConfig, encoder: EncoderConfig, seed: int) -> SequenceAutoencoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SequenceAutoencoder(
            decoder=decoder,
            encoder=encoder,
            vocabulary=corpus.packer.vocabulary,
            catalogue=corpus.packer.catalogue,
        )


def _measured(corpus: Corpus, last: EpochReport, flow: PriorReport) -> dict[str, Any]:
    """What the record says of the training: sizes, held-out nats, and how much the latent holds."""
    return {
        "n_train": len(corpus.train),
        "n_valid": len(corpus.valid),
        "epochs": last.epoch,
        "seconds": last.seconds,
        "held_out_nats": {**last.valid, "bound": last.bound},
        "active_units": last.active_units,
        "physics": last.physics,
        "property_error_spreads": None if math.isnan(last.property_error) else last.property_error,
        "mutual_information_nats": last.information,
        "rebuilt": None if last.rebuilt is None else asdict(last.rebuilt),
        "prior": asdict(flow),
    }
