"""What everything that draws graphs by index offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matwright.graphs.batch import GraphBatch


class GraphSource(Protocol):
    """Graphs that can be drawn by index (a graph store)."""

    def batch(self, indices: NDArray[np.int64]) -> GraphBatch:
        """Return the graphs at `indices` as one batch."""
        ...
