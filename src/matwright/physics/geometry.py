"""Geometry of a crystal as residuals: shortest distance, volume per atom, density."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from matwright.materials.crystal import Crystal

GRAM_PER_CM3 = 1.66053906660
"""g/cm³ in one u/Å³."""

_PAIRS_AT_ONCE = 1 << 20


def min_distance(crystal: Crystal) -> float:
    """Shortest distance between two atoms in Å, periodic images of one and the same atom included.

    No packing of equal spheres is denser than the face-centred one, so in a fully periodic crystal of n atoms the
    shortest distance is at most (√2 V / n)^(1/3); images beyond that bound need not be looked at. Infinity for a lone
    atom without periodicity.
    """
    periodic = np.array(crystal.pbc)
    bound = _upper_bound(crystal, periodic)
    shifts = _shifts(crystal.lattice, periodic, bound)
    difference = crystal.frac_coords[:, None, :] - crystal.frac_coords[None, :, :]
    rows, columns = np.triu_indices(len(crystal), k=1)
    pairs = difference[rows, columns]
    pairs = np.where(periodic, pairs - np.rint(pairs), pairs)
    shortest = _shortest_image(crystal.lattice, shifts)
    for start in range(0, len(pairs), max(1, _PAIRS_AT_ONCE // len(shifts))):
        block = pairs[start : start + max(1, _PAIRS_AT_ONCE // len(shifts))]
        vectors = (block[:, None, :] + shifts[None, :, :]) @ crystal.lattice
        shortest = min(shortest, float(np.einsum("ijk,ijk->ij", vectors, vectors).min()))
    return float(np.sqrt(shortest))


def volume_per_atom(crystal: Crystal) -> float:
    """Cell volume divided by the number of sites, Å³; for a layer it contains the vacuum."""
    return crystal.volume / len(crystal)


def density(crystal: Crystal) -> float:
    """Mass density in g/cm³; partial occupancies count with their share."""
    from matwright.elements import ATOMIC_MASS

    if crystal.occupancies is None:
        mass = float(ATOMIC_MASS[crystal.numbers].sum())
    else:
        mass = float(sum(share * ATOMIC_MASS[number] for site in crystal.occupancies for number, share in site))
    return mass / crystal.volume * GRAM_PER_CM3


def _upper_bound(crystal: Crystal, periodic: NDArray[np.bool_]) -> float:
    """Å; no shortest distance is longer, up to rounding."""
    if periodic.all():
        return float(np.cbrt(np.sqrt(2.0) * crystal.volume / len(crystal))) * (1 + 1e-9)
    lengths = np.linalg.norm(crystal.lattice, axis=1)[periodic]
    return float(lengths.min()) if len(lengths) else 0.0


def _shifts(lattice: NDArray[np.float64], periodic: NDArray[np.bool_], reach: float) -> NDArray[np.float64]:
    """(n_images, 3) lattice translations that can bring a wrapped difference within `reach` Å of the origin."""
    planes = np.linalg.norm(np.linalg.inv(lattice), axis=0)  # 1 / distance of the lattice planes
    reaches = np.where(periodic, np.floor(reach * planes + 0.5), 0).astype(int)
    grids = np.meshgrid(*(np.arange(-n, n + 1) for n in reaches), indexing="ij")
    return np.stack(grids, axis=-1).reshape(-1, 3).astype(np.float64)


def _shortest_image(lattice: NDArray[np.float64], shifts: NDArray[np.float64]) -> float:
    """Squared length of the shortest non-zero translation in Å²; infinity where there is none."""
    real = shifts[(shifts != 0).any(axis=1)]
    return float(((real @ lattice) ** 2).sum(axis=1).min()) if len(real) else np.inf
