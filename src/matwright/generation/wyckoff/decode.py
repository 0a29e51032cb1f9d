"""From a symmetry-true sequence to the exact crystal: affine maps on the free coordinates, no symmetry search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.generation.wyckoff.sequence import SymmetrySequence, letter_index
from matwright.generation.wyckoff.tables import N_SPACE_GROUPS, space_group
from matwright.materials.crystal import Crystal

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_SIX = ("a", "b", "c", "alpha", "beta", "gamma")
_SAME_LENGTH = {"tetragonal": (0, 0, 1), "trigonal": (0, 0, 1), "hexagonal": (0, 0, 1), "cubic": (0, 0, 0)}
"""For systems with fewer than three free lengths: which free parameter a, b and c each take."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SequenceArrays:
    """Many sequences as flat arrays; what `decode_arrays` takes.

    Attributes:
        space_groups: (n_crystals,) group numbers.
        lattices: (n_crystals, 6) free lattice parameters in the group's own order (Å, degrees), the rest unused.
        crystal: (n_orbits,) which crystal each orbit belongs to, not decreasing.
        positions: (n_orbits,) index of the Wyckoff position in its group, 0 for letter a.
        numbers: (n_orbits,) atomic numbers.
        free: (n_orbits, 3) free coordinates, the unused ones 0.
    """

    space_groups: Integers
    lattices: Floats
    crystal: Integers
    positions: Integers
    numbers: Integers
    free: Floats


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrystalArrays:
    """Many primitive cells as flat arrays; atoms of crystal i are offsets[i] : offsets[i + 1].

    Attributes:
        lattices: (n_crystals, 3, 3) rows are cell vectors in Å.
        frac_coords: (n_atoms, 3) in [0, 1).
        numbers: (n_atoms,) atomic numbers.
        offsets: (n_crystals + 1,) first atom of each crystal.
    """

    lattices: Floats
    frac_coords: Floats
    numbers: Integers
    offsets: Integers

    def __len__(self) -> int:
        return len(self.lattices)

    def select(self, index: Integers) -> CrystalArrays:
        """Return the cells of `index`."""
        sizes = np.diff(self.offsets)[index]
        starts = np.cumsum(sizes) - sizes
        atoms = np.repeat(self.offsets[index] - starts, sizes) + np.arange(int(sizes.sum()))
        return CrystalArrays(
            lattices=self.lattices[index],
            frac_coords=self.frac_coords[atoms],
            numbers=self.numbers[atoms],
            offsets=np.concatenate([[0], np.cumsum(sizes)]),
        )

    def crystals(self) -> list[Crystal]:
        """Return each cell as a Crystal."""
        bounds = self.offsets.tolist()
        return [
            Crystal(lattice=lattice, frac_coords=self.frac_coords[first:last], numbers=self.numbers[first:last])
            for lattice, first, last in zip(self.lattices, bounds[:-1], bounds[1:], strict=True)
        ]


def decode(sequence: SymmetrySequence, *, conventional: bool = False) -> Crystal:
    """Return the crystal of a sequence: its primitive cell, or the conventional one of the standard setting.

    The atoms come orbit by orbit. The cell has a along x and b in the xy plane (conventional axes).

    Raises:
        InputError: the lattice angles do not close to a cell.
    """
    group = space_group(sequence.space_group)
    blocks, numbers = [], []
    for orbit in sequence.orbits:
        position = group.position(orbit.letter)
        maps = position.operations if conventional else position.primitive_operations
        blocks.append(maps[:, :, : position.dof] @ orbit.free + maps[:, :, 3] if position.dof else maps[:, :, 3])
        numbers += [orbit.number] * len(maps)
    lattice = conventional_lattices(np.array([sequence.space_group]), np.array([_padded(sequence.lattice, 6)]))[0]
    return Crystal(
        lattice=lattice if conventional else group.primitive_rows @ lattice,
        frac_coords=_wrapped(np.concatenate(blocks)),
        numbers=np.array(numbers, dtype=np.int64),
    )


def decode_batch(sequences: Sequence[SymmetrySequence]) -> list[Crystal]:
    """Return the primitive cells of many sequences at once, equal to `decode` of each.

    Raises:
        InputError: the lattice angles of one do not close to a cell.
    """
    if not sequences:
        return []
    return decode_arrays(to_arrays(sequences)).crystals()


def to_arrays(sequences: Sequence[SymmetrySequence]) -> SequenceArrays:
    """Lay sequences out as flat arrays."""
    orbits = [(index, orbit) for index, sequence in enumerate(sequences) for orbit in sequence.orbits]
    return SequenceArrays(
        space_groups=np.array([sequence.space_group for sequence in sequences], dtype=np.int64),
        lattices=np.array([_padded(sequence.lattice, 6) for sequence in sequences]),
        crystal=np.array([index for index, _ in orbits], dtype=np.int64),
        positions=np.array([letter_index(orbit.letter) for _, orbit in orbits], dtype=np.int64),
        numbers=np.array([orbit.number for _, orbit in orbits], dtype=np.int64),
        free=np.array([_padded(orbit.free, 3) for _, orbit in orbits]),
    )


def decode_arrays(arrays: SequenceArrays) -> CrystalArrays:
    """Decode many sequences to primitive cells by index arithmetic over one bank of affine maps.

    Raises:
        InputError: the lattice angles of one do not close to a cell.
    """
    bank = _bank()
    row = bank.first_position[arrays.space_groups[arrays.crystal] - 1] + arrays.positions
    counts = bank.n_atoms[row]
    ends = np.cumsum(counts)
    # map of each atom: the first map of its orbit's position plus its place within the orbit
    maps = bank.maps[np.repeat(bank.first_map[row] - (ends - counts), counts) + np.arange(ends[-1])]
    coords = np.einsum("nij,nj->ni", maps[:, :, :3], np.repeat(arrays.free, counts, axis=0)) + maps[:, :, 3]
    sizes = np.bincount(arrays.crystal, weights=counts, minlength=len(arrays.space_groups)).astype(np.int64)
    conventional = conventional_lattices(arrays.space_groups, arrays.lattices)
    return CrystalArrays(
        lattices=bank.primitive_rows[arrays.space_groups - 1] @ conventional,
        frac_coords=_wrapped(coords),
        numbers=np.repeat(arrays.numbers, counts),
        offsets=np.concatenate([[0], np.cumsum(sizes)]),
    )


def conventional_lattices(space_groups: Integers, parameters: Floats) -> Floats:
    """Return the (n, 3, 3) cell vectors (rows, Å) of the conventional cells, a along x and b in the xy plane.

    Args:
        space_groups: (n,) group numbers.
        parameters: (n, 6) free lattice parameters in each group's own order, the rest unused.

    Raises:
        InputError: the angles of one do not close to a cell.
    """
    order, right_angles = _parameter_table()
    index = order[space_groups - 1]
    six = np.where(index >= 0, np.take_along_axis(parameters, np.maximum(index, 0), axis=1), 0.0)
    angles = np.where(index[:, 3:] >= 0, six[:, 3:], right_angles[space_groups - 1])
    # cosines of 90 and 120 degrees exactly, so that symmetric cells are exact
    cosines = np.where(angles == 90.0, 0.0, np.where(angles == 120.0, -0.5, np.cos(np.radians(angles))))
    cos_a, cos_b, cos_g = cosines.T
    sin_g = np.sqrt(1.0 - cos_g**2)
    c_y = (cos_a - cos_b * cos_g) / sin_g
    c_z_squared = 1.0 - cos_b**2 - c_y**2
    if (c_z_squared <= 1e-6).any():
        worst = int(np.argmin(c_z_squared))
        raise InputError(f"the angles {', '.join(f'{angle:.4g}' for angle in angles[worst])} do not close to a cell")
    rows = np.zeros((len(six), 3, 3))
    rows[:, 0, 0] = six[:, 0]
    rows[:, 1, 0], rows[:, 1, 1] = six[:, 1] * cos_g, six[:, 1] * sin_g
    rows[:, 2, 0], rows[:, 2, 1] = six[:, 2] * cos_b, six[:, 2] * c_y
    rows[:, 2, 2] = six[:, 2] * np.sqrt(c_z_squared)
    return rows


def free_of_cells(space_groups: Integers, cells: Floats) -> Floats:
    """(n, 6) free lattice parameters in each group's own order, NaN after them, from (n, 6) a, b, c, α, β, γ."""
    order = _parameter_table()[0][space_groups - 1]
    found = np.full((len(cells), 7), np.nan)
    np.put_along_axis(found, np.where(order >= 0, order, 6), cells, axis=1)
    return found[:, :6]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Bank:
    """The primitive maps of all positions of all groups, end to end."""

    maps: Floats  # (n_maps, 3, 4)
    first_map: Integers  # (n_positions,)
    n_atoms: Integers  # (n_positions,)
    first_position: Integers  # (230,)
    primitive_rows: Floats  # (230, 3, 3)


@lru_cache(maxsize=1)
def _bank() -> _Bank:
    groups = [space_group(number) for number in range(1, N_SPACE_GROUPS + 1)]
    positions = [position for group in groups for position in group.positions]
    counts = np.array([position.n_atoms for position in positions])
    per_group = np.array([len(group.positions) for group in groups])
    return _Bank(
        maps=np.concatenate([position.primitive_operations for position in positions]),
        first_map=np.cumsum(counts) - counts,
        n_atoms=counts,
        first_position=np.cumsum(per_group) - per_group,
        primitive_rows=np.array([group.primitive_rows for group in groups]),
    )


@lru_cache(maxsize=1)
def _parameter_table() -> tuple[Integers, Floats]:
    """(230, 6) which free parameter each of a, b, c, alpha, beta, gamma is (-1: fixed), and (230, 3) fixed angles."""
    order = np.full((N_SPACE_GROUPS, 6), -1, dtype=np.int64)
    angles = np.full((N_SPACE_GROUPS, 3), 90.0)
    for number in range(1, N_SPACE_GROUPS + 1):
        group = space_group(number)
        for index, name in enumerate(group.lattice_parameters):
            order[number - 1, _SIX.index(name)] = index
        if group.crystal_system in _SAME_LENGTH:
            order[number - 1, :3] = _SAME_LENGTH[group.crystal_system]
        if group.crystal_system in ("trigonal", "hexagonal"):
            angles[number - 1, 2] = 120.0
    return order, angles


def _wrapped(coords: Floats) -> Floats:
    wrapped = coords - np.floor(coords)
    return np.where(wrapped >= 1.0, 0.0, wrapped)


def _padded(values: tuple[float, ...], length: int) -> tuple[float, ...]:
    return values + (math.nan if length == 6 else 0.0,) * (length - len(values))
