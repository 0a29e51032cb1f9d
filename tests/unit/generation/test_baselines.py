"""Random symmetric crystals and ion exchange: the Generator protocol, constraints kept exactly, seeds that repeat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from matwright.errors import InputError
from matwright.generation.baselines.ion_exchange import IonExchange, count_substitutions, make_parents
from matwright.generation.baselines.random_symmetric import RandomSymmetric
from matwright.generation.baselines.substitution import SubstitutionTable
from matwright.materials.constraints import Constraints
from matwright.materials.crystal import Crystal
from matwright.materials.symmetry import prototype_key, site_symmetry
from matwright.physics.chemistry import counts_of
from matwright.physics.geometry import min_distance, volume_per_atom

FACE_CENTRED = (1 - np.eye(3)) / 2


def _rock_salt(length: float, cation: int, anion: int) -> Crystal:
    coords = np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
    return Crystal(lattice=FACE_CENTRED * length, frac_coords=coords, numbers=np.array([cation, anion]))


def _perovskite(length: float, a: int, b: int, x: int) -> Crystal:
    coords = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    return Crystal(lattice=np.eye(3) * length, frac_coords=coords, numbers=np.array([a, b, x, x, x]))


LIBRARY = {
    "lif": _rock_salt(4.03, 3, 9),
    "licl": _rock_salt(5.13, 3, 17),
    "nacl": _rock_salt(5.64, 11, 17),
    "kbr": _rock_salt(6.60, 19, 35),
    "kcl": _rock_salt(6.29, 19, 17),
    "mgo": _rock_salt(4.21, 12, 8),
    "cao": _rock_salt(4.81, 20, 8),
    "srtio3": _perovskite(3.91, 38, 22, 8),
    "batio3": _perovskite(4.00, 56, 22, 8),
    "bazro3": _perovskite(4.19, 56, 40, 8),
}


@pytest.fixture(scope="module")
def exchange() -> IonExchange:
    return IonExchange.from_crystals(list(LIBRARY.values()), list(LIBRARY))


def test_counts_come_from_pairs_that_differ_in_one_element() -> None:
    table = count_substitutions(make_parents(list(LIBRARY.values()), list(LIBRARY)))
    assert table.counts[11, 3] == table.counts[3, 11] == 0.5  # with Cl: Li, Na and K stand in one place
    assert table.counts[12, 20] == 1.0  # in the oxide
    assert table.counts[38, 56] == 1.0  # in the titanate
    assert table.counts[11, 12] == table.counts[3, 8] == 0.0
    assert 9 not in {int(z) for z in np.flatnonzero(table.counts[8])}


def test_volumes_explain_the_cells() -> None:
    parents = make_parents(list(LIBRARY.values()), list(LIBRARY))
    table = count_substitutions(parents)
    for parent in parents:
        assert table.volume(parent.crystal.numbers) == pytest.approx(parent.crystal.volume, rel=0.25)


def test_the_table_survives_its_file(tmp_path: Path) -> None:
    table = count_substitutions(make_parents(list(LIBRARY.values()), list(LIBRARY)))
    table.write(tmp_path / "t.json", source="a test")
    again = SubstitutionTable.read(tmp_path / "t.json")
    np.testing.assert_allclose(again.counts, table.counts, atol=1e-3)
    assert again.elements == table.elements


def test_exchange_keeps_the_prototype_and_proposes_nothing_known(exchange: IonExchange) -> None:
    known = {(prototype_key(crystal), tuple(sorted(counts_of(crystal).items()))) for crystal in LIBRARY.values()}
    for candidate in exchange.sample(20, seed=3):
        crystal = candidate.crystal
        (parent,) = candidate.provenance.parents
        key = prototype_key(crystal)
        assert key == prototype_key(LIBRARY[parent])
        assert (key, tuple(sorted(counts_of(crystal).items()))) not in known
        assert min_distance(crystal) > 1.5
        assert 4 < volume_per_atom(crystal) < 45


def test_exchange_repeats_with_its_seed_and_not_with_another(exchange: IonExchange) -> None:
    first, second, other = (exchange.sample(8, seed=seed) for seed in (5, 5, 6))
    hashes = [[item.crystal.content_hash() for item in items] for items in (first, second, other)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert exchange.sample(3, seed=5)[2].crystal.content_hash() == hashes[0][2]


def test_exchange_keeps_constraints(exchange: IonExchange) -> None:
    wanted = Constraints(required=frozenset({20}), forbidden=frozenset({8}), n_elements=(2, 2))
    with pytest.raises(InputError):
        exchange.sample(1, constraints=wanted)  # nothing but oxygen was ever seen beside calcium
    titanate = Constraints(formula={20: 1, 22: 1, 8: 3}, space_groups=frozenset({221}))
    shipped = IonExchange(make_parents(list(LIBRARY.values()), list(LIBRARY)), SubstitutionTable.load())
    (candidate,) = shipped.sample(1, constraints=titanate)
    assert counts_of(candidate.crystal) == {20: 1, 22: 1, 8: 3}
    assert site_symmetry(candidate.crystal).number == 221


def test_contradictions_are_refused(exchange: IonExchange) -> None:
    with pytest.raises(InputError, match="at the same time"):
        exchange.sample(1, constraints=Constraints(required=frozenset({11}), forbidden=frozenset({11})))
    with pytest.raises(InputError, match="seed"):
        exchange.sample(1, seed=-1)
    with pytest.raises(InputError, match="parent"):
        IonExchange([], SubstitutionTable.load())


def test_the_shipped_library_works_without_data() -> None:
    halides = Constraints(allowed=frozenset({3, 11, 19, 12, 20, 9, 17, 35}), n_atoms=(1, 12))
    candidates = IonExchange.load().sample(5, constraints=halides, seed=1)
    assert all(set(item.crystal.numbers.tolist()) <= halides.allowed for item in candidates)
    assert all(item.provenance.parents[0].startswith("aflow-") for item in candidates)


def test_random_crystals_are_symmetric_and_repeat() -> None:
    pytest.importorskip("pyxtal")
    generator = RandomSymmetric.load()
    first, second = generator.sample(3, seed=2), generator.sample(3, seed=2)
    assert [item.crystal.content_hash() for item in first] == [item.crystal.content_hash() for item in second]
    for item in first:
        assert site_symmetry(item.crystal).number > 1
        assert len(item.crystal) <= 20
        assert len(counts_of(item.crystal)) in (2, 3)


def test_random_crystals_keep_constraints() -> None:
    pytest.importorskip("pyxtal")
    wanted = Constraints(formula={22: 1, 8: 2}, space_groups=frozenset({136, 141, 225}), n_atoms=(3, 12))
    for item in RandomSymmetric.load().sample(2, constraints=wanted, seed=4):
        assert counts_of(item.crystal) == {22: 1, 8: 2}
        assert site_symmetry(item.crystal).number in wanted.space_groups
    elements = Constraints(allowed=frozenset({3, 15, 16, 8}), required=frozenset({3}))
    for item in RandomSymmetric.load().sample(2, constraints=elements, seed=4):
        found = set(item.crystal.numbers.tolist())
        assert found <= elements.allowed
        assert 3 in found
