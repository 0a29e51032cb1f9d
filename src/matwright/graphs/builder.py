"""From a crystal to its graph G = (V, E, X, A) (E5, E9): the only place that applies the cutoff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.graphs.neighbours import find_neighbours
from matwright.graphs.settings import GraphSettings
from matwright.materials.crystal import Crystal, SiteOccupancy


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graph:
    """One crystal as a graph; the edges of one atom lie together, atoms in the order of the crystal.

    Attributes:
        numbers: (n_atoms,) uint8, atomic number (of the majority element where a site is disordered).
        counts: (n_atoms,) int32, number of neighbours of each atom.
        neighbours: (n_edges,) int32, index of the neighbour atom within this crystal.
        vectors: (n_edges, 3) float32, Å, from the atom to the periodic image of its neighbour.
        radii: (n_atoms,) float32, Å, the radius r_i at which the weight of a neighbour has gone to zero.
        lattice: (3, 3) float64, Å, rows are the cell vectors.
        share_sites: (n_shares,) int32, site of each share; disordered sites alone are listed, none when ordered.
        share_numbers: (n_shares,) uint8, element of each share.
        shares: (n_shares,) float32, occupancy in (0, 1]; what is missing to 1 at a site is vacant.
    """

    numbers: NDArray[np.uint8]
    counts: NDArray[np.int32]
    neighbours: NDArray[np.int32]
    vectors: NDArray[np.float32]
    radii: NDArray[np.float32]
    lattice: NDArray[np.float64]
    share_sites: NDArray[np.int32]
    share_numbers: NDArray[np.uint8]
    shares: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.numbers)


DEFAULT_SETTINGS = GraphSettings()
_NO_SHARES = (np.zeros(0, np.int32), np.zeros(0, np.uint8), np.zeros(0, np.float32))


def build_graph(crystal: Crystal, settings: GraphSettings = DEFAULT_SETTINGS) -> Graph:
    """The graph of a crystal.

    Raises:
        InputError: when two atoms of the crystal coincide.
    """
    found = find_neighbours(crystal.lattice, crystal.frac_coords, crystal.pbc, settings)
    sites, elements, shares = _NO_SHARES if crystal.occupancies is None else _shares(crystal.occupancies)
    return Graph(
        numbers=crystal.numbers.astype(np.uint8),
        counts=found.counts.astype(np.int32),
        neighbours=found.neighbours.astype(np.int32),
        vectors=found.vectors.astype(np.float32),
        radii=found.radii.astype(np.float32),
        lattice=crystal.lattice,
        share_sites=sites,
        share_numbers=elements,
        shares=shares,
    )


def _shares(
    occupancies: tuple[SiteOccupancy, ...],
) -> tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.float32]]:
    """(site, atomic number, share) of every site that is not one element at occupancy 1."""
    rows = [
        (site, number, share)
        for site, occupancy in enumerate(occupancies)
        if len(occupancy) > 1 or occupancy[0][1] < 1.0
        for number, share in occupancy
    ]
    if not rows:
        return _NO_SHARES
    sites, numbers, shares = zip(*rows, strict=True)
    return np.array(sites, np.int32), np.array(numbers, np.uint8), np.array(shares, np.float32)
