"""Cells that are equally good descriptions: the linear parts of the normaliser that a crystal's metric leaves open.

From the orthorhombic groups on, the normaliser has finitely many linear parts. Monoclinic and triclinic groups have
infinitely many: the shortest cell is searched for, and what is left are the few cells that tie.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from matwright.generation.wyckoff.tables import space_group

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

RELATIVE_TIE = 1e-5
"""Sums of squared lengths that differ by less than this share are a tie."""

ANGLE_TIE = 1e-2
"""Degrees by which an angle may miss 90 and still count as 90."""

LENGTH_TIE = 1e-4
"""Å by which two lengths may differ and still count as equal."""

_MAX_STEPS = 50


def cell_parameters(lattices: Floats) -> Floats:
    """(n, 6) a, b, c (Å), alpha, beta, gamma (degrees) of (n, 3, 3) cells."""
    lengths = np.linalg.norm(lattices, axis=2)
    unit = lattices / lengths[:, :, None]
    cosines = np.stack([(unit[:, i] * unit[:, j]).sum(axis=1) for i, j in ((1, 2), (0, 2), (0, 1))], axis=1)
    return np.concatenate([lengths, np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))], axis=1)


def changed(lattice: Floats, linear: Integers) -> Floats:
    """(n, 3, 3) cells after x -> P x for (n, 3, 3) matrices P: the rows become P^-T rows."""
    inverse = np.rint(np.linalg.inv(linear)).transpose(0, 2, 1)
    cells: Floats = inverse @ lattice
    return cells


def open_cells(number: int, lattice: Floats) -> tuple[Integers, Integers]:
    """Return the changes of cell that lead from this cell to every canonical one.

    Args:
        number: space group.
        lattice: (3, 3) conventional cell in the standard setting.

    Returns:
        linear: (n, 3, 3) integer matrices P of normaliser elements x -> P x + p, at least one.
        offsets: (n, 3) the p that goes with each, in 24ths.
    """
    group = space_group(number)
    if number >= 16:
        return group.normaliser_linear, group.normaliser_offsets
    linear, offsets = _choices(number)
    total = np.eye(3, dtype=np.int64)
    shift = np.zeros(3, dtype=np.int64)
    for _ in range(_MAX_STEPS):
        cells = changed(lattice, linear)
        size = (cells[:, (0, 2)] ** 2).sum(axis=(1, 2)) if number > 2 else (cells**2).sum(axis=(1, 2))
        best = int(size.argmin())
        if size[best] >= size[0] * (1.0 - RELATIVE_TIE):
            break
        lattice, total, shift = cells[best], linear[best] @ total, linear[best] @ shift + offsets[best]
    tied = np.flatnonzero(size <= size.min() * (1.0 + RELATIVE_TIE))
    tied = tied[_preferred(number, cell_parameters(cells[tied]))]
    return linear[tied] @ total, linear[tied] @ shift + offsets[tied]


def _preferred(number: int, parameters: Floats) -> Integers:
    """Among tied cells: monoclinic with beta >= 90; triclinic with a <= b <= c and all angles on one side of 90."""
    if number > 2:
        return np.flatnonzero(parameters[:, 4] >= 90.0 - ANGLE_TIE)
    lengths, angles = parameters[:, :3], parameters[:, 3:]
    ordered = (np.diff(lengths, axis=1) >= -LENGTH_TIE).all(axis=1)
    acute = (angles <= 90.0 + ANGLE_TIE).all(axis=1)
    obtuse = (angles >= 90.0 - ANGLE_TIE).all(axis=1)
    for wanted in (ordered & acute, ordered & obtuse, ordered):
        if wanted.any():
            return np.flatnonzero(wanted)
    return np.arange(len(parameters))


@lru_cache(maxsize=16)
def _choices(number: int) -> tuple[Integers, Integers]:
    """Linear parts to search through, the identity first, with their offsets."""
    group = space_group(number)
    if number > 2:
        return group.normaliser_linear, group.normaliser_offsets
    rows = np.array(list(itertools.product((0, 1, -1), repeat=9)), dtype=np.int64).reshape(-1, 3, 3)
    rows = rows[np.abs(np.linalg.det(rows) - 1.0) < 0.5]
    # these are the new cell's rows in the old one; coordinates change by the inverse transpose
    linear = np.rint(np.linalg.inv(rows)).astype(np.int64).transpose(0, 2, 1)
    order = np.argsort([not np.array_equal(matrix, np.eye(3)) for matrix in linear], kind="stable")
    return np.ascontiguousarray(linear[order]), np.zeros((len(linear), 3), dtype=np.int64)
