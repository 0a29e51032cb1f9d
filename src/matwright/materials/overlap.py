"""Find atoms that sit on top of each other, periodic self-images included."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from matwright.materials.crystal import Crystal

MIN_DISTANCE = 0.5
"""Å; atoms nearer than this do not exist (the validity limit used throughout the field)."""

_CHUNK = 256


def closest_pair(crystal: Crystal, cutoff: float = MIN_DISTANCE) -> tuple[int, int, float] | None:
    """The nearest two atoms below `cutoff` Å as (site, site, distance in Å), or None.

    The two sites are the same when an atom meets its own periodic image. Sites of a disordered crystal that are
    both only partly occupied (split sites) do not count.
    """
    images = _images(crystal, cutoff)
    occupied = np.ones(len(crystal))
    if crystal.occupancies is not None:
        occupied = np.array([sum(share for _, share in site) for site in crystal.occupancies])
    full = occupied > 1.0 - 1e-6
    best: tuple[int, int, float] | None = None
    for start in range(0, len(crystal), _CHUNK):
        block = slice(start, start + _CHUNK)
        distances = _distances(crystal, block, images)
        distances[~(full[block, None] | full[None, :])] = np.inf
        row, column = np.unravel_index(np.argmin(distances), distances.shape)
        nearest = float(distances[row, column])
        if nearest < (cutoff if best is None else best[2]):
            best = (start + int(row), int(column), nearest)
    return best


def _images(crystal: Crystal, cutoff: float) -> NDArray[np.float64]:
    """(n_images, 3) lattice shifts that can bring two wrapped atoms within the cutoff; the zero shift comes first."""
    heights = 1.0 / np.linalg.norm(np.linalg.inv(crystal.lattice), axis=0)
    reach = [
        int(np.floor(cutoff / h + 0.5)) if periodic else 0 for h, periodic in zip(heights, crystal.pbc, strict=True)
    ]
    shifts = itertools.product(*(range(-n, n + 1) for n in reach))
    return np.array(sorted(shifts, key=any), dtype=np.float64)


def _distances(crystal: Crystal, block: slice, images: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_block, n_sites) distance in Å to the nearest image of each site; an atom is never its own neighbour."""
    delta = crystal.frac_coords[None, :, :] - crystal.frac_coords[block, None, :]
    delta -= np.where(np.array(crystal.pbc), np.round(delta), 0.0)
    nearest = np.full(delta.shape[:2], np.inf)
    for shift in images:
        squared = (((delta + shift) @ crystal.lattice) ** 2).sum(axis=-1)
        if not shift.any():
            rows = np.arange(len(squared))
            squared[rows, rows + (block.start or 0)] = np.inf
        np.minimum(nearest, squared, out=nearest)
    return np.asarray(np.sqrt(nearest), dtype=np.float64)
