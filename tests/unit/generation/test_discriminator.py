"""The adversarial mode: a discriminator learns to tell latents from the prior, and what makes them to prevent it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from matwright.generation.corpus import Corpus
from matwright.generation.discriminator import LatentDiscriminator, adversarial_loss, told_apart
from matwright.generation.fit import fit_autoencoder
from matwright.generation.fit_config import FitConfig
from matwright.generation.fit_report import EpochReport

from .conftest import small_corpus, small_model

CONFIG = FitConfig(epochs=4, batch_size=32, averaging=0.9, adversarial=0.5, minutes=1e6)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return small_corpus()


def test_both_sides_learn_from_one_loss() -> None:
    """Latents from N(3, I) with a shift to learn: the discriminator sees them at once, the shift closes the gap."""
    stream = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        discriminator = LatentDiscriminator(2, width=16)
    shift = torch.nn.Parameter(torch.full((2,), 3.0))
    both = torch.optim.Adam([*discriminator.parameters(), shift], lr=5e-3)
    apart = []
    for _ in range(600):
        latents, drawn = torch.randn(256, 2, generator=stream) + shift, torch.randn(256, 2, generator=stream)
        both.zero_grad()
        adversarial_loss(discriminator, latents, drawn).backward()
        both.step()
        apart.append(told_apart(discriminator, latents, drawn))
    assert max(apart[:150]) > 0.9
    assert float(shift.detach().norm()) < 1.0
    assert apart[-1] < 0.75


def test_a_discriminator_that_cannot_tell_loses_log_two() -> None:
    discriminator = LatentDiscriminator(3)
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.zero_()
    z = torch.randn(7, 3)
    assert float(adversarial_loss(discriminator, z, z).detach()) == pytest.approx(0.6931, abs=1e-4)
    assert told_apart(discriminator, z, z) == 0.5


def test_the_adversarial_mode_is_reported_and_resumes_where_it_stopped(corpus: Corpus, tmp_path: Path) -> None:
    whole, broken, resumed = (small_model(corpus) for _ in range(3))
    reports = list[EpochReport]()
    fit_autoencoder(whole, corpus.train, corpus.valid, CONFIG, on_epoch=reports.append)
    assert all(0 <= report.told_apart <= 1 for report in reports)

    def stop(report: EpochReport) -> None:
        if report.epoch == 2:
            raise KeyboardInterrupt

    state = tmp_path / "state.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fit_autoencoder(broken, corpus.train, corpus.valid, CONFIG, on_epoch=stop, state=state)
    fit_autoencoder(resumed, corpus.train, corpus.valid, CONFIG, on_epoch=lambda _: None, state=state)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, atol=1e-5, rtol=1e-4)
    assert not any("discriminator" in name for name in whole.state_dict())  # nothing of it is kept with the generator


def test_without_the_mode_nothing_is_told_apart(corpus: Corpus) -> None:
    reports = list[EpochReport]()
    config = replace(CONFIG, adversarial=0.0, epochs=1)
    fit_autoencoder(small_model(corpus), corpus.train, corpus.valid, config, on_epoch=reports.append)
    assert reports[-1].told_apart != reports[-1].told_apart
