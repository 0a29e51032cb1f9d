"""Encoding: one crystal, one sequence, and back to the same crystal."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
from generated import all_positions, disguised, mirrored, random_crystal
from hypothesis import given, settings
from hypothesis import strategies as st

from matwright.errors import InputError
from matwright.generation.wyckoff import Orbit, SymmetrySequence, decode, encode, space_group
from matwright.materials.crystal import Crystal
from matwright.materials.interop import from_cif, from_pymatgen, to_pymatgen
from matwright.materials.silence import quiet_warnings

SAME = 1e-3


def sequence(number: int, lattice: tuple[float, ...], *orbits: tuple[int, str, tuple[float, ...]]) -> SymmetrySequence:
    return SymmetrySequence(
        space_group=number,
        orbits=tuple(Orbit(number=z, letter=letter, free=free) for z, letter, free in orbits),
        lattice=lattice,
    )


def test_rock_salt_prefers_the_lighter_element_on_the_first_position() -> None:
    swapped = sequence(225, (5.64,), (17, "a", ()), (11, "b", ()))
    found = encode(decode(swapped, conventional=True))
    assert found.skeleton == (225, (("a", 11), ("b", 17)))
    assert found.lattice == pytest.approx((5.64,))


def test_the_origin_along_a_polar_axis_is_the_first_orbit() -> None:
    wurtzite = sequence(186, (3.82, 6.26), (30, "b", (0.3,)), (16, "b", (0.675,)))
    found = encode(decode(wurtzite))
    assert found.skeleton == (186, (("b", 16), ("b", 30)))
    assert found.orbits[0].free == (0.0,)


def test_a_triclinic_cell_becomes_the_reduced_one() -> None:
    skewed = Crystal(
        lattice=np.array([[5.0, 0.0, 0.0], [11.0, 6.0, 0.0], [-13.0, 8.0, 7.0]]),
        frac_coords=np.array([[0.1, 0.2, 0.3], [0.6, 0.1, 0.8], [0.3, 0.75, 0.4]]),
        numbers=np.array([3, 8, 15]),
    )
    found = encode(skewed)
    a, b, c, *angles = found.lattice
    assert found.space_group == 1
    assert a <= b <= c
    assert all(angle <= 90 for angle in angles) or all(angle >= 90 for angle in angles)
    assert found.orbits[0] == Orbit(number=3, letter="a", free=(0.0, 0.0, 0.0))


def test_a_crystal_at_the_edge_of_the_tolerance_settles() -> None:
    # a spinel-like cell (group 70) pushed 0.01 Å out of its places: one search alone stops at a subgroup
    edge = sequence(
        43,
        (8.4446, 8.6742, 8.4984),
        (26, "a", (0.0,)),
        (8, "b", (0.115075, 0.391332, 0.113251)),
        (8, "b", (0.135766, 0.858966, 0.135310)),
        (24, "b", (0.124665, 0.625362, 0.124451)),
    )
    found = encode(decode(edge))
    assert found.space_group == 70
    assert encode(decode(found)).distance(found) < SAME


def test_hands_of_a_chiral_crystal_differ() -> None:
    quartz = decode(sequence(152, (4.91, 5.4), (14, "a", (0.47,)), (8, "c", (0.414, 0.268, 0.119))))
    assert encode(quartz).space_group == 152
    assert encode(mirrored(quartz)).space_group == 154
    in_one_group = decode(
        sequence(19, (5.0, 6.0, 7.0), (6, "a", (0.1, 0.2, 0.3)), (7, "a", (0.4, 0.15, 0.72)), (8, "a", (0.6, 0.5, 0.9)))
    )
    assert encode(in_one_group).space_group == encode(mirrored(in_one_group)).space_group == 19
    assert encode(in_one_group).distance(encode(mirrored(in_one_group))) > SAME


def test_mirror_images_of_an_achiral_crystal_are_one() -> None:
    for number in (2, 9, 31, 62, 82, 122, 160, 186, 216, 220):
        crystal = decode(all_positions(space_group(number), np.random.default_rng(number)))
        assert encode(crystal).distance(encode(mirrored(crystal))) < SAME


def test_disguises_of_every_group_encode_alike() -> None:
    rng = np.random.default_rng(6)
    for number in range(1, 231, 2):
        group = space_group(number)
        first, general = group.positions[0], group.positions[-1]
        orbits = [(3, first.letter, tuple(rng.random(first.dof))), (8, general.letter, tuple(rng.random(3)))]
        whole = sequence(number, all_positions(group, rng).lattice, *orbits)
        crystal = decode(whole)
        found = encode(crystal)
        assert encode(disguised(crystal, rng)).distance(found) < SAME, number
        assert encode(decode(found)).distance(found) < SAME, number


@settings(max_examples=80)
@given(seed=st.integers(0, 2**32 - 1), ties=st.booleans())
def test_one_crystal_has_one_sequence(seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    crystal = random_crystal(rng, ties=ties)
    found = encode(crystal)
    assert encode(decode(found)).distance(found) < SAME
    assert encode(disguised(crystal, rng)).distance(found) < SAME


def environments(crystal: Crystal) -> np.ndarray:
    """(n_atoms, 11): atomic number and the ten shortest distances to other atoms in Å."""
    shifts = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3), axis=-1).reshape(-1, 3) @ crystal.lattice
    away = crystal.cart_coords[None, :, None] + shifts - crystal.cart_coords[:, None, None]
    distances = np.sort(np.linalg.norm(away, axis=3).reshape(len(crystal), -1), axis=1)
    return np.column_stack([1000.0 * crystal.numbers, distances[:, 1:11]])


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1))
def test_decoding_gives_back_the_crystal(seed: int) -> None:
    # measured by distances alone: pymatgen's primitive cells are too loose (0.25 Å) for crystals as wild as these
    crystal = random_crystal(np.random.default_rng(seed), ties=False)
    back = decode(encode(crystal))
    assert back.volume / len(back) == pytest.approx(crystal.volume / len(crystal), rel=0.01)
    gaps = np.abs(environments(crystal)[:, None] - environments(back)).max(axis=2)
    assert gaps.min(axis=1).max() < 0.05
    assert gaps.min(axis=0).max() < 0.05


@pytest.mark.parametrize("most_atoms", [4, pytest.param(1000, marks=pytest.mark.slow)])
def test_known_prototypes_come_back(most_atoms: int) -> None:
    # pymatgen ships the AFLOW library of prototypes: 288 real structure types
    from pymatgen.analysis.prototypes import AFLOW_PROTOTYPE_LIBRARY
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(primitive_cell=True, ltol=0.05, stol=0.05, angle_tol=1)
    rng = np.random.default_rng(7)
    structures = [entry["snl"].structure for entry in AFLOW_PROTOTYPE_LIBRARY]
    chosen = [structure for structure in structures if len(structure) <= most_atoms]
    assert len(chosen) > 50
    for structure in chosen:
        crystal = from_pymatgen(structure)
        found = encode(crystal)
        back = decode(found)
        assert encode(back).distance(found) < SAME, structure.formula
        assert encode(disguised(crystal, rng)).distance(found) < SAME, structure.formula
        assert matcher.fit(structure, to_pymatgen(back)), structure.formula


def test_real_crystals_come_back(data_folder: Path) -> None:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    with gzip.open(data_folder / "mp_crystals.csv.gz", "rt", newline="") as file:
        texts = [row["cif"] for row in csv.DictReader(file) if int(row["n_atoms"]) <= 20]
    matcher = StructureMatcher(primitive_cell=True)
    same = 0
    chosen = np.random.default_rng(8).permutation(len(texts))[:20]
    for index in chosen:
        with quiet_warnings():
            crystal = from_cif(texts[index])
        found = encode(crystal)
        back = decode(found)
        same += matcher.fit(to_pymatgen(crystal), to_pymatgen(back)) and encode(back).space_group == found.space_group
    assert same == len(chosen)


def test_disordered_crystals_and_layers_are_refused() -> None:
    parts = {"lattice": np.eye(3) * 4.0, "frac_coords": np.zeros((1, 3)), "numbers": np.array([26])}
    with pytest.raises(InputError, match="one element a site"):
        encode(Crystal(**parts, occupancies=(((26, 0.5), (28, 0.5)),)))
    with pytest.raises(InputError, match="pbc"):
        encode(Crystal(**parts, pbc=(True, True, False)))


def test_inputs_stay_as_they_were_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    crystal = random_crystal(np.random.default_rng(9), ties=True)
    before = crystal.content_hash()
    encode(crystal)
    assert crystal.content_hash() == before
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")
