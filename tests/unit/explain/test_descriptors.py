"""Descriptors of materials whose values a table of elements gives, and their laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from matwright.explain.descriptors import DESCRIPTORS, describe
from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal
from matwright.materials.molecule import Molecule
from matwright.testing.strategies import crystals

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
SALT = Crystal(lattice=5.64 * FCC, frac_coords=np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), numbers=np.array([11, 17]))


def described(structure: Crystal | Composition | Molecule) -> dict[str, float]:
    names = [descriptor.name for descriptor in DESCRIPTORS]
    assert len(set(names)) == len(names)
    return dict(zip(names, describe(structure).tolist(), strict=True))


def test_rock_salt_is_described_as_the_tables_say() -> None:
    found = described(SALT)
    assert found["mean_electronegativity"] == pytest.approx((0.93 + 3.16) / 2)
    assert found["spread_electronegativity"] == pytest.approx((3.16 - 0.93) / 2)
    assert found["mean_valence_electrons"] == pytest.approx((1 + 7) / 2)
    assert found["nearest_distance"] == pytest.approx(2.82)
    assert found["bond_ratio"] == pytest.approx(2.82 / (1.66 + 1.02))
    assert found["volume_per_atom"] == pytest.approx(5.64**3 / 8)
    assert found["density"] == pytest.approx(2.165, abs=0.01)
    assert found["coordination"] == pytest.approx(6.0, abs=0.3)  # six neighbours, and a little of the twelve behind
    assert found["n_elements"] == 2


def test_a_composition_and_a_molecule_have_no_volume() -> None:
    composition, molecule = described(Composition.from_formula("NaCl")), described(
        Molecule(coords=np.array([[0.0, 0, 0], [0, 0, 2.4]]), numbers=np.array([11, 17]))
    )  # fmt: skip
    crystal = described(SALT)
    for descriptor in DESCRIPTORS:
        for found in (composition, molecule):
            if descriptor.structural:
                assert np.isnan(found[descriptor.name])
            else:
                assert found[descriptor.name] == pytest.approx(crystal[descriptor.name], nan_ok=True)


def test_a_layer_has_neighbours_but_no_density() -> None:
    layer = Crystal(lattice=np.diag([2.5, 2.5, 20.0]), frac_coords=np.zeros((1, 3)), numbers=np.array([6]),
                    pbc=(True, True, False))  # fmt: skip
    found = described(layer)
    assert np.isnan(found["density"])
    assert found["nearest_distance"] == pytest.approx(2.5)


@given(crystals())
def test_a_supercell_has_the_same_descriptors(crystal: Crystal) -> None:
    images = np.concatenate([crystal.frac_coords * [0.5, 1, 1], crystal.frac_coords * [0.5, 1, 1] + [0.5, 0, 0]])
    double = Crystal(
        lattice=crystal.lattice * np.array([[2.0], [1.0], [1.0]]), frac_coords=images[::-1],
        numbers=np.concatenate([crystal.numbers, crystal.numbers])[::-1], pbc=crystal.pbc,
    )  # fmt: skip
    assert describe(double) == pytest.approx(describe(crystal), rel=1e-5, nan_ok=True)
