"""Periodic neighbours in complete shells with an adaptive smooth cutoff: pure functions of positions and cell.

For atom i let d_k(i) be the distance to its k-th nearest neighbour, periodic images and ties counted, and
r_i = min(cutoff, stretch * d_k(i)); r_i = cutoff where fewer than k neighbours lie within the cutoff. Every neighbour
with d < r_i is listed: a shell of equal distances is never cut in two. Together with an envelope that vanishes with
its slope at d = r_i the graph changes continuously with the positions and does not depend on the order of the atoms,
the origin or the cell chosen; whether a neighbour within rounding error of r_i is listed does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.graphs.settings import GraphSettings

MIN_DISTANCE = 0.01
"""Å; two atoms nearer than this are one place written twice: the direction between them is rounding error."""

_GUESS_MARGIN = 1.15
_PAIRS_AT_ONCE = 1 << 21
_MAX_REDUCTION_STEPS = 100


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourList:
    """The neighbours of every atom: one row an edge, rows of one atom together, atoms in their order.

    Attributes:
        counts: (n_atoms,) int64, number of neighbours of each atom.
        neighbours: (n_edges,) int64, index of the neighbour atom.
        vectors: (n_edges, 3) float64, Å, from the atom to the periodic image of its neighbour.
        radii: (n_atoms,) float64, Å, r_i of each atom.
    """

    counts: NDArray[np.int64]
    neighbours: NDArray[np.int64]
    vectors: NDArray[np.float64]
    radii: NDArray[np.float64]


def find_neighbours(
    lattice: NDArray[np.float64],
    frac_coords: NDArray[np.float64],
    pbc: tuple[bool, bool, bool],
    settings: GraphSettings,
) -> NeighbourList:
    """All neighbours within r_i = min(cutoff, stretch * d_k(i)) of each atom i.

    The first search uses a radius guessed from the density. A k-th distance found in an incomplete set of points is an
    upper bound of the true one, so where the guess was too small one more search within that bound is exact.

    Args:
        lattice: (3, 3), rows are the cell vectors in Å; only the periodic ones are repeated.
        frac_coords: (n_atoms, 3) fractional coordinates.
        pbc: which cell vectors are periodic.
        settings: the constants of the settings.

    Raises:
        InputError: when two atoms lie within `MIN_DISTANCE` of each other.
    """
    basis = _reduced(lattice[list(pbc)])
    centres, frac = _wrapped(frac_coords @ lattice, basis)
    radius = _guessed_radius(lattice, len(centres), settings) if all(pbc) else settings.cutoff
    while True:
        images, owners = _images_within(centres, frac, basis, radius)
        step = max(1, _PAIRS_AT_ONCE // len(images))  # bounds the memory of one block of distances
        blocks = [_search(centres, images, start, start + step, settings) for start in range(0, len(centres), step)]
        atoms, nearby, radii = blocks[0] if len(blocks) == 1 else map(np.concatenate, zip(*blocks, strict=True))
        needed = float(radii.max())
        if needed <= radius:
            return NeighbourList(
                counts=np.bincount(atoms, minlength=len(centres)),
                neighbours=owners[nearby],
                vectors=images[nearby] - centres[atoms],
                radii=radii,
            )
        radius = needed


def _guessed_radius(lattice: NDArray[np.float64], n_atoms: int, settings: GraphSettings) -> float:
    """Å; the stretched radius of a sphere that holds k atoms at the mean density, with a margin."""
    volume_per_atom = abs(float(np.linalg.det(lattice))) / n_atoms
    sphere: float = (3.0 * (settings.k + 1) * volume_per_atom / (4.0 * np.pi)) ** (1.0 / 3.0)
    return min(settings.cutoff, float(_GUESS_MARGIN * settings.stretch * sphere))


def _reduced(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Short vectors of the same lattice, (n_periodic, 3): a skewed cell would need many more images than it has to.

    Pairwise reduction; it decides only how many images are looked at, never which neighbours are found.
    """
    basis = vectors.copy()
    for _ in range(_MAX_REDUCTION_STEPS):
        gram = basis @ basis.T
        steps = np.rint((1.0 - 1e-9) * gram / np.diag(gram))
        np.fill_diagonal(steps, 0.0)
        if not steps.any():
            break
        longest, by = np.unravel_index(np.argmax((steps != 0.0) * np.diag(gram)[:, None]), steps.shape)
        basis[longest] -= steps[longest, by] * basis[by]
    return basis


def _dual(basis: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, n_periodic), 1/Å: positions times this are fractions along the periodic directions."""
    return np.asarray(np.linalg.inv(basis) if len(basis) == 3 else np.linalg.pinv(basis), dtype=np.float64)


def _wrapped(
    positions: NDArray[np.float64], basis: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The atoms moved into the cell spanned by `basis`: (n_atoms, 3) Å and (n_atoms, n_periodic) fractions in it."""
    if len(basis) == 0:
        return positions - positions.mean(axis=0), np.zeros((len(positions), 0))
    frac = positions @ _dual(basis)
    cells = np.floor(frac)
    return positions - cells @ basis, frac - cells


def _images_within(
    centres: NDArray[np.float64], frac: NDArray[np.float64], basis: NDArray[np.float64], radius: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Every periodic image that can lie within `radius` of a centre; the first n_atoms rows are the atoms themselves.

    Returns:
        positions (n_images, 3) Å; owners (n_images,), the atom that each is an image of.
    """
    n_atoms = len(centres)
    if len(basis) == 0:
        return centres, np.arange(n_atoms)
    reach = radius * np.linalg.norm(_dual(basis), axis=0) + 1e-6  # radius over the heights of the cell
    low, high = frac.min(axis=0), frac.max(axis=0)
    shifts = _shifts(tuple(int(n) for n in high - low + reach))
    moved = frac + shifts[:, None, :]  # (n_shifts, n_atoms, n_periodic)
    inside = ((moved >= low - reach) & (moved <= high + reach)).all(axis=2)
    cells, owners = inside.nonzero()
    return centres[owners] + shifts[cells] @ basis, owners


@lru_cache(maxsize=1024)
def _shifts(largest: tuple[int, ...]) -> NDArray[np.float64]:
    """All integer vectors with |component a| <= largest[a], the zero vector first: (n_shifts, n_periodic)."""
    grid = np.array(list(product(*(range(-n, n + 1) for n in largest))), dtype=np.float64)
    order = np.argsort(np.abs(grid).sum(axis=1), kind="stable")
    shifts: NDArray[np.float64] = grid[order]
    shifts.setflags(write=False)
    return shifts


def _search(
    centres: NDArray[np.float64], images: NDArray[np.float64], start: int, stop: int, settings: GraphSettings
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """The rule applied to the atoms start..stop among the images given.

    Returns:
        atoms (n_edges,) and images (n_edges,) of each edge; radii (n_block,) Å.
    """
    block = centres[start:stop]
    squares = -2.0 * block @ images.T
    squares += np.einsum("ij,ij->i", images, images)
    squares += np.einsum("ij,ij->i", block, block)[:, None]
    own = np.arange(len(block))
    squares[own, start + own] = np.inf
    if squares.min() < MIN_DISTANCE**2:
        atom = start + int(squares.min(axis=1).argmin())
        raise InputError(f"another atom lies within {MIN_DISTANCE} Å of atom {atom}: the structure holds it twice")
    if images.shape[0] > settings.k:
        farthest = np.sqrt(np.partition(squares, settings.k - 1, axis=1)[:, settings.k - 1])
        radii = np.minimum(settings.cutoff, settings.stretch * farthest)
    else:
        radii = np.full(len(block), settings.cutoff)
    atoms, nearby = (squares < (radii * radii)[:, None]).nonzero()
    return atoms + start, nearby, radii
