"""The 230 space groups in one standard setting: operations, Wyckoff positions, lattice parameters, normalisers.

The setting is that of the International Tables for Crystallography, volume A: unique axis b and cell choice 1 for
monoclinic groups, hexagonal axes for rhombohedral ones, origin choice 2 where there are two. The numbers are facts
read once from `space_groups.json` (built by scripts/build_wyckoff_table.py, which states their sources) and kept
as integers in units of 1/24, so every operation is exact.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError

DENOMINATOR = 24
"""All translations are multiples of 1/24."""

LETTERS = "abcdefghijklmnopqrstuvwxyzA"
"""Wyckoff letters in order; A stands for the 27th position (alpha), which only group 47 has."""

N_SPACE_GROUPS = 230

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Scalar = TypeVar("Scalar", bound=np.generic)

_PRIMITIVE_ROWS = {
    "P": ((6, 0, 0), (0, 6, 0), (0, 0, 6)),
    "A": ((6, 0, 0), (0, 3, 3), (0, -3, 3)),
    "C": ((3, -3, 0), (3, 3, 0), (0, 0, 6)),
    "I": ((-3, 3, 3), (3, -3, 3), (3, 3, -3)),
    "F": ((0, 3, 3), (3, 0, 3), (3, 3, 0)),
    "R": ((4, 2, 2), (-2, 2, 2), (-2, -4, 2)),
}
"""Rows of the primitive cell in units of a sixth of the conventional ones (as moyopy takes them; R obverse)."""

_SYSTEMS = (
    (2, "triclinic", ("a", "b", "c", "alpha", "beta", "gamma")),
    (15, "monoclinic", ("a", "b", "c", "beta")),
    (74, "orthorhombic", ("a", "b", "c")),
    (142, "tetragonal", ("a", "c")),
    (167, "trigonal", ("a", "c")),
    (194, "hexagonal", ("a", "c")),
    (230, "cubic", ("a",)),
)
"""(last group number, crystal system, free lattice parameters)."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WyckoffPosition:
    """One Wyckoff position of one space group.

    Attributes:
        space_group: number of the group, 1..230.
        index: place in the group's list, 0 for letter a; the general position is last.
        letter: Wyckoff letter.
        multiplicity: points in the conventional cell.
        n_atoms: points in the primitive cell.
        dof: number of free coordinates, 0..3.
        site_symmetry: symbol of the site-symmetry group.
        operations: (multiplicity, 3, 4) exact affine maps: point k is operations[k] @ (free padded with 0 to 3, 1),
            fractional in the conventional cell, not wrapped. operations[0] is the representative.
        primitive_operations: (n_atoms, 3, 4), the same for one point of each primitive cell, fractional in the
            primitive cell.
    """

    space_group: int
    index: int
    letter: str
    multiplicity: int
    n_atoms: int
    dof: int
    site_symmetry: str
    operations: Floats
    primitive_operations: Floats


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class SpaceGroup:
    """One space group in the standard setting.

    Attributes:
        number: 1..230.
        symbol: short Hermann-Mauguin symbol.
        crystal_system: triclinic … cubic; rhombohedral groups are trigonal.
        lattice_parameters: names of the free lattice parameters in order (lengths in Å, angles in degrees).
        centring: (n, 3) centring vectors in 24ths, the zero vector first.
        rotations: (order, 3, 3) integer rotation parts of the operations, without centring.
        translations: (order, 3) their translations in 24ths.
        positions: the Wyckoff positions, a first, the general one last.
        primitive_rows: (3, 3) primitive cell vectors in the conventional basis.
        polar_axes: cell axes along which the group does not fix the origin.
        normaliser_linear: (k, 3, 3) integer linear parts of the proper normaliser modulo the group's own. For the
            triclinic groups only the identity (every unimodular matrix normalises); for the monoclinic ones those
            with entries up to 2 in size.
        normaliser_offsets: (k, 3) the translation that goes with each, in 24ths.
        normaliser_translations: (t, 3) pure translations of the normaliser modulo the lattice and the polar axes,
            in 24ths. The normaliser modulo the group is every linear part combined with every translation.
    """

    number: int
    symbol: str
    crystal_system: str
    lattice_parameters: tuple[str, ...]
    centring: Integers
    rotations: Integers
    translations: Integers
    positions: tuple[WyckoffPosition, ...]
    primitive_rows: Floats
    polar_axes: tuple[int, ...]
    normaliser_linear: Integers
    normaliser_offsets: Integers
    normaliser_translations: Integers

    @property
    def lattice_dof(self) -> int:
        """Number of free lattice parameters."""
        return len(self.lattice_parameters)

    @property
    def letters(self) -> str:
        """The group's Wyckoff letters in order."""
        return LETTERS[: len(self.positions)]

    @cached_property
    def conventional_to_primitive(self) -> Floats:
        """(3, 3) Q with x_primitive = Q @ x_conventional; its entries are whole numbers."""
        return np.asarray(np.rint(np.linalg.inv(self.primitive_rows).T), dtype=np.float64)

    def position(self, letter: str) -> WyckoffPosition:
        """Return the position of a letter.

        Raises:
            InputError: the group has no such letter.
        """
        index = LETTERS.find(letter) if len(letter) == 1 else -1
        if not 0 <= index < len(self.positions):
            raise InputError(
                f"space group {self.number} has the Wyckoff letters {self.letters[0]} to {self.letters[-1]}, "
                f"found {letter!r}"
            )
        return self.positions[index]


@lru_cache(maxsize=N_SPACE_GROUPS)
def space_group(number: int) -> SpaceGroup:
    """Return the table of one space group (built at the first call, then kept).

    Raises:
        InputError: the number does not lie in 1..230.
    """
    if not 1 <= number <= N_SPACE_GROUPS:
        raise InputError(f"space-group numbers lie in 1..{N_SPACE_GROUPS}, found {number}")
    facts = _facts()[number - 1]
    rotations = np.array(facts["rotations"], dtype=np.int64).reshape(-1, 3, 3)
    translations = np.array(facts["translations"], dtype=np.int64)
    centring = np.array(facts["centring"], dtype=np.int64)
    primitive = np.array(_PRIMITIVE_ROWS[facts["symbol"][0]], dtype=np.int64)
    _, system, parameters = next(entry for entry in _SYSTEMS if number <= entry[0])
    positions = tuple(
        _position(number, index, entry, rotations, translations, centring, primitive)
        for index, entry in enumerate(facts["positions"])
    )
    return SpaceGroup(
        number=number,
        symbol=facts["symbol"].replace(" ", ""),
        crystal_system=system,
        lattice_parameters=parameters,
        centring=_frozen(centring),
        rotations=_frozen(rotations),
        translations=_frozen(translations),
        positions=positions,
        primitive_rows=_frozen(primitive / 6),
        polar_axes=tuple(axis for axis in range(3) if (rotations[:, :, axis] == np.eye(3)[axis]).all()),
        normaliser_linear=_frozen(np.array(facts["normaliser"]["linear"], dtype=np.int64).reshape(-1, 3, 3)),
        normaliser_offsets=_frozen(np.array(facts["normaliser"]["offsets"], dtype=np.int64)),
        normaliser_translations=_frozen(np.array(facts["normaliser"]["translations"], dtype=np.int64)),
    )


def lattice_parameters(number: int) -> tuple[str, ...]:
    """Names of the free lattice parameters of a space group, in order."""
    return space_group(number).lattice_parameters


def n_atoms(number: int, letters: Sequence[str]) -> int:
    """Number of atoms in the primitive cell when the positions of these letters are occupied, once each time named.

    Raises:
        InputError: no such group or letter.
    """
    group = space_group(number)
    return sum(group.position(letter).n_atoms for letter in letters)


@lru_cache(maxsize=1)
def _facts() -> list[dict[str, Any]]:
    text = files("matwright.generation.wyckoff").joinpath("space_groups.json").read_text(encoding="utf-8")
    groups: list[dict[str, Any]] = json.loads(text)["groups"]
    return groups


def _position(
    number: int,
    index: int,
    entry: tuple[str, int, str, list[list[int]], list[int]],
    rotations: Integers,
    translations: Integers,
    centring: Integers,
    primitive: Integers,
) -> WyckoffPosition:
    letter, multiplicity, site_symmetry, linear_rows, constant = entry
    dof = len(linear_rows[0]) if linear_rows else 0
    operations, inside = orbit_maps(linear_rows, constant, rotations, translations, centring, primitive)
    return WyckoffPosition(
        space_group=number,
        index=index,
        letter=letter,
        multiplicity=multiplicity,
        n_atoms=len(inside),
        dof=dof,
        site_symmetry=site_symmetry,
        operations=operations,
        primitive_operations=inside,
    )


def orbit_maps(
    linear_rows: list[list[int]],
    constant: list[int],
    rotations: Integers,
    translations: Integers,
    centring: Integers,
    primitive: Integers,
) -> tuple[Floats, Floats]:
    """The affine maps of all points of a position: (m, 3, 4) in the conventional cell, (k, 3, 4) in the primitive one.

    Args:
        linear_rows, constant: the representative as W (3, dof) and w in 24ths; no rows without a free coordinate.
        rotations, translations: the group's operations without centring, translations in 24ths.
        centring: (n, 3) centring vectors in 24ths.
        primitive: (3, 3) rows of the primitive cell in sixths of the conventional one.
    """
    linear = np.zeros((3, 3), dtype=np.int64)
    if linear_rows:
        linear[:, : len(linear_rows[0])] = linear_rows
    images = rotations @ linear
    offsets = rotations @ np.array(constant, dtype=np.int64) + translations
    # in primitive coordinates two points differ by a lattice vector when they differ by whole numbers
    to_primitive = np.rint(np.linalg.inv(primitive / 6).T).astype(np.int64)
    inside = np.concatenate([(to_primitive @ images).reshape(-1, 9), (offsets @ to_primitive.T) % DENOMINATOR], axis=1)
    _, first = np.unique(inside, axis=0, return_index=True)
    first = np.sort(first)
    images, offsets, inside = images[first], offsets[first], inside[first]
    spread = (offsets + centring[:, None, :]).reshape(-1, 3)
    whole = _affine(np.tile(images, (len(centring), 1, 1)), spread)
    return whole, _affine(inside[:, :9].reshape(-1, 3, 3), inside[:, 9:])


def _affine(linear: Integers, offsets: Integers) -> Floats:
    joined = np.concatenate([linear, offsets[:, :, None] / DENOMINATOR], axis=2)
    return _frozen(joined)


def _frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    array.setflags(write=False)
    return array
