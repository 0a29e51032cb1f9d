"""Layer sequences: the 80 groups, exact decoding, round trips through any disguise, random layers of a group."""

from __future__ import annotations

import csv
from pathlib import Path

import moyopy
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from matwright.api.generate import generate_folder, load_generator
from matwright.errors import InputError
from matwright.generation.layers import (
    N_LAYER_GROUPS,
    LayerGroup,
    LayerSequence,
    decode_layer,
    encode_layer,
    layer_group,
)
from matwright.generation.layers.sequence import LayerOrbit
from matwright.generation.wyckoff.encode import encode
from matwright.materials.constraints import Constraints
from matwright.materials.crystal import Crystal
from matwright.physics.chemistry import counts_of

GROUPS = st.integers(1, N_LAYER_GROUPS)
RANGES = {"a": (5.0, 7.0), "b": (8.0, 10.0), "gamma": (95.0, 115.0)}


def _sequence(group: LayerGroup, rng: np.random.Generator) -> LayerSequence:
    """Two general orbits, so that the layer has no more symmetry than the group, and one at any position."""
    general = group.positions[-1]
    orbits = []
    for number, position in ((8, general), (6, general), (79, group.positions[rng.integers(len(group.positions))])):
        free = rng.uniform(0.03, 0.97, position.dof)
        if position.height is not None:
            free[position.height] = rng.uniform(0.6, 2.6)
        orbits.append(LayerOrbit(number=number, letter=position.letter, free=tuple(map(float, free))))
    lattice = tuple(float(rng.uniform(*RANGES[name])) for name in group.lattice_parameters)
    return LayerSequence(layer_group=group.number, orbits=tuple(orbits), lattice=lattice)


def _distances(layer: Crystal) -> np.ndarray:
    """Sorted distances up to the nearest images, with the pair of elements mixed in: the same for any description."""
    shifts = np.array([(i, j, 0) for i in range(-3, 4) for j in range(-3, 4)])
    vectors = (layer.frac_coords[:, None, None] - layer.frac_coords[None, :, None] + shifts) @ layer.lattice
    length = np.linalg.norm(vectors, axis=-1)
    pair = np.broadcast_to((layer.numbers[:, None] * layer.numbers)[:, :, None], length.shape)
    order = np.lexsort((pair.ravel(), length.ravel().round(3)))
    near = order[length.ravel()[order] < 6.0]
    return np.stack([length.ravel()[near].round(3), pair.ravel()[near]])


def _apart(layer: Crystal) -> bool:
    """Whether no two atoms come nearer than 0.6 Å."""
    length, _ = _distances(layer)
    return bool((length < 0.6).sum() == len(layer))  # each atom from itself


def _disguised(layer: Crystal, rng: np.random.Generator) -> Crystal:
    """The layer turned in space, in another cell of the same area, moved, its atoms and axes in another order."""
    change = np.array([[1, int(rng.integers(-1, 2)), 0], [0, 1, 0], [0, 0, 1]])
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    lattice = (change @ layer.lattice) @ rotation.T
    coords = layer.frac_coords @ np.linalg.inv(change)
    coords[:, :2] += rng.random(2)
    coords[:, 2] += rng.uniform(-0.2, 0.2)
    order, axes = rng.permutation(len(layer)), rng.permutation(3)
    pbc = tuple(bool(axis != 2) for axis in axes)
    coords = coords[order][:, axes]
    periodic = [place for place, axis in enumerate(axes) if axis != 2]
    coords[:, periodic] %= 1.0
    return Crystal(lattice=lattice[axes], frac_coords=coords, numbers=layer.numbers[order], pbc=pbc)


@given(number=GROUPS, seed=st.integers(0, 10_000))
def test_a_decoded_layer_has_exactly_its_group_and_comes_back(number: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sequence = _sequence(layer_group(number), rng)
    layer = decode_layer(sequence)
    assume(_apart(layer))
    assert layer.pbc == (True, True, False)
    assert len(layer) == sequence.n_atoms
    found = encode_layer(layer)
    assert found.layer_group == number
    assert found.composition == sequence.composition
    again = decode_layer(found)
    np.testing.assert_allclose(_distances(again), _distances(layer), atol=3e-3)
    assert found.thickness == pytest.approx(sequence.thickness, abs=1e-3)


@given(number=GROUPS, seed=st.integers(0, 10_000))
def test_no_disguise_changes_the_layer(number: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    layer = decode_layer(_sequence(layer_group(number), rng))
    assume(_apart(layer))
    found = encode_layer(_disguised(layer, rng))
    assert found.layer_group == number
    np.testing.assert_allclose(_distances(decode_layer(found)), _distances(layer), atol=3e-3)


@pytest.mark.parametrize("number", range(1, N_LAYER_GROUPS + 1))
def test_every_group_round_trips_with_every_position_held(number: int) -> None:
    """All positions at once, each with its own element, and two more general ones: letters and coordinates survive."""
    group, rng = layer_group(number), np.random.default_rng(number)
    for _ in range(20):
        orbits = []
        for number_of, position in enumerate((*group.positions, *group.positions[-1:] * 2), start=1):
            free = rng.uniform(0.05, 0.95, position.dof)
            if position.height is not None:
                free[position.height] = rng.uniform(-4.0, 4.0)
            orbits.append(LayerOrbit(number=number_of, letter=position.letter, free=tuple(map(float, free))))
        lattice = tuple({"a": 15.0, "b": 31.0, "gamma": 101.0}[name] for name in group.lattice_parameters)
        sequence = LayerSequence(layer_group=number, orbits=tuple(orbits), lattice=lattice)
        if _apart(decode_layer(sequence)):
            break
    else:
        pytest.fail("no draw keeps the atoms apart")
    found = encode_layer(decode_layer(sequence))
    assert found.layer_group == number
    sizes = {p.letter: (p.multiplicity, p.dof) for p in group.positions}
    assert sorted(sizes[o.letter] + (o.number,) for o in found.orbits) == sorted(
        sizes[o.letter] + (o.number,) for o in sequence.orbits
    )
    np.testing.assert_allclose(
        _distances(decode_layer(found, conventional=True)), _distances(decode_layer(sequence, conventional=True)),
        atol=3e-3,
    )  # fmt: skip


@pytest.mark.parametrize("number", range(1, N_LAYER_GROUPS + 1))
def test_operations_are_those_of_the_group(number: int) -> None:
    """The general position is the group: the operations moyopy lists, no more and no fewer."""
    group = layer_group(number)
    expected = moyopy.operations_from_layer_number(number, setting=moyopy.LayerSetting.standard())
    point = np.array([0.137, 0.291, 0.065])
    images = np.array(expected.rotations) @ point + np.array(expected.translations)
    own = group.positions[-1].operations @ np.array([*point, 1.0])
    assert len(own) == len(images)
    for image in images:
        difference = own - image
        difference[:, :2] -= np.rint(difference[:, :2])
        assert np.abs(difference).max(axis=1).min() < 1e-9


def test_graphene_and_molybdenum_disulphide() -> None:
    graphene = LayerSequence(layer_group=80, orbits=(LayerOrbit(number=6, letter="b"),), lattice=(2.46,))
    layer = decode_layer(graphene)
    assert len(layer) == 2
    found = encode_layer(layer)
    assert (found.layer_group, found.orbits) == (80, graphene.orbits)
    assert found.lattice == pytest.approx(graphene.lattice)
    height = 1.56
    orbits = (LayerOrbit(number=42, letter="b"), LayerOrbit(number=16, letter="f", free=(height,)))
    sulphide = LayerSequence(layer_group=78, orbits=orbits, lattice=(3.16,))
    found = encode_layer(decode_layer(sulphide, vacuum=7.0))
    assert found.layer_group == 78
    assert found.composition == {42: 1, 16: 2}
    assert found.thickness == pytest.approx(2 * height)
    bond = np.sqrt(3.16**2 / 3 + height**2)
    lengths = _distances(decode_layer(found))
    assert lengths[0][lengths[1] == 42 * 16].min() == pytest.approx(bond, abs=2e-3)


def test_what_is_no_layer_sequence_is_refused() -> None:
    with pytest.raises(InputError, match=r"1\.\.80, found 81"):
        layer_group(81)
    with pytest.raises(InputError, match="letters a to c"):
        LayerSequence(layer_group=8, orbits=(LayerOrbit(number=6, letter="z"),), lattice=(3.0, 4.0))
    with pytest.raises(InputError, match="has 0 free coordinates, found 1"):
        LayerSequence(layer_group=80, orbits=(LayerOrbit(number=6, letter="a", free=(0.5,)),), lattice=(3.0,))
    with pytest.raises(InputError, match="heights are finite"):
        LayerSequence(layer_group=1, orbits=(LayerOrbit(number=6, letter="a", free=(1.5, 0, 0)),), lattice=(3, 3, 90))
    with pytest.raises(InputError, match="holds one atom only"):
        LayerSequence(layer_group=80, orbits=(LayerOrbit(number=6, letter="a"),) * 2, lattice=(3.0,))
    bulk = Crystal(lattice=4 * np.eye(3), frac_coords=np.zeros((1, 3)), numbers=np.array([29]))
    with pytest.raises(InputError, match="periodic in two directions"):
        encode_layer(bulk)
    with pytest.raises(InputError, match="periodic along a, b and c"):
        encode(decode_layer(LayerSequence(layer_group=80, orbits=(LayerOrbit(number=6, letter="b"),), lattice=(2.5,))))


@pytest.mark.parametrize("number", [1, 4, 7, 17, 33, 46, 58, 62, 72, 78, 80])
def test_random_layers_have_the_group_that_was_asked_for(number: int) -> None:
    generator = load_generator("random")
    demand = Constraints(layer_groups=frozenset({number}), n_atoms=(2, 16), forbidden=frozenset({2, 10, 18, 36, 54}))
    found = generator.sample(2, constraints=demand, seed=number)
    for candidate in found:
        layer = candidate.crystal
        assert layer.pbc == (True, True, False)
        assert encode_layer(layer).layer_group == number
        assert 2 <= len(layer) <= 16
        assert _apart(layer)
    again = generator.sample(2, constraints=demand, seed=number)
    assert [c.crystal.content_hash() for c in again] == [c.crystal.content_hash() for c in found]


def test_a_folder_of_random_layers_names_their_groups(tmp_path: Path) -> None:
    demand = Constraints(layer_groups=frozenset({72, 78}), formula={42: 1, 16: 2}, n_atoms=(3, 6))
    generate_folder("random", 3, out=tmp_path / "layers", constraints=demand)
    rows = list(csv.DictReader((tmp_path / "layers" / "candidates.csv").read_text().splitlines()))
    assert [row["formula"] for row in rows] == ["MoS2"] * 3
    assert {row["layer_group"] for row in rows} <= {"72", "78"}
    assert {row["space_group"] for row in rows} == {""}


def test_layers_are_refused_where_only_crystals_can_be_written() -> None:
    demand = Constraints(layer_groups=frozenset({80}))
    for name in ("mp-generator", "ion-exchange"):
        with pytest.raises(InputError, match="layers come from"):
            load_generator(name).sample(1, constraints=demand)
    both = Constraints(layer_groups=frozenset({80}), space_groups=frozenset({2}))
    with pytest.raises(InputError, match="exclude each other"):
        load_generator("random").sample(1, constraints=both)
    with pytest.raises(InputError, match="layer groups lie in"):
        load_generator("random").sample(1, constraints=Constraints(layer_groups=frozenset({99})))


def test_counts_of_layers_are_whole() -> None:
    sequence = _sequence(layer_group(47), np.random.default_rng(0))
    layer = decode_layer(sequence)
    total = sum(counts_of(layer).values())
    assert len(layer) % total == 0
