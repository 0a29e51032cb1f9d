"""Several graphs laid end to end in flat arrays: the form in which they are built, stored and read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.graphs.builder import Graph

ROW_WIDTH = 4
"""Slots in one row of neighbours; 4 loses least to padding and to the sum over the rows of an atom."""

ATOM = np.dtype([("radius", "<f4"), ("rows", "<u2"), ("number", "u1")], align=True)
"""One atom: r_i in Å, how many rows its neighbours take (at least one), atomic number."""

ROW = np.dtype([("neighbours", "<u2", (ROW_WIDTH,)), ("vectors", "<f4", (ROW_WIDTH, 3))], align=True)
"""One row: indices of neighbours within their own crystal, vectors to them in Å; padding as in `GraphBatch`."""

SHARE = np.dtype([("share", "<f4"), ("site", "<u2"), ("number", "u1")], align=True)
"""One share of a disordered site: occupancy, site within its own crystal, element."""

MAX_ATOMS = 65535
"""Atoms of one crystal: an index within a crystal takes two bytes."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RaggedGraphs:
    """Several graphs laid end to end.

    Attributes:
        atom_counts: (n_crystals,) int64, atoms of each crystal.
        row_totals: (n_crystals,) int64, rows of neighbours of each crystal.
        share_counts: (n_crystals,) int64, shares of disordered sites of each crystal.
        atoms: (n_atoms,) of `ATOM`.
        rows: (n_rows,) of `ROW`, the rows of one atom together, atoms in their order.
        shares: (n_shares,) of `SHARE`.
        lattices: (n_crystals, 3, 3) float64, Å.
        targets: (n_crystals, n_targets) float64, NaN where missing.
    """

    atom_counts: NDArray[np.int64]
    row_totals: NDArray[np.int64]
    share_counts: NDArray[np.int64]
    atoms: NDArray[Any]
    rows: NDArray[Any]
    shares: NDArray[Any]
    lattices: NDArray[np.float64]
    targets: NDArray[np.float64]

    @property
    def numbers(self) -> NDArray[np.uint8]:
        """(n_atoms,) atomic number of each atom."""
        return self.atoms["number"]

    @property
    def share_numbers(self) -> NDArray[np.uint8]:
        """(n_shares,) atomic number of each share."""
        return self.shares["number"]


def lay_end_to_end(graphs: Sequence[Graph], targets: NDArray[np.floating] | None = None) -> RaggedGraphs:
    """The flat arrays of some graphs in their order; `targets` (n_crystals, n_targets), None for no targets.

    Raises:
        InputError: when there is no graph, or one has more than `MAX_ATOMS` atoms.
    """
    atom_counts = np.array([len(graph) for graph in graphs], dtype=np.int64)
    if len(graphs) == 0 or atom_counts.max() > MAX_ATOMS:
        raise InputError(f"a batch holds at least one graph of at most {MAX_ATOMS} atoms, found {atom_counts.tolist()}")
    edge_counts = np.concatenate([graph.counts for graph in graphs]).astype(np.int64)
    atoms = np.zeros(len(edge_counts), dtype=ATOM)
    atoms["radius"] = np.concatenate([graph.radii for graph in graphs])
    atoms["rows"] = np.maximum(1, -(-edge_counts // ROW_WIDTH))
    atoms["number"] = np.concatenate([graph.numbers for graph in graphs])
    share_counts = np.array([len(graph.shares) for graph in graphs], dtype=np.int64)
    shares = np.zeros(int(share_counts.sum()), dtype=SHARE)
    shares["share"] = np.concatenate([graph.shares for graph in graphs])
    shares["site"] = np.concatenate([graph.share_sites for graph in graphs])
    shares["number"] = np.concatenate([graph.share_numbers for graph in graphs])
    rows_before = np.concatenate([[0], np.cumsum(atoms["rows"], dtype=np.int64)])
    return RaggedGraphs(
        atom_counts=atom_counts,
        row_totals=np.diff(rows_before[np.concatenate([[0], np.cumsum(atom_counts)])]),
        share_counts=share_counts,
        atoms=atoms,
        rows=_rows(graphs, atoms, atom_counts, edge_counts),
        shares=shares,
        lattices=np.stack([graph.lattice for graph in graphs]),
        targets=np.zeros((len(graphs), 0)) if targets is None else np.array(targets, dtype=np.float64),
    )


def starts_of(counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Where each group begins when groups of these sizes lie end to end."""
    return np.cumsum(counts, dtype=np.int64) - counts


def _rows(
    graphs: Sequence[Graph], atoms: NDArray[Any], atom_counts: NDArray[np.int64], edge_counts: NDArray[np.int64]
) -> NDArray[Any]:
    """Every neighbour in its slot; a padded slot points at its own atom, at twice its radius."""
    row_counts = atoms["rows"].astype(np.int64)
    local = np.arange(len(atoms)) - np.repeat(starts_of(atom_counts), atom_counts)
    first_slots = starts_of(row_counts) * ROW_WIDTH - starts_of(edge_counts)
    slots = np.repeat(first_slots, edge_counts) + np.arange(int(edge_counts.sum()))
    neighbours = np.repeat(local, row_counts * ROW_WIDTH)
    neighbours[slots] = np.concatenate([graph.neighbours for graph in graphs])
    vectors = np.zeros((len(neighbours), 3), dtype=np.float32)
    vectors[:, 0] = np.repeat(2.0 * atoms["radius"], row_counts * ROW_WIDTH)
    vectors[slots] = np.concatenate([graph.vectors for graph in graphs])
    rows = np.empty(int(row_counts.sum()), dtype=ROW)
    rows["neighbours"] = neighbours.reshape(-1, ROW_WIDTH)
    rows["vectors"] = vectors.reshape(-1, ROW_WIDTH, 3)
    return rows
