"""The CIF with its space group reads back as the crystal that the sequence decodes to."""

from __future__ import annotations

import numpy as np
import pytest

from matwright.generation.sequence_cif import sequence_to_cif
from matwright.generation.wyckoff import Orbit, SymmetrySequence, space_group
from matwright.generation.wyckoff.decode import decode
from matwright.generation.wyckoff.encode import encode
from matwright.materials.interop import from_cif

from .conftest import known_structures

LENGTHS = {"a": 26.1, "b": 29.3, "c": 33.9, "alpha": 81.0, "beta": 97.0, "gamma": 84.0}


@pytest.mark.parametrize("number", [1, 5, 9, 15, 43, 70, 88, 122, 146, 148, 160, 167, 194, 205, 214, 227, 230])
def test_cif_reads_back_in_every_centring(number: int) -> None:
    group = space_group(number)
    orbits = (
        Orbit(number=11, letter=group.letters[0], free=(0.13, 0.21, 0.34)[: group.positions[0].dof]),
        Orbit(number=17, letter=group.letters[-1], free=(0.137, 0.221, 0.089)),
    )
    sequence = SymmetrySequence(
        space_group=number, orbits=orbits, lattice=tuple(LENGTHS[name] for name in group.lattice_parameters)
    )
    text = sequence_to_cif(sequence)
    assert f"_space_group_IT_number {number}\n" in text
    read, made = from_cif(text), decode(sequence, conventional=True)
    assert len(read) == len(made)
    assert np.isclose(read.volume, made.volume, rtol=1e-5)
    assert sorted(read.numbers) == sorted(made.numbers)


def test_cif_keeps_the_structure() -> None:
    for sequence in known_structures()[::7]:
        again = encode(from_cif(sequence_to_cif(sequence)))
        assert again.distance(encode(decode(sequence))) < 1e-4
