"""The graphs of many small crystals in one pass: the neighbour rule of `neighbours` without Python per crystal.

Bases are reduced, images listed and distances taken for all crystals together, as flat arrays; where the guessed
radius of a crystal was too small, it alone is searched once more within the bound that the first search gave.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.graphs.neighbours import MIN_DISTANCE
from matwright.graphs.ragged import RaggedGraphs, lay_flat, starts_of
from matwright.graphs.settings import GraphSettings

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
_GUESS_MARGIN = 1.15
_MAX_REDUCTION_STEPS = 100


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cells:
    """Crystals in reduced cells: bases (n, 3, 3) Å, positions (n_atoms, 3) Å and fractions, atoms of each (n,)."""

    bases: Floats
    positions: Floats
    fractions: Floats
    sizes: Integers

    def select(self, chosen: Integers) -> tuple[_Cells, Integers]:
        """The cells at these places, and the places of their atoms."""
        atoms = _spans(starts_of(self.sizes)[chosen], self.sizes[chosen])
        cells = _Cells(
            bases=self.bases[chosen],
            positions=self.positions[atoms],
            fractions=self.fractions[atoms],
            sizes=self.sizes[chosen],
        )
        return cells, atoms


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Edges:
    """Edges with the atom they start from (n_edges,), the neighbour, the vector (n_edges, 3) Å; radii (n_atoms,) Å."""

    atoms: Integers
    neighbours: Integers
    vectors: Floats
    radii: Floats


def bulk_graphs(
    lattices: Floats, frac_coords: Floats, numbers: NDArray[np.integer], sizes: Integers, settings: GraphSettings
) -> RaggedGraphs:
    """The graphs of n ordered crystals, periodic in three directions, equal to `build_graph` of each up to edge order.

    Args:
        lattices: (n, 3, 3) Å, rows are the cell vectors.
        frac_coords: (n_atoms, 3).
        numbers: (n_atoms,) atomic numbers.
        sizes: (n,) atoms of each crystal.
        settings: the neighbour rule.

    Raises:
        InputError: two atoms of one crystal coincide.
    """
    cells = _reduced_cells(lattices, frac_coords, sizes)
    volume = np.abs(np.linalg.det(lattices)) / sizes
    guess = _GUESS_MARGIN * settings.stretch * np.cbrt(3.0 * (settings.k + 1) * volume / (4.0 * np.pi))
    radius = np.minimum(settings.cutoff, guess)
    edges = _search(cells, radius, settings)
    needed = np.maximum.reduceat(edges.radii, starts_of(sizes))
    again = np.flatnonzero(needed > radius)
    if len(again):
        edges = _mended(edges, cells, again, needed[again], settings)
    return lay_flat(
        numbers=numbers,
        radii=edges.radii,
        atom_counts=sizes,
        edge_counts=np.bincount(edges.atoms, minlength=len(numbers)),
        neighbours=edges.neighbours - np.repeat(starts_of(sizes), sizes)[edges.atoms],
        vectors=edges.vectors,
        lattices=lattices,
    )


def _mended(edges: _Edges, cells: _Cells, again: Integers, radius: Floats, settings: GraphSettings) -> _Edges:
    """The edges with those of the crystals `again` found once more, within a radius that is surely large enough."""
    chosen, atoms = cells.select(again)
    more = _search(chosen, radius, settings)
    keep = np.ones(len(cells.positions), dtype=bool)
    keep[atoms] = False
    kept = keep[edges.atoms]
    start = np.concatenate([edges.atoms[kept], atoms[more.atoms]])
    order = np.argsort(start, kind="stable")
    radii = edges.radii.copy()
    radii[atoms] = more.radii
    return _Edges(
        atoms=start[order],
        neighbours=np.concatenate([edges.neighbours[kept], atoms[more.neighbours]])[order],
        vectors=np.concatenate([edges.vectors[kept], more.vectors])[order],
        radii=radii,
    )


def _reduced_cells(lattices: Floats, frac_coords: Floats, sizes: Integers) -> _Cells:
    """Every crystal in the cell of short vectors of its lattice, atoms moved into it."""
    bases, rows = lattices.copy(), np.arange(len(lattices))
    for _ in range(_MAX_REDUCTION_STEPS):
        some = bases[rows]
        gram = some @ some.transpose(0, 2, 1)
        lengths = np.einsum("nii->ni", gram)
        steps = np.rint((1.0 - 1e-9) * gram / lengths[:, None, :])
        np.einsum("nii->ni", steps)[:] = 0.0
        moving = (steps != 0.0).any((1, 2))
        if not moving.any():
            break
        rows, steps, lengths = rows[moving], steps[moving], lengths[moving]
        place = ((steps != 0.0) * lengths[:, :, None]).reshape(-1, 9).argmax(1)
        longest, by = place // 3, place % 3
        bases[rows, longest] -= steps[np.arange(len(rows)), longest, by][:, None] * bases[rows, by]
    owner = np.repeat(np.arange(len(sizes)), sizes)
    positions = np.einsum("ai,aij->aj", frac_coords, lattices[owner])
    fractions = np.einsum("ai,aij->aj", positions, np.linalg.inv(bases)[owner])
    cells = np.floor(fractions)
    return _Cells(
        bases=bases,
        positions=positions - np.einsum("ai,aij->aj", cells, bases[owner]),
        fractions=fractions - cells,
        sizes=sizes,
    )


def _search(cells: _Cells, radius: Floats, settings: GraphSettings) -> _Edges:
    """The neighbour rule among the images within `radius` (n,) of each crystal's atoms."""
    images, owners, counts = _images_within(cells, radius)
    n_atoms, of_atom = len(cells.positions), np.repeat(counts, cells.sizes)
    # every atom with every image of its crystal
    atom = np.repeat(np.arange(n_atoms), of_atom)
    image = _spans(np.repeat(starts_of(counts), cells.sizes), of_atom)
    vectors = images[image] - cells.positions[atom]
    squares = np.einsum("pi,pi->p", vectors, vectors)
    column = np.arange(len(atom)) - np.repeat(starts_of(of_atom), of_atom)
    own = column == (np.arange(n_atoms) - np.repeat(starts_of(cells.sizes), cells.sizes))[atom]
    squares[own] = np.inf  # the first images of a crystal are its atoms
    if squares.min() < MIN_DISTANCE**2:
        raise InputError(f"two atoms of a crystal lie within {MIN_DISTANCE} Å of each other: it holds one twice")
    table = np.full((n_atoms, max(int(of_atom.max()), settings.k)), np.inf)
    table[atom, column] = squares
    farthest = np.sqrt(np.partition(table, settings.k - 1, axis=1)[:, settings.k - 1])
    radii = np.minimum(settings.cutoff, settings.stretch * farthest)
    near = np.flatnonzero(squares < (radii * radii)[atom])
    return _Edges(atoms=atom[near], neighbours=owners[image[near]], vectors=vectors[near], radii=radii)


def _images_within(cells: _Cells, radius: Floats) -> tuple[Floats, Integers, Integers]:
    """Every periodic image that can lie within `radius` of an atom, those of one crystal together, its atoms first.

    Returns:
        positions (n_images, 3) Å, the atom (n_images,) that each is an image of, images of each crystal (n,).
    """
    firsts, sizes = starts_of(cells.sizes), cells.sizes
    reach = radius[:, None] * np.linalg.norm(np.linalg.inv(cells.bases), axis=1) + 1e-6
    low = np.minimum.reduceat(cells.fractions, firsts) - reach
    high = np.maximum.reduceat(cells.fractions, firsts) + reach
    largest = (high - low - reach).astype(np.int64)  # (n, 3) cells each way
    widths = 2 * largest + 1
    n_shifts = widths.prod(1)
    crystal = np.repeat(np.arange(len(sizes)), n_shifts)
    place = np.arange(len(crystal)) - np.repeat(starts_of(n_shifts), n_shifts)
    # the zero shift is in the middle: it is brought to the front, so that a crystal's atoms come first
    middle = (n_shifts // 2)[crystal]
    place = np.where(place == 0, middle, np.where(place == middle, 0, place))
    width = widths[crystal]
    parts = [place // (width[:, 1] * width[:, 2]), place // width[:, 2] % width[:, 1], place % width[:, 2]]
    shifts = np.stack(parts, axis=1) - largest[crystal]
    # every shift with every atom of its crystal
    atom = _spans(firsts[crystal], sizes[crystal])
    shift = np.repeat(np.arange(len(crystal)), sizes[crystal])
    owner = crystal[shift]
    moved = cells.fractions[atom] + shifts[shift]
    inside = ((moved >= low[owner]) & (moved <= high[owner])).all(1)
    atom, shift, owner = atom[inside], shift[inside], owner[inside]
    positions = cells.positions[atom] + np.einsum("pi,pij->pj", shifts[shift].astype(np.float64), cells.bases[owner])
    return positions, atom, np.bincount(owner, minlength=len(sizes))


def _spans(starts: Integers, counts: Integers) -> Integers:
    """starts[0], starts[0] + 1, … counts[0] of them, then those of the next, in one array."""
    return np.repeat(starts - starts_of(counts), counts) + np.arange(int(counts.sum()))
