"""Molecules read from text, and their bonds from their geometry."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule as g2

from matwright.errors import InputError
from matwright.materials.bonding import perceived_bonds
from matwright.materials.crystal import Crystal
from matwright.materials.molecule import Molecule
from matwright.materials.molecule_files import from_molecule_json, from_molfile, from_xyz
from matwright.materials.structure_files import from_frame, read_any

WATER = "3\nwater\nO 0 0 0.117\nH 0 0.757 -0.47\n1 0 -0.757 -0.47\n"
FORMALDEHYDE = """formaldehyde
  made for a test

  4  3  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.6000 O   0  0
    0.0000    0.0000   -0.6000 C   0  0
    0.9400    0.0000   -1.2000 H   0  0
   -0.9400    0.0000   -1.2000 H   0  0
  1  2  2  0
  2  3  1  0
  2  4  1  0
M  END
"""


@pytest.mark.parametrize(
    ("name", "orders"),
    [
        ("C2H6", {"C-C": 1.0, "C-H": 1.0}),
        ("C2H4", {"C-C": 2.0, "C-H": 1.0}),
        ("C2H2", {"C-C": 3.0, "C-H": 1.0}),
        ("C6H6", {"C-C": 1.5, "C-H": 1.0}),
        ("HCN", {"C-N": 3.0, "C-H": 1.0}),
        ("CO2", {"C-O": 2.0}),
        ("N2", {"N-N": 3.0}),
        ("SO2", {"O-S": 2.0}),
        ("trans-butane", {"C-C": 1.0, "C-H": 1.0}),
    ],
)
def test_bonds_are_seen_in_the_geometry(name: str, orders: dict[str, float]) -> None:
    atoms = g2(name)
    found: dict[str, set[float]] = {}
    for first, second, order in perceived_bonds(atoms.numbers, atoms.positions):
        pair = "-".join(sorted((atoms.symbols[first], atoms.symbols[second])))
        found.setdefault(pair, set()).add(round(order, 2))
    assert found == {pair: {order} for pair, order in orders.items()}


def test_bonds_do_not_depend_on_the_order_of_atoms() -> None:
    atoms = g2("butadiene")
    order = np.random.default_rng(0).permutation(len(atoms))
    plain = {bond[:2]: bond[2] for bond in perceived_bonds(atoms.numbers, atoms.positions)}
    for first, second, bond in perceived_bonds(atoms.numbers[order], atoms.positions[order]):
        pair = tuple(sorted((int(order[first]), int(order[second]))))
        assert plain.pop(pair) == pytest.approx(bond, abs=1e-3)
    assert plain == {}


def test_atoms_apart_have_no_bonds() -> None:
    assert perceived_bonds(np.array([6, 6]), np.array([[0.0, 0, 0], [3.0, 0, 0]])) == ()


def test_molecules_are_read() -> None:
    water = from_xyz(WATER)
    assert water.formula == "H2O"
    assert water.bonds == ((0, 1, 1.0), (0, 2, 1.0))
    formaldehyde = from_molfile(FORMALDEHYDE)
    assert formaldehyde.bonds == ((0, 1, 2.0), (1, 2, 1.0), (1, 3, 1.0))
    text = {"elements": ["O", "H", 1], "coords": water.coords.tolist()}
    assert from_molecule_json(json.dumps(text)).content_hash() == water.content_hash()
    stated = from_molecule_json(json.dumps(text | {"bonds": [[0, 1, 2]]}))
    assert stated.bonds == ((0, 1, 2.0),)


@pytest.mark.parametrize(
    ("read", "text", "says"),
    [
        (from_xyz, "x\n", "number of atoms"),
        (from_xyz, "2\n\nO 0 0 0\n", "breaks off"),
        (from_xyz, "1\n\nO 0 0\n", "three coordinates"),
        (from_xyz, "1\n\nQq 0 0 0\n", "Qq"),
        (from_xyz, "2\n\nO 0 0 0\nH 0 0 0.1\n", "overlap"),
        (from_xyz, WATER + WATER, "more than one frame"),
        (from_molfile, FORMALDEHYDE + "$$$$\n" + FORMALDEHYDE, "more than one molecule"),
        (from_molfile, "a\nb\nc\n  0  0  V3000\n", "V2000"),
        (from_molfile, FORMALDEHYDE.split("  1  2  2", maxsplit=1)[0], "breaks off"),
        (from_molfile, FORMALDEHYDE.replace("  1  2  2", "  1  9  2"), "different atoms"),
        (from_molecule_json, "[]", "elements"),
        (from_molecule_json, '{"elements": "OH", "coords": []}', "list of symbols"),
        (from_molecule_json, '{"elements": ["O"], "coords": [["x", 1, 2]]}', "three numbers"),
    ],
)
def test_what_is_no_molecule_is_refused(read: object, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read(text)  # type: ignore[operator]


def test_a_frame_with_a_cell_is_a_crystal_and_one_without_a_molecule(tmp_path: Path) -> None:
    cell = '1\nLattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3\nCu 0 0 0\n'
    assert isinstance(from_frame(cell), Crystal)
    assert isinstance(from_frame(WATER), Molecule)
    (tmp_path / "w.xyz").write_text(WATER)
    (tmp_path / "f.mol").write_text(FORMALDEHYDE)
    assert isinstance(read_any(tmp_path / "w.xyz"), Molecule)
    found = read_any(tmp_path / "f.mol")
    assert isinstance(found, Molecule)
    assert found.formula == "H2CO"
    with pytest.raises(InputError, match="no file"):
        read_any(tmp_path / "none.mol")
    (tmp_path / "bad.sdf").write_text("x")
    with pytest.raises(InputError, match=r"bad\.sdf: only MOL"):
        read_any(tmp_path / "bad.sdf")
