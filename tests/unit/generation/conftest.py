"""A hand-written corpus of well-known structures, and a small generator trained on it for a few seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from matwright.api.train_generator import train_generator
from matwright.generation.autoencoder import SequenceAutoencoder
from matwright.generation.checkpoint import TrainedGenerator
from matwright.generation.corpus import Corpus, build_corpus
from matwright.generation.decoder import DecoderConfig
from matwright.generation.encoder import EncoderConfig
from matwright.generation.fit_config import FitConfig
from matwright.generation.wyckoff import Orbit, SymmetrySequence

SMALL = DecoderConfig(
    latent=4,
    element_width=16,
    position_width=16,
    formula_width=32,
    structure_width=48,
    geometry_width=32,
    head_width=32,
    coordinate_components=6,
    shape_components=3,
    dropout=0.0,
)
ALKALI, EARTH, HALIDE, CHALCOGEN = (3, 11, 19, 37), (12, 20, 38, 56), (9, 17, 35, 53), (8, 16, 34)


def _sequence(group: int, orbits: list[tuple[int, str, tuple[float, ...]]], *lattice: float) -> SymmetrySequence:
    return SymmetrySequence(
        space_group=group,
        orbits=tuple(Orbit(number=number, letter=letter, free=free) for number, letter, free in orbits),
        lattice=lattice,
    )


def known_structures() -> list[SymmetrySequence]:
    """Rock salt, caesium chloride, fluorite, perovskite, rutile, wurtzite and a monoclinic oxide, many times."""
    found = []
    for a in ALKALI:
        for x in HALIDE:
            found.append(_sequence(225, [(a, "a", ()), (x, "b", ())], 4.0 + 0.03 * (a + x)))
            found.append(_sequence(221, [(a, "a", ()), (x, "b", ())], 2.8 + 0.02 * (a + x)))
    for m in EARTH:
        for x in HALIDE:
            found.append(_sequence(225, [(m, "a", ()), (x, "c", ())], 4.5 + 0.02 * (m + x)))
            found.append(_sequence(136, [(m, "a", ()), (x, "f", (0.305,))], 4.3 + 0.01 * (m + x), 3.0 + 0.01 * m))
        for x in CHALCOGEN:
            found.append(_sequence(225, [(m, "a", ()), (x, "b", ())], 4.0 + 0.02 * (m + x)))
            found.append(_sequence(186, [(m, "b", (0.0,)), (x, "b", (0.38,))], 3.2 + 0.01 * m, 5.0 + 0.02 * x))
        for t in (22, 40, 72):
            found.append(_sequence(221, [(m, "a", ()), (t, "b", ()), (8, "c", ())], 3.6 + 0.005 * (m + t)))
    for t in (22, 40, 72):
        orbits = [(t, "e", (0.28, 0.04, 0.21)), (8, "e", (0.07, 0.33, 0.34)), (8, "e", (0.45, 0.76, 0.48))]
        found.append(_sequence(14, orbits, 5.1, 5.2, 5.3, 99.0))
    return found


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a generator that has seen `known_structures` for a few epochs."""
    folder = tmp_path_factory.mktemp("generator")
    sequences = known_structures()
    train_generator(
        sequences,
        sequences[::3],
        out=folder,
        name="test-generator",
        decoder=SMALL,
        fit=FitConfig(epochs=30, batch_size=32, learning_rate=1e-2, averaging=0.9, free_nats=0.1),
    )
    return folder


@pytest.fixture(scope="session")
def trained(trained_folder: Path) -> TrainedGenerator:
    """The generator of `trained_folder`, read back."""
    from matwright.generation.checkpoint import load_trained

    return load_trained(trained_folder)


def small_corpus() -> Corpus:
    """All known structures to learn from, every fourth of them held out as well."""
    sequences = known_structures()
    return build_corpus(sequences, sequences[::4], max_atoms=24)


def small_model(corpus: Corpus) -> SequenceAutoencoder:
    """The same untrained generator at each call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SequenceAutoencoder(
            decoder=SMALL, encoder=EncoderConfig(latent=4, width=24), vocabulary=corpus.packer.vocabulary,
            catalogue=corpus.packer.catalogue,
        )  # fmt: skip
