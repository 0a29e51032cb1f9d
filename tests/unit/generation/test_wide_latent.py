"""The parts of a latent that holds its crystal: flow, swap of elements, warm start, rebuilding, resuming."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from matwright.api.generate import load_generator
from matwright.errors import InputError
from matwright.generation.autoencoder import BoundWeights, LatentTerms, SequenceAutoencoder, negative_bound
from matwright.generation.corpus import Corpus, build_corpus
from matwright.generation.encoder import EncoderConfig
from matwright.generation.fit import fit_autoencoder
from matwright.generation.fit_config import FitConfig
from matwright.generation.fit_report import EpochReport, evaluate
from matwright.generation.jitter import element_masks, swap_elements
from matwright.generation.latent import LatentGenerator
from matwright.generation.likelihood import sequence_log_prob
from matwright.generation.masks import MaskRules
from matwright.generation.prior import LatentFlow
from matwright.generation.prior_fit import PriorFitConfig, fit_prior
from matwright.generation.rebuild import rebuild_rates, small
from matwright.generation.warm_start import start_from
from matwright.materials.constraints import Constraints

from .conftest import SMALL, known_structures

WIDE = replace(SMALL, latent=8, latent_in_cell=True, optional_latent=True, prior_layers=2, prior_width=16)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    sequences = known_structures()
    return build_corpus(sequences, sequences[::4], max_atoms=24)


def _wide(corpus: Corpus, seed: int = 0) -> SequenceAutoencoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SequenceAutoencoder(
            decoder=WIDE, encoder=EncoderConfig(latent=8, width=32, memory=16),
            vocabulary=corpus.packer.vocabulary, catalogue=corpus.packer.catalogue,
        )  # fmt: skip


@settings(max_examples=15)
@given(st.integers(0, 1000), st.integers(2, 9), st.integers(0, 4))
def test_the_flow_is_invertible_and_its_density_right(seed: int, latent: int, layers: int) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        flow = LatentFlow(latent, layers=layers, width=8).double()
        for parameter in flow.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        base = torch.randn(3, latent, dtype=torch.float64)
    z = flow.to_latent(base)
    back, log_volume = flow.to_base(z)
    torch.testing.assert_close(back, base, atol=1e-8, rtol=1e-8)
    for row in range(3):
        jacobian = torch.autograd.functional.jacobian(lambda x: flow.to_base(x[None])[0][0], z[row])
        torch.testing.assert_close(torch.linalg.slogdet(jacobian)[1], log_volume[row], atol=1e-8, rtol=1e-8)


@given(seed=st.integers(0, 1000))
def test_swapped_elements_keep_order_counts_and_open_masks(corpus: Corpus, seed: int) -> None:
    batch, vocabulary = corpus.train.batch, corpus.packer.vocabulary
    rows = torch.arange(len(batch)) % 2 == 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        swapped = swap_elements(batch, rows, len(vocabulary))
    assert torch.equal(swapped.elements[~rows], batch.elements[~rows])
    real = batch.counts > 0
    assert torch.equal(swapped.elements < len(vocabulary), real)
    both = real[:, :-1] & real[:, 1:]
    assert (swapped.elements[:, 1:] > swapped.elements[:, :-1])[both].all()
    limits = Constraints(n_atoms=(1, 24), n_elements=(1, vocabulary.max_elements))
    masks = element_masks(swapped, MaskRules(vocabulary, corpus.packer.catalogue, limits))
    assert masks[:, :-1].gather(2, swapped.elements[..., None])[..., 0][real].all()


def test_a_warm_start_writes_what_the_trained_decoder_would(corpus: Corpus) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        narrow = SequenceAutoencoder(
            decoder=SMALL, encoder=EncoderConfig(latent=4, width=24), vocabulary=corpus.packer.vocabulary,
            catalogue=corpus.packer.catalogue,
        ).eval()  # fmt: skip
        z = torch.randn(len(corpus.train), 8)
    wide = _wide(corpus).eval()
    fresh = start_from(wide, narrow)
    assert all(name == "no_latent" or name.startswith("prior.") for name in fresh)
    data = corpus.train
    with torch.no_grad():
        expected = sequence_log_prob(narrow.decoder, data.batch, data.masks, z[:, :4])
        found = sequence_log_prob(wide.decoder, data.batch, data.masks, z)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-4, rtol=1e-4)


def test_the_latent_costs_nothing_up_to_what_it_may_hold() -> None:
    kl = torch.full((4, 8), 0.5)  # 4 nats a sequence
    terms = LatentTerms(
        log_prob={"shape": torch.zeros(4)}, kl=kl, latent=kl, used=torch.tensor([True, True, False, False])
    )
    assert float(negative_bound(terms, BoundWeights(free_total=5.0))) == 0.0
    assert float(negative_bound(terms, BoundWeights(free_total=3.0))) == pytest.approx(0.5)  # half of the rows pay
    assert float(negative_bound(terms, BoundWeights(free_nats=1.0))) == pytest.approx(4.0)


@pytest.mark.slow
def test_a_latent_that_may_hold_the_crystal_learns_to(corpus: Corpus) -> None:
    config = FitConfig(
        epochs=60, batch_size=16, learning_rate=1e-2, averaging=0.9, free_nats=0.0, free_total=20.0, kl_warmup=0.0
    )
    model, reports = _wide(corpus), list[EpochReport]()
    few = corpus.train.batch.select(small(corpus.train.batch, 30))
    before = rebuild_rates(model, corpus.packer, few)
    fit_autoencoder(model, corpus.train, corpus.valid, config, on_epoch=reports.append)
    after = rebuild_rates(model, corpus.packer, few)
    assert before.crystal < 0.1
    assert after.crystal > 0.2
    assert after.formula >= after.symmetry
    assert reports[-1].active_units == 8
    assert 2.0 < reports[-1].information < 4.0  # at most log(number of held-out sequences)
    told, alone = reports[-1].bound + reports[-1].valid["kl"], reports[-1].without_latent
    assert told > alone + 1  # the latent tells the decoder something


def test_a_resumed_training_ends_where_an_unbroken_one_does(corpus: Corpus, tmp_path: Path) -> None:
    config = FitConfig(epochs=4, batch_size=32, averaging=0.9, without_latent=0.3, swapped=0.2, minutes=1e6)
    whole, broken, resumed = _wide(corpus), _wide(corpus), _wide(corpus)
    fit_autoencoder(whole, corpus.train, corpus.valid, config, on_epoch=lambda _: None)

    def stop(report: EpochReport) -> None:
        if report.epoch == 2:
            raise KeyboardInterrupt

    state = tmp_path / "state.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fit_autoencoder(broken, corpus.train, corpus.valid, config, on_epoch=stop, state=state)
    epochs = list[int]()
    fit_autoencoder(resumed, corpus.train, corpus.valid, config, on_epoch=lambda r: epochs.append(r.epoch), state=state)
    assert epochs == [3, 4]
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, atol=1e-5, rtol=1e-4)


def test_a_decoder_that_needs_its_latent_says_so(corpus: Corpus) -> None:
    narrow = SequenceAutoencoder(
        decoder=SMALL, encoder=EncoderConfig(latent=4, width=24), vocabulary=corpus.packer.vocabulary,
        catalogue=corpus.packer.catalogue,
    )  # fmt: skip
    with pytest.raises(InputError, match="without a latent"):
        narrow.decoder.without_latent(3, torch.Generator())
    report = evaluate(narrow, corpus.valid)
    assert report.without_latent != report.without_latent  # not a number: never measured


def test_the_fitted_prior_is_likelier_than_the_standard_one(corpus: Corpus) -> None:
    model = _wide(corpus)
    with torch.no_grad():  # latents that lie off the origin, as N(0, I) does not expect them
        last = model.encoder.out[-1]
        assert isinstance(last, torch.nn.Linear)
        last.bias[:8] += 2.0
        last.bias[8:] -= 2.0
    config = PriorFitConfig(epochs=30, batch_size=32, learning_rate=1e-2)
    first, again = (fit_prior(model, corpus.train, corpus.valid, config) for _ in range(2))
    assert first.fitted > first.standard + 5
    assert again.fitted >= first.fitted  # goes on from the fitted flow
    drawn = model.decoder.draw_latents(500, torch.Generator().manual_seed(0))
    assert float(drawn.mean()) == pytest.approx(2.0, abs=0.5)


def test_free_samples_need_no_latent_where_the_decoder_can_do_without(corpus: Corpus) -> None:
    wide, stream = _wide(corpus).eval(), torch.Generator().manual_seed(0)
    assert wide.decoder.no_latent is not None
    torch.testing.assert_close(wide.decoder.free_latents(3, stream), wide.decoder.no_latent.detach().expand(3, -1))
    narrow = SequenceAutoencoder(
        decoder=SMALL, encoder=EncoderConfig(latent=4, width=24), vocabulary=corpus.packer.vocabulary,
        catalogue=corpus.packer.catalogue,
    )  # fmt: skip
    again = torch.Generator().manual_seed(0)
    assert torch.equal(narrow.decoder.free_latents(3, stream.manual_seed(0)), narrow.decoder.draw_latents(3, again))


def test_a_training_at_its_end_reports_once(corpus: Corpus, tmp_path: Path) -> None:
    config, state = FitConfig(epochs=1, batch_size=32, averaging=0.9, minutes=1e6), tmp_path / "state.safetensors"
    reports = list[EpochReport]()
    fit_autoencoder(_wide(corpus), corpus.train, corpus.valid, config, on_epoch=reports.append, state=state)
    fit_autoencoder(_wide(corpus), corpus.train, corpus.valid, config, on_epoch=reports.append, state=state)
    assert [report.epoch for report in reports] == [1, 1]
    assert reports[0].bound == reports[1].bound


def test_the_shipped_generator_rebuilds_most_of_what_it_reads() -> None:
    """Well-known compounds come back from their latent mean; the latent is not a bottleneck that forgets them."""
    generator = load_generator("mp-generator")
    assert isinstance(generator, LatentGenerator)
    packer, model = generator.trained.packer, generator.trained.model
    known = [sequence for sequence in known_structures() if packer.fits(sequence)]
    few = known[:: len(known) // 24]
    rates = rebuild_rates(model, packer, packer.pack(few))
    assert rates.formula > 0.6
    assert generator.trained.record["rebuilt"]["crystal"] > 0.6
    assert generator.trained.record["active_units"] >= 16
