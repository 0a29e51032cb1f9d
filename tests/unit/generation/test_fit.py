"""Training learns, keeps the latent in use and repeats."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from matwright.generation.fit import fit_autoencoder, length_buckets
from matwright.generation.fit_config import FitConfig
from matwright.generation.fit_report import EpochReport, evaluate
from matwright.generation.likelihood import sequence_log_prob

from .conftest import small_corpus, small_model


def test_training_raises_the_bound_and_repeats() -> None:
    corpus = small_corpus()
    config = FitConfig(epochs=10, batch_size=32, learning_rate=1e-2, averaging=0.5, kl_warmup=0.8, free_nats=0.3)
    bounds = []
    for _ in range(2):
        model, reports = small_model(corpus), list[EpochReport]()
        before = evaluate(model, corpus.valid).bound
        state = torch.random.get_rng_state()
        fit_autoencoder(model, corpus.train, corpus.valid, config, on_epoch=reports.append)
        assert torch.equal(state, torch.random.get_rng_state())
        assert len(reports) == 10
        assert reports[-1].bound > before + 10
        assert reports[-1].active_units >= 1
        bounds.append(reports[-1].bound)
    assert bounds[0] == bounds[1]


def test_a_batch_equals_its_parts() -> None:
    corpus = small_corpus()
    model = small_model(corpus).eval()
    data = corpus.train
    with torch.no_grad():
        mean, _ = model.encoder(data.batch)
        whole = sequence_log_prob(model.decoder, data.batch, data.masks, mean)
        for row in (0, 5, len(data) - 1):
            part = data.select(torch.tensor([row]))
            alone, _ = model.encoder(part.batch)
            torch.testing.assert_close(alone[0], mean[row], atol=1e-5, rtol=1e-5)
            for name, value in sequence_log_prob(model.decoder, part.batch, part.masks, alone).items():
                torch.testing.assert_close(value[0], whole[name][row], atol=1e-4, rtol=1e-4)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=200), st.integers(1, 50), st.integers(0, 100))
def test_buckets_hold_every_row_once(lengths: list[int], size: int, seed: int) -> None:
    blocks = list(length_buckets(np.array(lengths), size, np.random.default_rng(seed)))
    assert sorted(np.concatenate(blocks).tolist()) == list(range(len(lengths)))
    assert all(len(block) <= size for block in blocks)
