"""Decoding: exact symmetry in all 230 groups, batch equal to parts, and the doors of the sequence."""

from __future__ import annotations

import numpy as np
import pytest
from generated import all_positions

from matwright.errors import InputError
from matwright.generation.wyckoff import (
    Orbit,
    SymmetrySequence,
    decode,
    decode_arrays,
    decode_batch,
    encode,
    space_group,
)
from matwright.generation.wyckoff.decode import to_arrays
from matwright.generation.wyckoff.tables import DENOMINATOR

NACL = SymmetrySequence(
    space_group=225, orbits=(Orbit(number=11, letter="a"), Orbit(number=17, letter="b")), lattice=(5.64,)
)


def test_rock_salt() -> None:
    crystal = decode(NACL)
    assert crystal.numbers.tolist() == [11, 17]
    assert crystal.volume == pytest.approx(5.64**3 / 4)
    assert crystal.frac_coords == pytest.approx(np.array([[0.0] * 3, [0.5] * 3]))
    conventional = decode(NACL, conventional=True)
    assert len(conventional) == 8
    assert conventional.lattice == pytest.approx(np.eye(3) * 5.64)


def test_every_group_decodes_to_itself() -> None:
    # every position of the group at once, each with its own element: the search must find exactly this group again,
    # and each element with the multiplicity of its position
    rng = np.random.default_rng(2)
    for number in range(1, 231):
        sequence = all_positions(space_group(number), rng)
        found = encode(decode(sequence))
        assert found.space_group == number
        assert found.composition == sequence.composition
        assert len(found.orbits) == len(sequence.orbits)


def test_operations_leave_every_decoded_position_as_it_is() -> None:
    rng = np.random.default_rng(3)
    for number in range(1, 231):
        group = space_group(number)
        lattice = all_positions(group, rng).lattice
        for position in group.positions:
            orbit = Orbit(number=6, letter=position.letter, free=tuple(rng.random(position.dof)))
            crystal = decode(SymmetrySequence(space_group=number, orbits=(orbit,), lattice=lattice), conventional=True)
            points = crystal.frac_coords
            before = {tuple(point) for point in np.rint(points * 1e6).astype(int) % 1_000_000}
            assert len(before) == position.multiplicity
            which = rng.integers(len(group.rotations), size=3)
            images = (
                points @ group.rotations[which].transpose(0, 2, 1) + group.translations[which][:, None] / DENOMINATOR
            )
            for image in images:
                assert {tuple(point) for point in np.rint(image * 1e6).astype(int) % 1_000_000} == before
            # the operations are isometries of the cell
            metric = crystal.lattice @ crystal.lattice.T
            for rotation in group.rotations[which]:
                assert rotation.T @ metric @ rotation == pytest.approx(metric, abs=1e-9)


@pytest.mark.slow
def test_each_position_alone_has_its_group_or_a_supergroup() -> None:
    rng = np.random.default_rng(4)
    for number in range(1, 231):
        group = space_group(number)
        lattice = all_positions(group, rng).lattice
        for position in group.positions:
            orbit = Orbit(number=6, letter=position.letter, free=tuple(rng.random(position.dof)))
            sequence = SymmetrySequence(space_group=number, orbits=(orbit,), lattice=lattice)
            found = encode(decode(sequence))
            # a supergroup never has more atoms in its primitive cell, and at least as many operations for them
            assert position.n_atoms % found.n_atoms == 0
            order = len(space_group(found.space_group).rotations)
            assert order * position.n_atoms >= len(group.rotations) * found.n_atoms


def test_a_batch_equals_its_parts() -> None:
    rng = np.random.default_rng(5)
    sequences = [NACL] + [all_positions(space_group(number), rng) for number in range(1, 231, 7)]
    for sequence, together in zip(sequences, decode_batch(sequences), strict=True):
        alone = decode(sequence)
        assert together.lattice == pytest.approx(alone.lattice)
        assert together.frac_coords == pytest.approx(alone.frac_coords)
        assert together.numbers.tolist() == alone.numbers.tolist()
    assert decode_batch([]) == []


def test_arrays_say_where_each_crystal_begins() -> None:
    arrays = decode_arrays(to_arrays([NACL, NACL]))
    assert arrays.offsets.tolist() == [0, 2, 4]
    assert arrays.lattices.shape == (2, 3, 3)


def test_sequence_knows_its_atoms() -> None:
    assert NACL.n_atoms == 2
    assert NACL.composition == {11: 1, 17: 1}
    assert NACL.skeleton == (225, (("a", 11), ("b", 17)))


def test_distance_counts_coordinates_on_the_circle() -> None:
    def wurtzite(z: float, a: float = 3.8) -> SymmetrySequence:
        return SymmetrySequence(space_group=186, orbits=(Orbit(number=30, letter="b", free=(z,)),), lattice=(a, 6.2))

    assert wurtzite(0.999).distance(wurtzite(0.001)) == pytest.approx(0.002)
    assert wurtzite(0.0).distance(wurtzite(0.0, a=3.99)) == pytest.approx(0.19 / 3.99)
    assert wurtzite(0.0).distance(NACL) == np.inf


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"space_group": 300}, r"1\.\.230"),
        ({"lattice": (5.0, 5.0)}, "lattice parameters a, found 2"),
        ({"lattice": (-1.0,)}, "cannot be -1"),
        ({"lattice": (float("nan"),)}, "cannot be nan"),
        ({"orbits": ()}, "at least one orbit"),
        ({"orbits": (Orbit(number=11, letter="q"),)}, "letters a to l"),
        ({"orbits": (Orbit(number=0, letter="a"),)}, "atomic numbers"),
        ({"orbits": (Orbit(number=11, letter="a", free=(0.1,)),)}, "0 free coordinates, found 1"),
        ({"orbits": (Orbit(number=11, letter="e", free=(1.0,)),)}, r"\[0, 1\)"),
        ({"orbits": (Orbit(number=11, letter="a"), Orbit(number=12, letter="a"))}, "one atom only"),
    ],
)
def test_impossible_sequences_are_refused(change: dict[str, object], reason: str) -> None:
    given = {"space_group": 225, "orbits": NACL.orbits, "lattice": NACL.lattice}
    with pytest.raises(InputError, match=reason):
        SymmetrySequence(**{**given, **change})  # type: ignore[arg-type]


def test_angles_that_do_not_close_are_refused() -> None:
    flat = SymmetrySequence(
        space_group=1,
        orbits=(Orbit(number=6, letter="a", free=(0.0,) * 3),),
        lattice=(3.0, 3.0, 3.0, 120.0, 120.0, 120.0),
    )
    with pytest.raises(InputError, match="do not close"):
        decode(flat)
