"""Molecules as text: XYZ, MOL/SDF (V2000), and lists of elements and coordinates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from matwright.elements import MAX_ATOMIC_NUMBER, atomic_number
from matwright.errors import InputError
from matwright.materials.bonding import perceived_bonds
from matwright.materials.molecule import Bond, Molecule

_AROMATIC = 4  # the bond type of MOL files that means one and a half


def molecule_of(
    elements: Sequence[str | int], coords: Sequence[Sequence[float]], bonds: tuple[Bond, ...] | None = None
) -> Molecule:
    """The molecule of some elements (symbols or atomic numbers) at coordinates in Å.

    Where `bonds` is None they are perceived from the geometry (see `bonding.perceived_bonds`).

    Raises:
        InputError: an element is unknown, or the atoms are impossible.
    """
    try:
        places = np.array(coords, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("the coordinates of a molecule are three numbers an atom") from error
    numbers = np.array([_number(entry) for entry in elements], dtype=np.int64)
    bare = Molecule(numbers=numbers, coords=places)
    return Molecule(
        numbers=numbers, coords=places, bonds=perceived_bonds(bare.numbers, bare.coords) if bonds is None else bonds
    )


def _number(entry: str | int) -> int:
    if isinstance(entry, str) and not entry.strip().isdigit():
        return atomic_number(entry.strip())
    number = int(entry)
    if not 1 <= number <= MAX_ATOMIC_NUMBER:
        raise InputError(f"atomic numbers lie in 1..{MAX_ATOMIC_NUMBER}, found {number}")
    return number


def from_xyz(text: str) -> Molecule:
    """The molecule of an XYZ text of one frame: a number of atoms, a comment, then "element x y z" lines in Å.

    Raises:
        InputError: it breaks off, holds a second frame, or a line cannot be read.
    """
    check_one_frame(text)
    lines = text.strip("\n").splitlines()
    head = lines[0].strip() if lines else ""
    if not head.isdigit() or int(head) == 0:
        raise InputError(f"an XYZ text starts with its number of atoms, found {head[:40]!r}")
    rows = [line.split() for line in lines[2 : 2 + int(head)]]
    if len(rows) < int(head):
        raise InputError(f"the XYZ text breaks off: {head} atoms are announced, {len(rows)} are there")
    return molecule_of([_first(row) for row in rows], [_place(row[1:4]) for row in rows])


def check_one_frame(text: str) -> None:
    """Make sure that an XYZ text ends with its first frame; other lines may follow that, as in QM9.

    Raises:
        InputError: another frame follows, which would be lost unseen.
    """
    lines = text.strip("\n").splitlines()
    head = lines[0].strip() if lines else ""
    if head.isdigit() and len(lines) > int(head) + 2 and lines[int(head) + 2].strip().isdigit():
        raise InputError("the XYZ holds more than one frame; write the one that is meant into a file of its own")


def from_molfile(text: str) -> Molecule:
    """The molecule of a MOL text, or of an SDF text of one (V2000), with the bonds and orders that it states.

    Raises:
        InputError: it is no V2000 MOL text with three-dimensional coordinates, or an SDF text of several molecules.
    """
    if text.partition("$$$$")[2].strip():
        raise InputError("the SDF holds more than one molecule; write each into a file of its own")
    lines = text.splitlines()
    counts = lines[3] if len(lines) > 3 else ""
    if "V2000" not in counts or not counts[:6].replace(" ", "").isdigit():
        raise InputError("only MOL and SDF texts of version V2000 can be read")
    n_atoms, n_bonds = int(counts[:3]), int(counts[3:6])
    atoms, bonds = lines[4 : 4 + n_atoms], lines[4 + n_atoms : 4 + n_atoms + n_bonds]
    if len(atoms) < n_atoms or len(bonds) < n_bonds:
        raise InputError("the MOL text breaks off")
    places = [_place([line[:10], line[10:20], line[20:30]]) for line in atoms]
    return molecule_of([line[31:34].strip() for line in atoms], places, tuple(_mol_bond(line) for line in bonds))


def _mol_bond(line: str) -> Bond:
    try:
        first, second, kind = int(line[:3]), int(line[3:6]), int(line[6:9])
    except ValueError as error:
        raise InputError(f"the bond {line[:12]!r} of the MOL text cannot be read") from error
    return first - 1, second - 1, 1.5 if kind == _AROMATIC else float(kind)


def from_molecule_json(text: str) -> Molecule:
    """The molecule of {"elements": [...], "coords": [[x, y, z], ...], "bonds": [[i, j, order], ...]}; bonds may lack.

    Raises:
        InputError: it is not of this form.
    """
    try:
        content: Any = json.loads(text)
        elements, coords, bonds = content["elements"], content["coords"], content.get("bonds")
        stated = None if bonds is None else tuple((int(a), int(b), float(order)) for a, b, order in bonds)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError('a molecule in JSON is {"elements": [...], "coords": [[x, y, z], ...]}') from error
    if not isinstance(elements, list) or not all(isinstance(entry, str | int) for entry in elements):
        raise InputError("the elements of a molecule are a list of symbols or atomic numbers")
    return molecule_of(elements, coords, stated)


def _first(row: Sequence[str]) -> str:
    if not row:
        raise InputError("a line of the XYZ text is empty")
    return row[0]


def _place(words: Sequence[str]) -> list[float]:
    try:
        x, y, z = (float(word) for word in words)
    except ValueError as error:
        raise InputError(f"{' '.join(words)[:40]!r} are not three coordinates") from error
    return [x, y, z]
