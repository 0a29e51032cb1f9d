"""From a structure of any kind to its graph G = (V, E, X, A) (E2, E5, E9): the only place that applies the cutoff."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.graphs.neighbours import find_neighbours
from matwright.graphs.settings import GraphSettings
from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal, SiteOccupancy
from matwright.materials.material import Structure
from matwright.materials.microstructure import Microstructure
from matwright.materials.molecule import Molecule

NOMINAL_DISTANCE = 1.0
"""Å; where every other element of a composition is put, so that all pairs look alike: a formula has no geometry."""
_NOMINAL_CELL = np.eye(3)
"""Å; the lattice of a composition; no atom fits into such a cell, so that it marks one."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graph:
    """One structure as a graph; the edges of one node lie together, nodes in the order of the structure.

    A node is an atom of a crystal or molecule, an element of a composition, or a pixel of a microstructure, which holds
    the elements of its phase as a disordered site does.

    Attributes:
        numbers: (n_atoms,) uint8, atomic number (of the majority element where a site is disordered).
        weights: (n_atoms,) float32, 1 for an atom, the atomic fraction for an element of a composition.
        counts: (n_atoms,) int32, number of neighbours of each atom.
        neighbours: (n_edges,) int32, index of the neighbour atom within this crystal.
        vectors: (n_edges, 3) float32, Å, from the atom to the periodic image of its neighbour.
        radii: (n_atoms,) float32, Å, the radius r_i at which the weight of a neighbour has gone to zero.
        lattice: (3, 3) float64, Å, rows are the cell vectors.
        share_sites: (n_shares,) int32, site of each share; disordered sites alone are listed, none when ordered.
        share_numbers: (n_shares,) uint8, element of each share.
        shares: (n_shares,) float32, occupancy in (0, 1]; what is missing to 1 at a site is vacant.
        bond_edges: (n_bonds,) int64, edges that are chemical bonds of stated order, both directions of each.
        bond_orders: (n_bonds,) float32, 1, 1.5, 2, 3 …
    """

    numbers: NDArray[np.uint8]
    weights: NDArray[np.float32]
    counts: NDArray[np.int32]
    neighbours: NDArray[np.int32]
    vectors: NDArray[np.float32]
    radii: NDArray[np.float32]
    lattice: NDArray[np.float64]
    share_sites: NDArray[np.int32]
    share_numbers: NDArray[np.uint8]
    shares: NDArray[np.float32]
    bond_edges: NDArray[np.int64]
    bond_orders: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.numbers)


DEFAULT_SETTINGS = GraphSettings()
_NO_SHARES = (np.zeros(0, np.int32), np.zeros(0, np.uint8), np.zeros(0, np.float32))
_NO_BONDS = (np.zeros(0, np.int64), np.zeros(0, np.float32))


def build_graph(structure: Structure, settings: GraphSettings = DEFAULT_SETTINGS) -> Graph:
    """The graph of a crystal, a layer, a molecule, a composition or a microstructure.

    Raises:
        InputError: when two atoms coincide.
    """
    if isinstance(structure, Composition):
        return _of_composition(structure, settings)
    if isinstance(structure, Microstructure):
        return _of_crystal(structure.as_layer(), settings)
    if isinstance(structure, Molecule):
        return _of_molecule(structure, settings)
    return _of_crystal(structure, settings)


def are_compositions(lattices: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) which of n graphs, by their lattices (n, 3, 3), are of bare compositions."""
    return np.asarray((lattices == _NOMINAL_CELL).all(axis=(1, 2)))


def _of_crystal(crystal: Crystal, settings: GraphSettings) -> Graph:
    found = find_neighbours(crystal.lattice, crystal.frac_coords, crystal.pbc, settings)
    sites, elements, shares = _NO_SHARES if crystal.occupancies is None else _shares(crystal.occupancies)
    return Graph(
        numbers=crystal.numbers.astype(np.uint8),
        weights=np.ones(len(crystal), np.float32),
        counts=found.counts.astype(np.int32),
        neighbours=found.neighbours.astype(np.int32),
        vectors=found.vectors.astype(np.float32),
        radii=found.radii.astype(np.float32),
        lattice=crystal.lattice,
        share_sites=sites,
        share_numbers=elements,
        shares=shares,
        bond_edges=_NO_BONDS[0],
        bond_orders=_NO_BONDS[1],
    )


def _of_molecule(molecule: Molecule, settings: GraphSettings) -> Graph:
    """A crystal that repeats in no direction, its bonds marked on the edges; the cell is a box without meaning."""
    extent = float(np.ptp(molecule.coords, axis=0).max()) + 2 * settings.cutoff
    box = np.eye(3) * extent
    frac = (molecule.coords - molecule.coords.mean(axis=0)) / extent
    crystal = Crystal(lattice=box, frac_coords=frac, numbers=molecule.numbers, pbc=(False, False, False))
    graph = _of_crystal(crystal, settings)
    if not molecule.bonds:
        return graph
    edges, orders = _bonded_edges(molecule, graph)
    return replace(graph, bond_edges=edges, bond_orders=orders)


def _bonded_edges(molecule: Molecule, graph: Graph) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(edge, order) of both directions of every bond that is shorter than the cutoff."""
    order_of = {pair: order for a, b, order in molecule.bonds or () for pair in ((a, b), (b, a))}
    starts = np.repeat(np.arange(len(graph)), graph.counts).tolist()
    pairs = zip(starts, graph.neighbours.tolist(), strict=True)
    orders = np.array([order_of.get(pair, 0.0) for pair in pairs], dtype=np.float32)
    bonded = np.flatnonzero(orders)
    return bonded, orders[bonded]


def _of_composition(composition: Composition, settings: GraphSettings) -> Graph:
    """One node an element, weighted by its fraction; every element neighbours every other."""
    n = len(composition.fractions)
    others = np.array([j for i in range(n) for j in range(n) if i != j], np.int32)
    return Graph(
        numbers=np.array([number for number, _ in composition.fractions], np.uint8),
        weights=np.array([fraction for _, fraction in composition.fractions], np.float32),
        counts=np.full(n, n - 1, np.int32),
        neighbours=others,
        vectors=np.tile(np.array([NOMINAL_DISTANCE, 0.0, 0.0], np.float32), (len(others), 1)),
        radii=np.full(n, settings.cutoff, np.float32),
        lattice=_NOMINAL_CELL.copy(),
        share_sites=_NO_SHARES[0],
        share_numbers=_NO_SHARES[1],
        shares=_NO_SHARES[2],
        bond_edges=_NO_BONDS[0],
        bond_orders=_NO_BONDS[1],
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
