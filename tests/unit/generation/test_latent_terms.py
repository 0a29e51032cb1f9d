"""The further terms of the loss: properties read from the latent (E24), and latents read back (E27)."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from matwright.generation.autoencoder import SequenceAutoencoder
from matwright.generation.consistency import consistency_loss
from matwright.generation.corpus import Corpus, build_corpus
from matwright.generation.encoder import EncoderConfig
from matwright.generation.fit import fit_autoencoder
from matwright.generation.fit_config import FitConfig
from matwright.generation.fit_report import EpochReport, evaluate
from matwright.generation.masks import MaskRules
from matwright.generation.property_head import PropertyHead
from matwright.materials.constraints import Constraints

from .conftest import SMALL, known_structures

CONFIG = FitConfig(epochs=12, batch_size=32, learning_rate=1e-2, averaging=0.9, free_nats=0.3, kl_warmup=0.8)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Sequences with two properties: the space group over 100, and a number that is never known."""
    sequences = known_structures()
    values = [(sequence.space_group / 100, math.nan) for sequence in sequences]
    return build_corpus(sequences, sequences[::4], max_atoms=24, values=(values, values[::4]))


def _model(corpus: Corpus) -> SequenceAutoencoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SequenceAutoencoder(
            decoder=SMALL, encoder=EncoderConfig(latent=4, width=24, properties=("group", "never")),
            vocabulary=corpus.packer.vocabulary, catalogue=corpus.packer.catalogue,
        )  # fmt: skip


def test_values_stay_with_their_sequences(corpus: Corpus) -> None:
    for data in (corpus.train, corpus.valid):
        assert data.properties is not None
        torch.testing.assert_close(data.properties[:, 0], data.batch.group / 100)
    part = corpus.train.select(torch.tensor([3, 1]))
    assert part.properties is not None
    torch.testing.assert_close(part.properties[:, 0], part.batch.group / 100)


@pytest.mark.slow
def test_the_property_term_makes_the_latent_tell_the_property(corpus: Corpus) -> None:
    errors = {}
    for weight in (0.0, 5.0):
        reports = list[EpochReport]()
        config = replace(CONFIG, epochs=25, batch_size=16, property_weight=weight)
        fit_autoencoder(_model(corpus), corpus.train, corpus.valid, config, on_epoch=reports.append)
        errors[weight] = reports[-1].property_error
    assert errors[5.0] < 0.5 * errors[0.0]


def test_unknown_values_neither_count_nor_spoil() -> None:
    head = PropertyHead(3, 2)
    values = torch.tensor([[1.0, math.nan], [3.0, math.nan]])
    head.fit_scale(values)
    z = torch.zeros(2, 3, requires_grad=True)
    error = head.error(z, values)
    assert error.isfinite()
    error.backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()
    assert float(head.error(z, torch.full((2, 2), math.nan))) == 0.0


def test_latent_consistency_teaches_to_read_latents_back(corpus: Corpus) -> None:
    """The same draws again and again can be learned by heart: the gradient must lead there."""
    model, losses = _model(corpus), list[float]()
    limits = Constraints(n_atoms=(1, 24), n_elements=(1, corpus.packer.vocabulary.max_elements))
    rules = MaskRules(corpus.packer.vocabulary, corpus.packer.catalogue, limits)
    optimiser = torch.optim.Adam(model.encoder.parameters(), lr=1e-2)
    with torch.random.fork_rng(devices=[]):
        for _ in range(60):
            torch.manual_seed(1)
            optimiser.zero_grad()
            loss = consistency_loss(model, rules, 16)
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]


def test_the_consistency_term_takes_part_in_the_fit(corpus: Corpus) -> None:
    weights = []
    for weight in (0.0, 3.0):
        model = _model(corpus)
        config = replace(CONFIG, epochs=1, consistency=weight)
        fit_autoencoder(model, corpus.train, corpus.valid, config, on_epoch=lambda _: None)
        weights.append(model.encoder.elements.weight.detach())
    assert not torch.equal(*weights)


def test_consistency_teaches_the_recognition_network_alone(corpus: Corpus) -> None:
    model = _model(corpus)
    limits = Constraints(n_atoms=(1, 24), n_elements=(1, corpus.packer.vocabulary.max_elements))
    rules = MaskRules(corpus.packer.vocabulary, corpus.packer.catalogue, limits)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        consistency_loss(model, rules, 32).backward()
    assert all(parameter.grad is None for parameter in model.decoder.parameters())
    assert any(parameter.grad is not None for parameter in model.encoder.parameters())
    assert math.isfinite(evaluate(model, corpus.valid).property_error)
