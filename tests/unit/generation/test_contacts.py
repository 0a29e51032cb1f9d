"""Contacts of many crystals at once agree with the one-by-one search."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from matwright.elements import COVALENT_RADIUS
from matwright.generation.contacts import ContactRules, contacts
from matwright.generation.wyckoff import Orbit, SymmetrySequence
from matwright.generation.wyckoff.decode import CrystalArrays, decode_arrays, to_arrays
from matwright.physics.geometry import min_distance

from .conftest import known_structures


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(0, 10_000))
def test_distances_agree_with_the_search_of_each(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    lattices = rng.uniform(2.0, 5.0, (len(sizes), 3))[:, :, None] * np.eye(3) + rng.uniform(
        -0.7, 0.7, (len(sizes), 3, 3)
    )
    arrays = CrystalArrays(
        lattices=lattices,
        frac_coords=rng.random((sum(sizes), 3)),
        numbers=rng.integers(1, 90, sum(sizes)),
        offsets=np.concatenate([[0], np.cumsum(sizes)]),
    )
    found = contacts(arrays)
    crystals = arrays.crystals()
    expected = [min(3.0, min_distance(crystal)) for crystal in crystals]
    np.testing.assert_allclose(found.distance, expected, atol=1e-9)
    np.testing.assert_allclose(found.volume_per_atom, [c.volume / len(c) for c in crystals])


def test_ratio_is_distance_over_radii() -> None:
    salt = SymmetrySequence(
        space_group=225, orbits=(Orbit(number=11, letter="a"), Orbit(number=17, letter="b")), lattice=(5.64,)
    )
    found = contacts(decode_arrays(to_arrays([salt])))
    assert np.isclose(found.distance[0], 2.82)
    assert np.isclose(found.ratio[0], 2.82 / (COVALENT_RADIUS[11] + COVALENT_RADIUS[17]))


def test_a_self_image_counts_as_a_contact() -> None:
    needle = CrystalArrays(
        lattices=np.diag([0.4, 9.0, 9.0])[None],
        frac_coords=np.zeros((1, 3)),
        numbers=np.array([6]),
        offsets=np.array([0, 1]),
    )
    found = contacts(needle)
    assert np.isclose(found.distance[0], 0.4)
    assert not found.pass_rules(ContactRules())[0]


def test_known_structures_pass() -> None:
    found = contacts(decode_arrays(to_arrays(known_structures())))
    assert found.pass_rules(ContactRules(min_ratio=0.5)).all()
    assert not found.pass_rules(ContactRules(min_ratio=2.0)).any()
    assert not found.pass_rules(ContactRules(volume_per_atom=(1.0, 2.0))).any()
