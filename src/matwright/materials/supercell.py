"""Supercells: multiples of a cell, and the smallest one in which no atom is near its own image."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.materials.crystal import Crystal

_STEPS = np.array([step for step in itertools.product((-2, -1, 0, 1, 2), repeat=3) if any(step)])


def supercell(crystal: Crystal, matrix: NDArray[np.int64]) -> Crystal:
    """The crystal in the cell matrix @ lattice; `matrix` (3, 3) of whole numbers, determinant not 0."""
    times = round(abs(float(np.linalg.det(matrix))))
    if times == 0:
        raise InputError(f"a supercell needs a matrix of whole numbers with a determinant, found {matrix.tolist()}")
    corners = np.array(list(itertools.product((0, 1), repeat=3))) @ matrix
    low, high = corners.min(axis=0), corners.max(axis=0)
    points = np.array(list(itertools.product(*(range(a, b + 1) for a, b in zip(low, high, strict=True)))))
    inside = points @ np.linalg.inv(matrix)
    inside = points[((inside > -1e-9) & (inside < 1 - 1e-9)).all(axis=1)]
    coords = (crystal.frac_coords[:, None, :] + inside) @ np.linalg.inv(matrix)  # atom by atom, all its copies
    occupancies = None
    if crystal.occupancies is not None:
        occupancies = tuple(site for site in crystal.occupancies for _ in range(times))
    return Crystal(
        lattice=matrix @ crystal.lattice,
        frac_coords=coords.reshape(-1, 3),
        numbers=np.repeat(crystal.numbers, times),
        occupancies=occupancies,
        pbc=crystal.pbc,
    )


def shortest_translation(lattice: NDArray[np.float64]) -> float:
    """Å, how near an atom is to its nearest image; `lattice` (3, 3), reduced or nearly so."""
    return float(np.linalg.norm(_STEPS @ lattice, axis=1).min())


def roomy(crystal: Crystal, min_length: float, *, max_atoms: int) -> Crystal:
    """The smallest supercell whose atoms are further than `min_length` Å from their own images; the most cube-like.

    Raises:
        InputError: it would have more than `max_atoms` atoms.
    """
    for times in range(1, max_atoms // len(crystal) + 1):
        cells = [(m, _reduced(m @ crystal.lattice)) for m in _matrices(times)]
        rooms = [shortest_translation(cell) for _, cell in cells]
        best = int(np.argmax(rooms))
        if rooms[best] > min_length:
            matrix = np.rint(cells[best][1] @ np.linalg.inv(crystal.lattice)).astype(np.int64)
            return supercell(crystal, matrix)
    raise InputError(f"no supercell of at most {max_atoms} atoms keeps them {min_length:g} Å from their own images")


def _matrices(times: int) -> Iterator[NDArray[np.int64]]:
    """Hermite normal forms: every lattice of `times` cells once."""
    for a in (n for n in range(1, times + 1) if times % n == 0):
        for b in (n for n in range(1, times // a + 1) if times // a % n == 0):
            c = times // a // b
            for x, y, z in itertools.product(range(b), range(c), range(c)):
                yield np.array([[a, x, y], [0, b, z], [0, 0, c]])


def _reduced(lattice: NDArray[np.float64]) -> NDArray[np.float64]:
    """An equivalent cell of short vectors: the longest is shortened by whole numbers of the others while that helps."""
    cell = lattice.copy()
    while True:
        for row in np.argsort(-np.linalg.norm(cell, axis=1)):
            others = [other for other in range(3) if other != row]
            options = [cell[row] + i * cell[others[0]] + j * cell[others[1]] for i in (-1, 0, 1) for j in (-1, 0, 1)]
            shortest = min(options, key=lambda vector: float(vector @ vector))
            if shortest @ shortest < cell[row] @ cell[row] - 1e-9:
                cell[row] = shortest
                break
        else:
            return cell
