"""The recognition network reads the crystal's graph beside its sequence (E25), and can do without (E27 with either)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from matwright.api.generate import load_generator
from matwright.api.graph_reader import ModelReader
from matwright.api.train_generator import train_generator
from matwright.errors import InputError
from matwright.generation.aims import base_of
from matwright.generation.autoencoder import SequenceAutoencoder
from matwright.generation.consistency import consistency_loss
from matwright.generation.corpus import Corpus, build_corpus
from matwright.generation.encoder import EncoderConfig
from matwright.generation.fit import fit_autoencoder
from matwright.generation.fit_config import FitConfig
from matwright.generation.graph_reader import with_graphs
from matwright.generation.jitter import swap_elements
from matwright.generation.latent import LatentGenerator
from matwright.generation.masks import MaskRules
from matwright.generation.sequence_batch import join_batches
from matwright.generation.wyckoff.decode import decode
from matwright.materials.constraints import Constraints
from matwright.materials.crystal import Crystal

from .conftest import SMALL, known_structures

CONFIG = FitConfig(epochs=1, batch_size=32, averaging=0.9, without_graph=0.2, swapped=0.2)


class Densities:
    """A reader small enough to check by hand: logarithms of the number of atoms and of the volume."""

    name, width = "densities", 2

    def __call__(self, crystals: Sequence[Crystal]) -> Tensor:
        """(n, 2)."""
        return torch.tensor([[np.log(len(c)), np.log(c.volume)] for c in crystals], dtype=torch.float32)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    sequences = known_structures()
    return build_corpus(sequences, sequences[::4], max_atoms=24, reader=Densities())


def _model(corpus: Corpus) -> SequenceAutoencoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SequenceAutoencoder(
            decoder=SMALL,
            encoder=EncoderConfig(latent=4, width=24, memory=8, graph_model="densities", graph_width=2),
            vocabulary=corpus.packer.vocabulary, catalogue=corpus.packer.catalogue,
        ).eval()  # fmt: skip


def test_graphs_are_those_of_the_crystals_and_stay_with_them(corpus: Corpus) -> None:
    expected = Densities()([decode(sequence) for sequence in known_structures()])
    batch = corpus.train.batch
    assert batch.graphs is not None
    torch.testing.assert_close(batch.graphs, expected, atol=1e-4, rtol=1e-4)
    part = batch.select(torch.tensor([5, 2]))
    assert part.graphs is not None
    torch.testing.assert_close(part.graphs, batch.graphs[[5, 2]])
    joined = join_batches([part, batch])
    assert joined.graphs is not None
    assert torch.equal(joined.graphs[:2], part.graphs)
    assert join_batches([replace(part, graphs=None), batch]).graphs is None


def test_the_posterior_depends_on_the_graph_only_where_it_is_known(corpus: Corpus) -> None:
    model, batch = _model(corpus), corpus.train.batch
    assert batch.graphs is not None
    changed = batch.graphs.clone()
    changed[0] += torch.tensor([0.5, -0.5])
    with torch.no_grad():
        model.encoder.no_graph.normal_()
        mean, _ = model.encoder(batch)
        moved, _ = model.encoder(replace(batch, graphs=changed))
        unknown, _ = model.encoder(replace(batch, graphs=torch.full_like(changed, torch.nan)))
        without, _ = model.encoder(replace(batch, graphs=None))
    assert not torch.allclose(mean[0], moved[0], atol=1e-4)
    torch.testing.assert_close(mean[1:], moved[1:])
    torch.testing.assert_close(unknown, without)
    assert not torch.allclose(mean, without, atol=1e-4)


def test_a_crystal_with_swapped_elements_has_no_known_graph(corpus: Corpus) -> None:
    rows = torch.arange(len(corpus.train)) % 3 == 0
    with torch.random.fork_rng(devices=[]):
        swapped = swap_elements(corpus.train.batch, rows, len(corpus.packer.vocabulary))
    assert swapped.graphs is not None
    assert torch.equal(swapped.graphs.isnan().all(1), rows)
    assert torch.equal(swapped.graphs.isfinite().all(1), ~rows)


def test_consistency_reads_the_graphs_of_what_was_decoded(corpus: Corpus) -> None:
    model = _model(corpus)
    limits = Constraints(n_atoms=(1, 24), n_elements=(1, corpus.packer.vocabulary.max_elements))
    rules = MaskRules(corpus.packer.vocabulary, corpus.packer.catalogue, limits)
    reading = partial(with_graphs, packer=corpus.packer, reader=Densities())
    gradients = []
    for read in (reading, None):
        model.zero_grad(set_to_none=True)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            consistency_loss(model, rules, 16, read).backward()
        first = model.encoder.graph[0].weight  # of the first linear layer over the embedding
        gradients.append((first.grad, model.encoder.no_graph.grad))
    assert gradients[0][0] is not None
    assert float(gradients[0][0].abs().sum()) > 0
    assert gradients[1][0] is None
    assert gradients[1][1] is not None


def test_both_ways_of_reading_take_part_in_the_fit(corpus: Corpus) -> None:
    model = _model(corpus)
    before = {name: value.clone() for name, value in model.encoder.named_parameters() if "graph" in name}
    fit_autoencoder(model, corpus.train, corpus.valid, CONFIG, on_epoch=lambda _: None)
    after = dict(model.encoder.named_parameters())
    assert all(not torch.equal(value, after[name]) for name, value in before.items())


def test_a_generator_that_reads_graphs_comes_back_with_its_reader(tmp_path: Path) -> None:
    sequences, reader = known_structures(), ModelReader("mp-crystal")
    trained = train_generator(
        sequences, sequences[::4], out=tmp_path, name="reading", decoder=SMALL, reader=reader,
        encoder=EncoderConfig(latent=4, width=24, graph_model="mp-crystal", graph_width=reader.width),
        fit=replace(CONFIG, consistency=0.1, consistency_rows=4),
    )  # fmt: skip
    again = load_generator(tmp_path)
    assert isinstance(again, LatentGenerator)
    salt = decode(sequences[4])
    here = base_of(again.trained, salt)
    torch.testing.assert_close(here, base_of(trained, salt), atol=1e-2, rtol=1e-2)  # stored in half precision
    assert not torch.equal(here, base_of(replace(again.trained, reader=None), salt))
    assert len(again.sample(3, seed=0)) == 3


def test_a_crystal_that_the_model_cannot_read_has_no_embedding() -> None:
    reader = ModelReader("mp-crystal")
    salt = decode(known_structures()[0])
    coinciding = Crystal(lattice=salt.lattice, frac_coords=np.zeros((2, 3)), numbers=salt.numbers)
    found = reader([salt, coinciding])
    assert found.shape == (2, reader.width)
    assert found[0].isfinite().all()
    assert found[1].isnan().all()
    torch.testing.assert_close(found[:1], reader([salt]))
    assert reader([coinciding]).isnan().all()


def test_a_width_without_a_model_and_another_reader_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="graph_model and graph_width go together"):
        EncoderConfig(graph_width=8)
    sequences = known_structures()
    with pytest.raises(InputError, match="reads 3 numbers of 'densities', found a reader of 2"):
        train_generator(
            sequences, sequences[::4], out=tmp_path, name="wrong", reader=Densities(),
            encoder=EncoderConfig(graph_model="densities", graph_width=3),
        )  # fmt: skip
