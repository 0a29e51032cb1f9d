"""Several graphs laid end to end in flat arrays: the form in which they are built, stored and read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.graphs.builder import Graph

ROW_WIDTH = 4
"""Slots in one row of neighbours; 4 loses least to padding and to the sum over the rows of an atom."""

ATOM = np.dtype([("radius", "<f4"), ("weight", "<f4"), ("rows", "<u2"), ("number", "u1")], align=True)
"""One node: r_i in Å, weight, how many rows its neighbours take (at least one), atomic number."""

ROW = np.dtype([("neighbours", "<u2", (ROW_WIDTH,)), ("vectors", "<f4", (ROW_WIDTH, 3))], align=True)
"""One row: indices of neighbours within their own crystal, vectors to them in Å; padding as in `GraphBatch`."""

SHARE = np.dtype([("share", "<f4"), ("site", "<u2"), ("number", "u1")], align=True)
"""One share of a disordered site: occupancy, site within its own crystal, element."""

BOND = np.dtype([("slot", "<u4"), ("order", "<f4")], align=True)
"""One directed chemical bond: its slot, counted from the first slot of its own structure, and its order."""

STEP_FIELDS = 6
"""Numbers of one processing step (see `materials.conditions`)."""

MAX_ATOMS = 65535
"""Atoms of one crystal: an index within a crystal takes two bytes."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labels:
    """What is known of each structure beside its graph.

    Attributes:
        targets: (n_crystals, n_targets) float64, NaN where missing.
        censored: (n_crystals, n_targets) int8, -1 where the true value lies below the target, +1 above, 0 exact.
        conditions: (n_crystals, n_conditions) float64, numbers in their units and codes of categories, NaN missing.
        step_counts: (n_crystals,) int64, processing steps of each.
        steps: (n_steps, STEP_FIELDS) float32, the steps of one structure together, NaN where missing.
    """

    targets: NDArray[np.float64]
    censored: NDArray[np.int8]
    conditions: NDArray[np.float64]
    step_counts: NDArray[np.int64]
    steps: NDArray[np.float32]

    @classmethod
    def of_targets(cls, targets: NDArray[np.floating]) -> Self:
        """Targets (n_crystals, n_targets) that are all exact, without conditions."""
        return cls.of_conditions(np.zeros((len(targets), 0)), targets)

    @classmethod
    def of_conditions(
        cls,
        conditions: NDArray[np.floating],
        targets: NDArray[np.floating] | None = None,
        steps: Sequence[Sequence[Sequence[float]]] | None = None,
    ) -> Self:
        """Conditions (n_crystals, n_conditions) with the steps of each structure, and targets where there are any."""
        n = len(conditions)
        values = np.zeros((n, 0)) if targets is None else np.array(targets, dtype=np.float64)
        each = steps if steps is not None else [()] * n
        return cls(
            targets=values,
            censored=np.zeros(values.shape, np.int8),
            conditions=np.array(conditions, dtype=np.float64),
            step_counts=np.array([len(some) for some in each], dtype=np.int64),
            steps=np.array([step for some in each for step in some], dtype=np.float32).reshape(-1, STEP_FIELDS),
        )

    def at(self, indices: NDArray[np.integer]) -> Labels:
        """The labels at these places, in this order."""
        starts, counts = starts_of(self.step_counts)[indices], self.step_counts[indices]
        places = np.repeat(starts - starts_of(counts), counts) + np.arange(int(counts.sum()))
        return Labels(
            targets=self.targets[indices],
            censored=self.censored[indices],
            conditions=self.conditions[indices],
            step_counts=counts,
            steps=self.steps[places],
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RaggedGraphs:
    """Several graphs laid end to end.

    Attributes:
        atom_counts: (n_crystals,) int64, atoms of each crystal.
        row_totals: (n_crystals,) int64, rows of neighbours of each crystal.
        share_counts: (n_crystals,) int64, shares of disordered sites of each crystal.
        bond_counts: (n_crystals,) int64, directed bonds of each molecule.
        atoms: (n_atoms,) of `ATOM`.
        rows: (n_rows,) of `ROW`, the rows of one atom together, atoms in their order.
        shares: (n_shares,) of `SHARE`.
        bonds: (n_bonds,) of `BOND`.
        lattices: (n_crystals, 3, 3) float64, Å.
        labels: targets and conditions.
    """

    atom_counts: NDArray[np.int64]
    row_totals: NDArray[np.int64]
    share_counts: NDArray[np.int64]
    bond_counts: NDArray[np.int64]
    atoms: NDArray[Any]
    rows: NDArray[Any]
    shares: NDArray[Any]
    bonds: NDArray[Any]
    lattices: NDArray[np.float64]
    labels: Labels

    @property
    def numbers(self) -> NDArray[np.uint8]:
        """(n_atoms,) atomic number of each atom."""
        return self.atoms["number"]

    @property
    def share_numbers(self) -> NDArray[np.uint8]:
        """(n_shares,) atomic number of each share."""
        return self.shares["number"]


def lay_end_to_end(graphs: Sequence[Graph], labels: Labels | None = None) -> RaggedGraphs:
    """The flat arrays of some graphs in their order; `labels` None for no targets and no conditions.

    Raises:
        InputError: when there is no graph, or one has more than `MAX_ATOMS` atoms.
    """
    atom_counts = np.array([len(graph) for graph in graphs], dtype=np.int64)
    if len(graphs) == 0 or atom_counts.max() > MAX_ATOMS:
        raise InputError(f"a batch holds at least one graph of at most {MAX_ATOMS} atoms, found {atom_counts.tolist()}")
    edge_counts = np.concatenate([graph.counts for graph in graphs]).astype(np.int64)
    atoms = np.zeros(len(edge_counts), dtype=ATOM)
    atoms["radius"] = np.concatenate([graph.radii for graph in graphs])
    atoms["weight"] = np.concatenate([graph.weights for graph in graphs])
    atoms["rows"] = np.maximum(1, -(-edge_counts // ROW_WIDTH))
    atoms["number"] = np.concatenate([graph.numbers for graph in graphs])
    share_counts = np.array([len(graph.shares) for graph in graphs], dtype=np.int64)
    shares = np.zeros(int(share_counts.sum()), dtype=SHARE)
    shares["share"] = np.concatenate([graph.shares for graph in graphs])
    shares["site"] = np.concatenate([graph.share_sites for graph in graphs])
    shares["number"] = np.concatenate([graph.share_numbers for graph in graphs])
    bonds = np.concatenate([_bonds(graph) for graph in graphs])
    rows_before = np.concatenate([[0], np.cumsum(atoms["rows"], dtype=np.int64)])
    return RaggedGraphs(
        atom_counts=atom_counts,
        row_totals=np.diff(rows_before[np.concatenate([[0], np.cumsum(atom_counts)])]),
        share_counts=share_counts,
        bond_counts=np.array([len(graph.bond_edges) for graph in graphs], dtype=np.int64),
        atoms=atoms,
        rows=_rows(
            np.concatenate([graph.neighbours for graph in graphs]),
            np.concatenate([graph.vectors for graph in graphs]),
            atoms,
            atom_counts,
            edge_counts,
        ),
        shares=shares,
        bonds=bonds,
        lattices=np.stack([graph.lattice for graph in graphs]),
        labels=Labels.of_targets(np.zeros((len(graphs), 0))) if labels is None else labels,
    )


def lay_flat(
    *,
    numbers: NDArray[np.integer],
    radii: NDArray[np.floating],
    atom_counts: NDArray[np.int64],
    edge_counts: NDArray[np.int64],
    neighbours: NDArray[np.integer],
    vectors: NDArray[np.floating],
    lattices: NDArray[np.float64],
) -> RaggedGraphs:
    """The flat arrays of ordered crystals that already lie end to end, without labels.

    Args:
        numbers, radii: (n_atoms,) atomic numbers and r_i in Å.
        atom_counts: (n_crystals,).
        edge_counts: (n_atoms,).
        neighbours: (n_edges,) index within the crystal, the edges of one atom together, atoms in their order.
        vectors: (n_edges, 3) Å.
        lattices: (n_crystals, 3, 3) Å.

    Raises:
        InputError: there is no crystal, or one has more than `MAX_ATOMS` atoms.
    """
    if len(atom_counts) == 0 or atom_counts.max() > MAX_ATOMS:
        raise InputError(f"a batch holds at least one graph of at most {MAX_ATOMS} atoms, found {atom_counts.tolist()}")
    atoms = np.zeros(len(numbers), dtype=ATOM)
    atoms["radius"], atoms["weight"], atoms["number"] = radii, 1.0, numbers
    atoms["rows"] = np.maximum(1, -(-edge_counts // ROW_WIDTH))
    rows_before = np.concatenate([[0], np.cumsum(atoms["rows"], dtype=np.int64)])
    none = np.zeros(len(atom_counts), dtype=np.int64)
    return RaggedGraphs(
        atom_counts=atom_counts,
        row_totals=np.diff(rows_before[np.concatenate([[0], np.cumsum(atom_counts)])]),
        share_counts=none,
        bond_counts=none,
        atoms=atoms,
        rows=_rows(neighbours, vectors, atoms, atom_counts, edge_counts),
        shares=np.zeros(0, dtype=SHARE),
        bonds=np.zeros(0, dtype=BOND),
        lattices=lattices,
        labels=Labels.of_targets(np.zeros((len(atom_counts), 0))),
    )


def starts_of(counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Where each group begins when groups of these sizes lie end to end."""
    return np.cumsum(counts, dtype=np.int64) - counts


def _bonds(graph: Graph) -> NDArray[Any]:
    """The bonds of a structure, by slot: rows of an atom are padded, so that a slot is not an edge."""
    bonds = np.zeros(len(graph.bond_edges), dtype=BOND)
    if len(bonds):
        edge_counts = graph.counts.astype(np.int64)
        row_counts = np.maximum(1, -(-edge_counts // ROW_WIDTH))
        shift = np.repeat(starts_of(row_counts) * ROW_WIDTH - starts_of(edge_counts), edge_counts)
        bonds["slot"] = graph.bond_edges + shift[graph.bond_edges]
        bonds["order"] = graph.bond_orders
    return bonds


def _rows(
    others: NDArray[np.integer],
    to_others: NDArray[np.floating],
    atoms: NDArray[Any],
    atom_counts: NDArray[np.int64],
    edge_counts: NDArray[np.int64],
) -> NDArray[Any]:
    """Every neighbour in its slot; a padded slot points at its own atom, at twice its radius."""
    row_counts = atoms["rows"].astype(np.int64)
    local = np.arange(len(atoms)) - np.repeat(starts_of(atom_counts), atom_counts)
    first_slots = starts_of(row_counts) * ROW_WIDTH - starts_of(edge_counts)
    slots = np.repeat(first_slots, edge_counts) + np.arange(int(edge_counts.sum()))
    neighbours = np.repeat(local, row_counts * ROW_WIDTH)
    neighbours[slots] = others
    vectors = np.zeros((len(neighbours), 3), dtype=np.float32)
    vectors[:, 0] = np.repeat(2.0 * atoms["radius"], row_counts * ROW_WIDTH)
    vectors[slots] = to_others
    rows = np.empty(int(row_counts.sum()), dtype=ROW)
    rows["neighbours"] = neighbours.reshape(-1, ROW_WIDTH)
    rows["vectors"] = vectors.reshape(-1, ROW_WIDTH, 3)
    return rows
