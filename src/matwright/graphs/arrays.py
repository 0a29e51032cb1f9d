"""Graphs of crystals that stand in flat arrays, drawn by index like those of a store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from matwright.graphs.bulk import bulk_graphs
from matwright.graphs.ragged import Labels
from matwright.graphs.settings import GraphSettings

if TYPE_CHECKING:
    from matwright.graphs.batch import GraphBatch


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrystalGraphs:
    """A graph source over ordered crystals, periodic in three directions, whose graphs are built when asked for.

    Attributes:
        lattices: (n, 3, 3) Å, rows are the cell vectors.
        frac_coords: (n_atoms, 3).
        numbers: (n_atoms,) atomic numbers.
        offsets: (n + 1,) first atom of each crystal.
        settings: the neighbour rule.
        labels: conditions of each, None for none.
    """

    lattices: NDArray[np.float64]
    frac_coords: NDArray[np.float64]
    numbers: NDArray[np.int64]
    offsets: NDArray[np.int64]
    settings: GraphSettings
    labels: Labels | None = None

    def batch(self, indices: NDArray[np.int64]) -> GraphBatch:
        """The graphs of the crystals at `indices`.

        Raises:
            InputError: two atoms of one coincide.
        """
        from matwright.graphs.batch import assemble  # heavy (torch): behind its door

        sizes = np.diff(self.offsets)[indices]
        first = np.cumsum(sizes) - sizes
        atoms = np.repeat(self.offsets[indices] - first, sizes) + np.arange(int(sizes.sum()))
        graphs = bulk_graphs(self.lattices[indices], self.frac_coords[atoms], self.numbers[atoms], sizes, self.settings)
        return assemble(graphs if self.labels is None else replace(graphs, labels=self.labels.at(indices)))
