from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matwright.data.groups import GroupKind, group_key, packed_keys
from matwright.materials import interop
from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal
from matwright.materials.molecule import Molecule

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


def binary(first: int, second: int, shift: float, size: float = 5.64) -> Crystal:
    """Rock salt (shift 1/2) or zinc blende (shift 1/4)."""
    return Crystal(
        lattice=FCC * size, frac_coords=np.array([[0, 0, 0], [shift] * 3]), numbers=np.array([first, second])
    )


def test_keys_name_what_is_shared() -> None:
    salt, other, blende = binary(11, 17, 0.5), binary(12, 8, 0.5, 4.2), binary(30, 16, 0.25, 5.4)
    assert group_key(salt, GroupKind.FORMULA) == "NaCl"
    assert group_key(salt, GroupKind.SYSTEM) == "Cl-Na"
    assert group_key(salt, GroupKind.PROTOTYPE) == group_key(other, GroupKind.PROTOTYPE) == "225:a|b"
    assert group_key(blende, GroupKind.PROTOTYPE).startswith("216:")
    assert group_key(salt, GroupKind.STRUCTURE) == "NaCl 225:a|b"


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_prototype_does_not_depend_on_cell_origin_orientation_or_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = binary(11, 17, 0.5) if seed % 2 else interop.from_pymatgen(_perovskite())
    cell = rng.integers(-1, 2, (3, 3))
    while abs(round(np.linalg.det(cell))) not in (1, 2):
        cell = rng.integers(-1, 2, (3, 3))
    bigger = interop.to_pymatgen(base).make_supercell(cell, in_place=False)
    moved = interop.from_pymatgen(bigger)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    order = rng.permutation(len(moved))
    moved = Crystal(
        lattice=moved.lattice @ rotation,
        frac_coords=(moved.frac_coords + rng.random(3))[order],
        numbers=moved.numbers[order],
    )
    assert group_key(moved, GroupKind.STRUCTURE) == group_key(base, GroupKind.STRUCTURE)


def _perovskite() -> object:
    from pymatgen.core import Lattice, Structure

    return Structure.from_spacegroup(
        "Pm-3m", Lattice.cubic(3.9), ["Sr", "Ti", "O"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    )


def test_packed_keys_equal_those_of_the_crystals() -> None:
    crystals = [binary(11, 17, 0.5), interop.from_pymatgen(_perovskite()), binary(30, 16, 0.25)]
    numbers = np.concatenate([crystal.numbers for crystal in crystals])
    counts = np.array([len(crystal) for crystal in crystals])
    for kind in (GroupKind.FORMULA, GroupKind.SYSTEM):
        assert packed_keys(numbers, np.ones(len(numbers)), counts, kind) == [
            group_key(crystal, kind) for crystal in crystals
        ]
    with pytest.raises(ValueError, match="structure"):
        packed_keys(numbers, np.ones(len(numbers)), counts, GroupKind.PROTOTYPE)


def test_compositions_have_groups() -> None:
    garnet = Composition.from_formula("Li7La3Zr2O12")
    assert group_key(garnet, GroupKind.FORMULA) == group_key(garnet, GroupKind.STRUCTURE) == "Li7La3Zr2O12"
    assert group_key(garnet, GroupKind.SYSTEM) == "La-Li-O-Zr"
    assert group_key(garnet, GroupKind.PROTOTYPE) == "?:A2B3C7D12"


def test_isomers_share_their_formula_but_not_their_structure() -> None:
    ethanol, ether = molecule("CCO"), molecule("COC")
    assert group_key(ethanol, GroupKind.FORMULA) == group_key(ether, GroupKind.FORMULA)
    assert group_key(ethanol, GroupKind.STRUCTURE) != group_key(ether, GroupKind.STRUCTURE)
    turned = molecule("OCC")
    assert group_key(ethanol, GroupKind.STRUCTURE) == group_key(turned, GroupKind.STRUCTURE)
    assert group_key(ethanol, GroupKind.PROTOTYPE) == group_key(ether, GroupKind.PROTOTYPE)


def molecule(chain: str) -> Molecule:
    """A chain of atoms without hydrogen, one bond from each to the next."""
    return Molecule(
        numbers=np.array([{"C": 6, "O": 8}[word] for word in chain]),
        coords=np.arange(len(chain))[:, None] * np.array([1.4, 0.0, 0.0]),
        bonds=tuple((place, place + 1, 1.0) for place in range(len(chain) - 1)),
    )
