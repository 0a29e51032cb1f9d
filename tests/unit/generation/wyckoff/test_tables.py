"""The tables: 230 groups, their operations, positions and normalisers, exact in whole numbers."""

from __future__ import annotations

import numpy as np
import pytest

from matwright.errors import InputError
from matwright.generation.wyckoff import lattice_parameters, n_atoms, space_group
from matwright.generation.wyckoff.tables import DENOMINATOR, SpaceGroup

ALL = range(1, 231)


def element_set(group: SpaceGroup, rotations: np.ndarray, translations: np.ndarray) -> set[bytes]:
    """The operations modulo the lattice, each with every centring vector, as comparable keys."""
    shifted = (translations[:, None] + group.centring) % DENOMINATOR
    spread = np.repeat(rotations.reshape(-1, 1, 9), len(group.centring), axis=1)
    joined = np.concatenate([spread, shifted], axis=2).reshape(-1, 12)
    return {row.astype(np.int64).tobytes() for row in joined}


def test_operations_are_those_of_the_symmetry_search() -> None:
    moyopy = pytest.importorskip("moyopy")
    for number in ALL:
        group = space_group(number)
        listed = moyopy.operations_from_number(number, setting=moyopy.Setting.standard())
        translations = np.rint(np.array(listed.translations) * DENOMINATOR) % DENOMINATOR
        rotations = np.array(listed.rotations)
        assert element_set(group, group.rotations, group.translations) == element_set(group, rotations, translations)


def test_positions_of_every_group_are_orbits() -> None:
    rng = np.random.default_rng(0)
    total = 0
    for number in ALL:
        group = space_group(number)
        assert [position.letter for position in group.positions] == list(group.letters)
        assert group.positions[-1].dof == 3
        assert group.positions[-1].multiplicity == len(group.rotations) * len(group.centring)
        for position in group.positions:
            total += 1
            assert position.multiplicity == len(position.operations) == position.n_atoms * len(group.centring)
            free = rng.random(3)
            points = position.operations[:, :, :3] @ free + position.operations[:, :, 3]
            # generic coordinates: equal points agree to rounding, so whole numbers can stand for them
            distinct = {tuple(point) for point in np.rint(points * 1e6).astype(int) % 1_000_000}
            assert len(distinct) == position.multiplicity
            images = points @ group.rotations.transpose(0, 2, 1) + group.translations[:, None] / DENOMINATOR
            assert {tuple(point) for point in np.rint(images.reshape(-1, 3) * 1e6).astype(int) % 1_000_000} == distinct
    assert total == 1731  # the number of Wyckoff positions of the 230 groups


def test_primitive_points_are_the_conventional_ones_without_centring() -> None:
    rng = np.random.default_rng(1)
    for number in ALL:
        group = space_group(number)
        position = group.positions[-1]
        free = np.array([*rng.random(3), 1.0])
        conventional = position.operations @ free
        primitive = position.primitive_operations @ free @ group.primitive_rows
        spread = (primitive[:, None] + group.centring / DENOMINATOR).reshape(-1, 3)
        gaps = spread[:, None] - conventional
        assert (np.abs(gaps - np.rint(gaps)).max(axis=2).min(axis=1) < 1e-9).all()


def test_normaliser_elements_map_each_group_onto_itself() -> None:
    for number in ALL:
        group = space_group(number)
        whole = element_set(group, group.rotations, group.translations)
        elements = list(zip(group.normaliser_linear, group.normaliser_offsets, strict=True))
        elements += [(np.eye(3, dtype=np.int64), shift) for shift in group.normaliser_translations]
        for matrix, offset in elements:
            assert round(np.linalg.det(matrix)) == 1
            inverse = np.rint(np.linalg.inv(matrix)).astype(np.int64)
            rotations = matrix @ group.rotations @ inverse
            translations = group.translations @ matrix.T + offset - rotations @ offset
            assert element_set(group, rotations, translations) == whole, number


@pytest.mark.parametrize(
    ("number", "index"),
    [
        (16, 48),
        (19, 48),
        (47, 48),
        (62, 8),
        (75, 4),
        (139, 2),
        (166, 2),
        (194, 2),
        (198, 4),
        (221, 2),
        (225, 2),
        (230, 1),
    ],
)
def test_index_of_the_proper_normaliser(number: int, index: int) -> None:
    # International Tables A, chapter 3.5: index in the normaliser of the highest metric, proper elements only
    group = space_group(number)
    assert len(group.normaliser_linear) * len(group.normaliser_translations) == index


def test_known_positions() -> None:
    rock_salt = space_group(225)
    assert [(position.letter, position.multiplicity) for position in rock_salt.positions[:4]] == [
        ("a", 4),
        ("b", 4),
        ("c", 8),
        ("d", 24),
    ]
    assert rock_salt.position("a").site_symmetry == "m-3m"
    diamond = space_group(227).position("a")  # origin choice 2: the eightfold site is at 1/8, not at 0
    assert diamond.operations[0, :, 3] == pytest.approx([1 / 8] * 3)
    assert space_group(166).position("c").n_atoms == 2
    assert space_group(47).letters[-1] == "A"
    assert space_group(47).position("A").multiplicity == 8


def test_lattice_parameters_and_atom_counts() -> None:
    assert lattice_parameters(2) == ("a", "b", "c", "alpha", "beta", "gamma")
    assert lattice_parameters(14) == ("a", "b", "c", "beta")
    assert lattice_parameters(166) == ("a", "c")
    assert n_atoms(225, "ac") == 3
    assert n_atoms(62, ["c", "c", "c", "d"]) == 20
    assert n_atoms(1, []) == 0


def test_polar_axes() -> None:
    found = {number: space_group(number).polar_axes for number in (1, 2, 3, 6, 31, 75, 160, 186, 216)}
    assert found == {1: (0, 1, 2), 2: (), 3: (1,), 6: (0, 2), 31: (2,), 75: (2,), 160: (2,), 186: (2,), 216: ()}


@pytest.mark.parametrize("number", [0, 231, -3])
def test_unknown_group_is_refused(number: int) -> None:
    with pytest.raises(InputError, match=r"1\.\.230"):
        space_group(number)


@pytest.mark.parametrize("letter", ["z", "", "ab", "A"])
def test_unknown_letter_is_refused(letter: str) -> None:
    with pytest.raises(InputError, match="letters a to l"):
        n_atoms(225, [letter])
