"""The bonds of a graph: each pair of neighbours once, where the graph lists it from both ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matwright.graphs.batch import GraphBatch
    from matwright.graphs.builder import Graph

_GRID = 1e-3  # Å; two vectors within it are one bond seen from both ends
_OFFSET = 0.1234567  # of the grid: keeps the round numbers of symmetric crystals away from its borders


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bonds:
    """Pairs of neighbours; a bond of an atom with an image of itself has twice the same atom.

    Attributes:
        first, second: (n_bonds,) int64, atoms at the two ends, the first never above the second.
        vectors: (n_bonds, 3) float64, Å, from the first to the periodic image of the second; 0 without geometry.
        slots: (n_slots,) int64, bond of each slot of the batch of this one graph, -1 for padding.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    vectors: NDArray[np.float64]
    slots: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.first)

    @property
    def distances(self) -> NDArray[np.float64]:
        """(n_bonds,) Å."""
        return np.asarray(np.linalg.norm(self.vectors, axis=1))

    def gathered(self, slots: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n_bonds,) sums over the ends of each bond of (n_slots,) values."""
        real = self.slots >= 0
        return np.bincount(self.slots[real], weights=slots[real], minlength=len(self)).astype(np.float64)


def bonds_of(graph: Graph, batch: GraphBatch) -> Bonds:
    """Return the bonds of a graph, and where they stand in the batch that holds this graph alone."""
    atoms = np.repeat(np.arange(len(graph)), graph.counts)
    neighbours, vectors = graph.neighbours.astype(np.int64), graph.vectors.astype(np.float64)
    if (graph.weights != 1).any():  # the elements of a composition: their places in the graph mean nothing
        vectors = np.zeros_like(vectors)
    turned = (atoms > neighbours) | ((atoms == neighbours) & _points_back(vectors))
    first, second = np.where(turned, neighbours, atoms), np.where(turned, atoms, neighbours)
    vectors = np.where(turned[:, None], -vectors, vectors)
    places = np.floor(vectors / _GRID + _OFFSET).astype(np.int64)
    keys = np.column_stack([first, second, places])
    _, found, bond = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return Bonds(
        first=first[found],
        second=second[found],
        vectors=vectors[found],
        slots=_slots(graph, batch, bond.reshape(-1)),
    )


def _points_back(vectors: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) whether the first component that is not zero is negative."""
    signs = np.where(np.abs(vectors) > _GRID, np.sign(vectors), 0.0)
    x, y, z = signs.T
    leading = np.where(x != 0, x, np.where(y != 0, y, z))
    return np.asarray(leading < 0)


def _slots(graph: Graph, batch: GraphBatch, bond: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n_slots,) the bond of each slot: the edges of an atom fill its slots in their order, padding follows."""
    row_width = batch.neighbours.shape[1]
    atoms = np.repeat(batch.rows.numpy(), row_width)
    starts = np.searchsorted(atoms, np.arange(len(graph)))
    rank = np.arange(len(atoms)) - starts[atoms]
    slots = np.full(len(atoms), -1, dtype=np.int64)
    slots[rank < graph.counts[atoms]] = bond
    return slots
