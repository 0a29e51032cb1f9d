"""Bonds and angles within a cutoff as flat arrays: the input of a three-body potential."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import CalculationError
from matwright.materials.crystal import Crystal

_TOLERANCE = 1e-8
_SHORTEST = 0.1
"""Å; nearer than this two atoms are one, and every basis function diverges."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BondGraph:
    """Every bond once, and every ordered pair of short bonds at one atom.

    Attributes:
        first, second: (n_bonds,) int64, the two atoms of a bond.
        vectors: (n_bonds, 3) float64 Å, position of `first` minus position of the image of `second`.
        short: (n_short,) int64, the bonds no longer than the angle cutoff, by index.
        angle_atom: (n_angles,) int64, atom at the corner.
        angle_bond, angle_other: (n_angles,) int64, the two bonds, by position in `short`.
        angle_sign: (n_angles,) float64, +1 or -1: turns the product of the two stored vectors into the one of the
            vectors that both start at the corner.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    vectors: NDArray[np.float64]
    short: NDArray[np.int64]
    angle_atom: NDArray[np.int64]
    angle_bond: NDArray[np.int64]
    angle_other: NDArray[np.int64]
    angle_sign: NDArray[np.float64]


def find_bonds(crystal: Crystal, *, cutoff: float, angle_cutoff: float) -> BondGraph:
    """All bonds up to `cutoff` Å and all angles between bonds up to `angle_cutoff` Å.

    Raises:
        CalculationError: two atoms coincide, or an atom has no neighbour within the cutoff.
    """
    from pymatgen.optimization.neighbors import find_points_in_spheres  # heavy: behind its door

    lattice = np.ascontiguousarray(crystal.lattice)
    carts = np.ascontiguousarray(crystal.cart_coords)
    pbc = np.array(crystal.pbc, dtype=np.int64)
    centres, points, images, lengths = find_points_in_spheres(carts, carts, cutoff, pbc, lattice, _TOLERANCE)
    real = (centres != points) | (images != 0).any(axis=1)
    if (lengths[real] < _SHORTEST).any():
        raise CalculationError(f"two atoms are {lengths[real].min():.3f} Å apart")
    kept = real & _once(centres, points, images)
    first, second, image = centres[kept], points[kept], images[kept]
    alone = np.setdiff1d(np.arange(len(carts)), np.concatenate([first, second]))
    if len(alone):
        raise CalculationError(f"atom {alone[0]} has no neighbour within {cutoff:g} Å")
    vectors = carts[first] - carts[second] - image @ lattice
    short = np.flatnonzero(lengths[kept] < angle_cutoff)
    corner, bond, other, sign = _angles(first[short], second[short])
    return BondGraph(
        first=first,
        second=second,
        vectors=vectors,
        short=short,
        angle_atom=corner,
        angle_bond=bond,
        angle_other=other,
        angle_sign=sign,
    )


def _once(centres: NDArray[np.int64], points: NDArray[np.int64], images: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n_edges,) True for one of the two directions of every bond: from the lower atom, or with a positive image."""
    a, b, c = np.rint(images).T
    positive = (a > 0) | ((a == 0) & ((b > 0) | ((b == 0) & (c > 0))))
    chosen: NDArray[np.bool_] = (centres < points) | ((centres == points) & positive)
    return chosen


def _angles(
    first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Corner, bond, other bond and sign of every ordered pair of different bond ends that meet at one atom."""
    n_bonds = len(first)
    ends = np.concatenate([first, second])
    order = np.argsort(ends, kind="stable")
    counts = np.bincount(ends) if n_bonds else np.zeros(0, dtype=np.int64)
    degree = counts[ends[order]]
    starts = np.repeat(np.concatenate([[0], np.cumsum(counts)[:-1]]), counts) if n_bonds else degree
    row = np.repeat(np.arange(2 * n_bonds), degree)
    within = np.arange(len(row)) - np.repeat(np.cumsum(degree) - degree, degree)
    column = starts[row] + within
    different = row != column
    left, right = order[row[different]], order[column[different]]
    sign = np.where((left < n_bonds) == (right < n_bonds), 1.0, -1.0)
    return ends[left], left % max(n_bonds, 1), right % max(n_bonds, 1), sign
