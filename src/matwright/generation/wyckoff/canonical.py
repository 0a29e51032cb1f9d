"""One crystal, one sequence: the smallest of all descriptions that the group's normaliser makes equivalent.

A crystal in the standard setting of its group G can be written down in several ways: its origin and axes may be moved
by any proper element of the normaliser of G, any atom of an orbit may stand for it, and along polar axes the origin
is free. The canonical description is the first by, in this order: the sorted (Wyckoff letter, atomic number) list,
the lattice parameters, the sorted free coordinates. Comparisons are made on whole numbers (values divided by a fixed
small step), so that rounding errors do not decide. Mirror images of a chiral crystal keep different sequences.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.generation.wyckoff.location import EXACT, free_coordinates, permutation
from matwright.generation.wyckoff.reduction import cell_parameters, changed, open_cells
from matwright.generation.wyckoff.sequence import Orbit, SymmetrySequence
from matwright.generation.wyckoff.tables import DENOMINATOR, LETTERS, SpaceGroup, space_group

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

COORDINATE_STEPS = 9216
"""Coordinates are compared in 1/9216: 2^10 * 9, so that no simple fraction lies on a rounding boundary."""

_LENGTH_STEP, _ANGLE_STEP = 1e-3, 1e-2  # Å, degrees
_SIX = ("a", "b", "c", "alpha", "beta", "gamma")
_NUMBER_BITS, _COORDINATE_BITS = 7, 14
_NEVER = np.iinfo(np.int64).max


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Candidates:
    """Equivalent descriptions with the same skeleton, orbits sorted by it."""

    skeleton: Integers  # (n_orbits,) position << 7 | atomic number, not decreasing
    points: Floats  # (n_candidates, n_orbits, 3)
    lattices: Floats  # (n_candidates, 3, 3)


def canonical(number: int, lattice: Floats, points: Floats, positions: Integers, numbers: Integers) -> SymmetrySequence:
    """Return the canonical sequence of a crystal given in the standard setting.

    Args:
        number: space group.
        lattice: (3, 3) conventional cell, rows in Å.
        points: (n_orbits, 3) one point of each orbit, exactly on its position.
        positions: (n_orbits,) index of the Wyckoff position.
        numbers: (n_orbits,) atomic numbers.
    """
    candidates = _same_skeleton(number, lattice, points, positions, numbers)
    if space_group(number).polar_axes:
        candidates = _anchored(number, candidates)
    keys, free = _coordinate_keys(number, candidates)
    order = np.argsort(keys, axis=1, kind="stable")
    winner = int(_smallest_rows(np.take_along_axis(keys, order, axis=1))[0])
    parameters = cell_parameters(candidates.lattices[winner : winner + 1])[0]
    group = space_group(number)
    return SymmetrySequence(
        space_group=number,
        orbits=tuple(_orbit(int(candidates.skeleton[column]), free[winner, column], group) for column in order[winner]),
        lattice=tuple(float(parameters[_SIX.index(name)]) for name in group.lattice_parameters),
    )


def _orbit(skeleton: int, free: Floats, group: SpaceGroup) -> Orbit:
    index = skeleton >> _NUMBER_BITS
    # twelve decimals: far finer than any structure, and 1 - 1e-16 becomes 0
    values = np.round(free[: group.positions[index].dof], 12) % 1.0
    return Orbit(number=skeleton & (2**_NUMBER_BITS - 1), letter=LETTERS[index], free=tuple(values.tolist()))


def _same_skeleton(number: int, lattice: Floats, points: Floats, positions: Integers, numbers: Integers) -> _Candidates:
    """All descriptions with the smallest skeleton, and of those the ones with the smallest lattice."""
    group = space_group(number)
    linear, offsets = open_cells(number, lattice)
    after_linear = np.array([_permutation(number, *pair) for pair in zip(linear, offsets, strict=True)])
    shifts = group.normaliser_translations
    n_linear, n_shifts = len(linear), len(shifts)
    image = _shift_permutations(number)[:, after_linear[:, positions]].reshape(n_shifts * n_linear, -1)
    skeletons = image << _NUMBER_BITS | numbers
    order = np.argsort(skeletons, axis=1, kind="stable")
    sorted_skeletons = np.take_along_axis(skeletons, order, axis=1)
    kept = _smallest_rows(sorted_skeletons)
    # from the tetragonal groups on, every element of the normaliser keeps the lattice parameters
    lattices = changed(lattice, linear) if number < 75 else np.broadcast_to(lattice, (n_linear, 3, 3))
    if number < 75:
        kept = kept[_smallest_rows(_lattice_keys(lattices[kept % n_linear]))]
    which, shift = kept % n_linear, kept // n_linear
    moved = np.einsum("cij,nj->cni", linear[which].astype(np.float64), points)
    moved += ((offsets[which] + shifts[shift]) / DENOMINATOR)[:, None, :]
    return _Candidates(
        skeleton=sorted_skeletons[kept[0]],
        points=np.take_along_axis(moved, order[kept][:, :, None], axis=1),
        lattices=lattices[which],
    )


def _anchored(number: int, candidates: _Candidates) -> _Candidates:
    """Fix the origin along polar axes: each orbit of the first class in turn gets the coordinate 0 there."""
    group = space_group(number)
    first = int(candidates.skeleton[0])
    n_anchors = int(np.count_nonzero(candidates.skeleton == first))
    index = first >> _NUMBER_BITS
    columns = _polar_columns(number, index)
    anchors = candidates.points[:, :n_anchors].reshape(-1, 3)
    free, distance = free_coordinates(number, index, anchors)
    anchor, image = np.nonzero(distance < EXACT)
    moves = np.zeros((len(anchor), 3))
    moves[:, group.polar_axes] = -free[anchor, image][:, columns]
    # images that only differ by a whole operation of the group give the same move
    rounded = np.rint(moves * 1e6).astype(np.int64) % 1_000_000
    _, once = np.unique(np.column_stack([anchor, rounded]), axis=0, return_index=True)
    source = anchor[once] // n_anchors
    return _Candidates(
        skeleton=candidates.skeleton,
        points=candidates.points[source] + moves[once][:, None, :],
        lattices=candidates.lattices[source],
    )


def _coordinate_keys(number: int, candidates: _Candidates) -> tuple[Integers, Floats]:
    """((n_candidates, n_orbits) whole-number keys, (n_candidates, n_orbits, 3) free coordinates of the smallest)."""
    n_candidates, n_orbits = candidates.points.shape[:2]
    keys = np.broadcast_to(candidates.skeleton << 3 * _COORDINATE_BITS, (n_candidates, n_orbits)).copy()
    free = np.zeros((n_candidates, n_orbits, 3))
    indices = candidates.skeleton >> _NUMBER_BITS
    for index in dict.fromkeys(indices.tolist()):
        dof = space_group(number).positions[index].dof
        if dof:
            columns = np.flatnonzero(indices == index)
            found, distance = free_coordinates(number, index, candidates.points[:, columns].reshape(-1, 3))
            ranks = np.where(distance < EXACT, _coordinate_rank(number, index, found), _NEVER)
            best = ranks.argmin(axis=1)
            rows = np.arange(len(best))
            keys[:, columns] |= ranks[rows, best].reshape(n_candidates, -1)
            free[:, columns, :dof] = found[rows, best].reshape(n_candidates, -1, dof)
    return keys, free


def _coordinate_rank(number: int, index: int, free: Floats) -> Integers:
    """(n, m) one whole number for each (n, m, dof) set of free coordinates, the polar ones counting most."""
    polar = _polar_columns(number, index)
    order = polar + [column for column in range(free.shape[2]) if column not in polar]
    steps = np.floor(free * COORDINATE_STEPS + 0.5).astype(np.int64) % COORDINATE_STEPS
    rank = np.zeros(free.shape[:2], dtype=np.int64)
    for column in order:
        rank = rank << _COORDINATE_BITS | steps[:, :, column]
    return rank


def _lattice_keys(lattices: Floats) -> Integers:
    parameters = cell_parameters(lattices)
    parameters[:, :3] /= _LENGTH_STEP
    parameters[:, 3:] /= _ANGLE_STEP
    return np.rint(parameters).astype(np.int64)


def _smallest_rows(keys: Integers) -> Integers:
    """Indices of all rows that equal the lexicographically smallest one, in order."""
    alive = np.arange(len(keys))
    for column in range(keys.shape[1]):
        if len(alive) == 1:
            break
        values = keys[alive, column]
        alive = alive[values == values.min()]
    return alive


@lru_cache(maxsize=2048)
def _polar_columns(number: int, index: int) -> list[int]:
    """Which free coordinate of a position's representative runs along each polar axis."""
    group = space_group(number)
    rows = group.positions[index].operations[0][:, :3]
    return [int(np.flatnonzero(rows[axis])[0]) for axis in group.polar_axes]


@lru_cache(maxsize=230)
def _shift_permutations(number: int) -> Integers:
    """(n_translations, n_positions) what each pure translation of the normaliser does to the positions."""
    identity = (1, 0, 0, 0, 1, 0, 0, 0, 1)
    shifts = space_group(number).normaliser_translations.tolist()
    return np.array([permutation(number, identity, tuple(shift)) for shift in shifts])


def _permutation(number: int, linear: Integers, offset: Integers) -> Integers:
    # special points of the triclinic groups have coordinates 0 and 1/2: only the parity of P matters to them
    matrix = linear % 2 if number <= 2 else linear
    return permutation(number, tuple(matrix.ravel().tolist()), tuple((offset % DENOMINATOR).tolist()))
