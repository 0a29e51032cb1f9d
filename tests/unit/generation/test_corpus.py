"""From crystals to training data: what cannot be encoded or is too large stays out, and says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from matwright.errors import InputError
from matwright.generation.corpus import build_corpus, encode_all
from matwright.generation.wyckoff import Orbit, SymmetrySequence
from matwright.generation.wyckoff.decode import decode

from .conftest import known_structures


def test_crystals_are_encoded_in_order_and_a_layer_gives_none() -> None:
    crystals = [decode(sequence) for sequence in known_structures()[:4]]
    layer = replace(crystals[0], pbc=(True, True, False))
    done: list[int] = []
    found = list(encode_all([*crystals[:2], layer, *crystals[2:]], on_done=done.append))
    assert [s.composition if s else None for s in found] == [
        *[s.composition for s in known_structures()[:2]],
        None,
        *[s.composition for s in known_structures()[2:4]],
    ]
    assert sum(done) == 5


def test_several_processes_give_the_same_sequences() -> None:
    crystals = [decode(sequence) for sequence in known_structures()[:6]]
    assert list(encode_all(crystals, workers=2)) == list(encode_all(crystals))


def test_elements_come_from_the_training_part_alone() -> None:
    sequences = known_structures()
    stranger = SymmetrySequence(space_group=225, orbits=(Orbit(number=79, letter="a"),), lattice=(4.1,))
    corpus = build_corpus(sequences, [*sequences[:3], stranger], max_atoms=24)
    assert 79 not in corpus.packer.vocabulary.elements
    assert len(corpus.train) == len(sequences)
    assert len(corpus.valid) == 3


def test_crystals_that_are_too_large_stay_out() -> None:
    sequences = known_structures()
    assert len(build_corpus(sequences, sequences, max_atoms=2).train) < len(sequences)
    with pytest.raises(InputError, match="no training crystal has at most 1 atoms"):
        build_corpus(sequences, sequences, max_atoms=1)
