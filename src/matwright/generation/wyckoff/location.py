"""Where points lie: which Wyckoff position holds them, and every choice of free coordinates that names them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import CalculationError
from matwright.generation.wyckoff.tables import DENOMINATOR, WyckoffPosition, space_group

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

EXACT = 1e-7
"""Fractional distance below which an exactly symmetric point lies on a position."""

SNAP = 0.02
"""Fractional distance within which a standardised point is moved onto its position."""

_GENERIC = np.array([0.12345678, 0.27182818, 0.41421356])


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Solver:
    """The inverse of a position's affine maps: free = section[k] @ (x - offset[k]) modulo 1."""

    linear: Floats  # (m, 3, dof)
    offset: Floats  # (m, 3)
    section: Floats  # (m, dof, 3)


@lru_cache(maxsize=2048)
def _solver(number: int, index: int) -> _Solver:
    position = space_group(number).positions[index]
    linear = position.operations[:, :, : position.dof]
    section = np.zeros((position.multiplicity, position.dof, 3))
    for point, matrix in enumerate(linear):
        # rows whose square block has a whole-number inverse: whole cells then stay whole cells
        for rows in itertools.combinations(range(3), position.dof):
            if position.dof and abs(abs(np.linalg.det(matrix[list(rows)])) - 1.0) < 1e-9:
                section[point][:, list(rows)] = np.rint(np.linalg.inv(matrix[list(rows)]))
                break
    return _Solver(linear=linear, offset=position.operations[:, :, 3], section=section)


def free_coordinates(number: int, index: int, points: Floats) -> tuple[Floats, Floats]:
    """Return all free coordinates that a position's maps give for points, and how far off each is.

    Args:
        number: space group.
        index: Wyckoff position.
        points: (n, 3) fractional coordinates in the conventional cell.

    Returns:
        free: (n, multiplicity, dof) in [0, 1). Those whose distance is 0 are the ways to name the point's orbit.
        distance: (n, multiplicity) largest fractional difference between the point and the map's image, wrapped.
    """
    solver = _solver(number, index)
    relative = points[:, None, :] - solver.offset
    free = np.einsum("mdi,nmi->nmd", solver.section, relative)
    free -= np.floor(free)
    residue = relative - np.einsum("mid,nmd->nmi", solver.linear, free)
    distance = np.abs(residue - np.rint(residue)).max(axis=2)
    return np.where(free >= 1.0, 0.0, free), distance


def project(number: int, letter: str, point: Floats) -> tuple[int, Floats]:
    """Return (position index, point moved exactly onto it) for a standardised point of a named position.

    When the point does not lie on the named position, the positions are tried from the most special one on.

    Raises:
        CalculationError: no position holds the point.
    """
    group = space_group(number)
    named = group.position(letter)
    for position in (named, *group.positions):
        free, distance = free_coordinates(number, position.index, point[None])
        best = int(distance[0].argmin())
        if distance[0, best] < (SNAP if position is named else 1e-4):
            return position.index, position.operations[best] @ np.array([*_three(free[0, best]), 1.0])
    raise CalculationError(f"a point of space group {number} lies on no Wyckoff position")


@lru_cache(maxsize=4096)
def permutation(number: int, linear: tuple[int, ...], offset: tuple[int, ...]) -> Integers:
    """(n_positions,) index of the position that each position becomes under a normaliser element x -> P x + p.

    Args:
        number: space group.
        linear: the nine entries of P, row by row.
        offset: p in 24ths.
    """
    group = space_group(number)
    matrix = np.array(linear, dtype=np.float64).reshape(3, 3)
    image = np.full(len(group.positions), -1, dtype=np.int64)
    for position in group.positions:
        point = matrix @ _representative(position) + np.array(offset) / DENOMINATOR
        for other in group.positions:
            if (other.multiplicity, other.dof) == (position.multiplicity, position.dof):
                _, distance = free_coordinates(number, other.index, point[None])
                if distance.min() < EXACT:
                    image[position.index] = other.index
                    break
    if (image < 0).any():
        raise CalculationError(f"{linear} {offset} does not normalise space group {number}")
    image.setflags(write=False)
    return image


def _representative(position: WyckoffPosition) -> Floats:
    point: Floats = position.operations[0] @ np.array([*_three(_GENERIC[: position.dof]), 1.0])
    return point


def _three(free: Floats) -> tuple[float, ...]:
    return (*free.tolist(), *(0.0,) * (3 - len(free)))
