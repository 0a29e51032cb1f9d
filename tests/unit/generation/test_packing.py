"""Sequences to tensors and back, and the scaling of cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matwright.errors import InputError
from matwright.generation.catalogue import wyckoff_catalogue
from matwright.generation.cell_shape import fit_volumes, free_parameters, raw_shape
from matwright.generation.checkpoint import TrainedGenerator
from matwright.generation.wyckoff import Orbit, SymmetrySequence, lattice_parameters, space_group
from matwright.generation.wyckoff.decode import decode

from .conftest import known_structures


def test_sequences_come_back_from_tensors(trained: TrainedGenerator) -> None:
    sequences = known_structures()
    restored = trained.packer.unpack(trained.packer.pack(sequences))
    for before, after in zip(sequences, restored, strict=True):
        assert after is not None
        assert after.composition == before.composition
        assert after.space_group == before.space_group
        assert sorted((o.letter, o.number) for o in after.orbits) == sorted((o.letter, o.number) for o in before.orbits)
        assert decode(after).volume == pytest.approx(decode(before).volume, rel=1e-4)
        assert after.lattice == pytest.approx(before.lattice, rel=1e-4)


def test_orbits_stand_in_electronegativity_order(trained: TrainedGenerator) -> None:
    batch = trained.packer.pack(known_structures())
    real = batch.orbit_mask[:, 1:]
    assert ((batch.slots[:, 1:] >= batch.slots[:, :-1]) | ~real).all()
    assert (batch.n_atoms == (trained.packer.catalogue.multiplicity[batch.group[:, None], batch.letters]
                              * batch.orbit_mask).sum(1)).all()  # fmt: skip


def test_an_unknown_element_is_refused(trained: TrainedGenerator) -> None:
    stranger = SymmetrySequence(space_group=225, orbits=(Orbit(number=79, letter="a"),), lattice=(4.1,))
    with pytest.raises(InputError, match="outside the generator's vocabulary"):
        trained.packer.pack([stranger])


@given(st.integers(1, 230), st.data())
def test_cell_shape_is_undone_for_every_group(group: int, data: st.DataObject) -> None:
    names = lattice_parameters(group)
    free = tuple(data.draw(st.floats(75, 105) if len(n) > 1 else st.floats(2, 20)) for n in names)
    raw = raw_shape(group, free, 100.0)
    (restored,) = free_parameters(np.array([group]), raw[None], np.array([100.0]))
    assert restored == pytest.approx(free)
    cell = decode(
        SymmetrySequence(
            space_group=group,
            orbits=(Orbit(number=6, letter=space_group(group).letters[-1], free=(0.1, 0.2, 0.3)),),
            lattice=free,
        )
    )
    conventional = cell.volume * int(wyckoff_catalogue().centring[group])
    assert np.log(conventional / 100.0) == pytest.approx(raw[0])


def test_angles_that_close_no_cell_give_nothing() -> None:
    raw = np.array([[0.0, 0.0, 0.0, 30.0, 30.0, 150.0]])
    assert free_parameters(np.array([1]), raw, np.array([100.0])) == [None]


def test_volumes_of_elements_are_recovered() -> None:
    rng = np.random.default_rng(0)
    truth = {3: 12.0, 8: 9.0, 26: 11.0, 38: 30.0}
    compositions = [
        {int(z): int(rng.integers(1, 5)) for z in rng.choice(list(truth), 3, replace=False)} for _ in range(200)
    ]
    volumes = np.array([sum(truth[z] * c for z, c in comp.items()) for comp in compositions])
    fitted = fit_volumes(compositions, volumes, ridge=0.01)
    for number, volume in truth.items():
        assert fitted[number] == pytest.approx(volume, rel=0.01)
