"""Batches for the matcher: graphs with the ideal and a measured powder pattern of each crystal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from matwright.errors import InputError
from matwright.graphs.batch import GraphBatch
from matwright.graphs.store import GraphStore
from matwright.physics.diffraction.disturbance import IDEAL, Disturbance, disturbed
from matwright.physics.diffraction.peaks import Peaks, PeakTable, side_by_side

MOST_PEAKS = 512
"""Peaks of a crystal that enter a simulated pattern, the strongest first."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MatchBatch:
    """n crystals and what diffraction shows of them.

    Attributes:
        graphs: of the crystals.
        peaks: of the crystals, on the CPU.
        ideal: (n, N_POINTS) simulated patterns on the common axis.
        measured: (n, N_POINTS) patterns as they might be measured; the ideal ones until `measured_with` changes them.
    """

    graphs: GraphBatch
    peaks: PeakTable
    ideal: Tensor
    measured: Tensor

    def __len__(self) -> int:
        return len(self.ideal)

    def to(self, device: torch.device | str) -> MatchBatch:
        """The same batch on another device."""
        return replace(
            self, graphs=self.graphs.to(device), ideal=self.ideal.to(device), measured=self.measured.to(device)
        )


@final
class MatchSource:
    """Crystals drawn by index with their patterns, for `fit`; patterns are made as they are drawn."""

    def __init__(self, graphs: GraphStore, peaks: Sequence[Peaks]) -> None:
        if len(graphs) != len(peaks):
            raise InputError(f"{len(graphs)} graphs need as many sets of peaks, found {len(peaks)}")
        self._graphs = graphs
        self._peaks = peaks

    def __len__(self) -> int:
        return len(self._peaks)

    def batch(self, indices: NDArray[np.int64]) -> MatchBatch:
        """Return the crystals at `indices` with their ideal patterns."""
        peaks = side_by_side([self._peaks[index] for index in indices.tolist()], MOST_PEAKS)
        ideal = _ideal(peaks)
        return MatchBatch(graphs=self._graphs.batch(indices), peaks=peaks, ideal=ideal, measured=ideal)


def ideal_patterns(peaks: Sequence[Peaks]) -> Tensor:
    """(n, N_POINTS) simulated patterns of n crystals, as a library keeps them."""
    return _ideal(side_by_side(peaks, MOST_PEAKS))


def _ideal(peaks: PeakTable) -> Tensor:
    return torch.from_numpy(disturbed(peaks, IDEAL, np.random.default_rng(0)))  # IDEAL draws nothing at random


def measured_with(how: Disturbance) -> Callable[[MatchBatch, torch.Generator], MatchBatch]:
    """Return an augmentation for `fit` that measures every crystal of a batch anew with these disturbances."""

    def measure(batch: MatchBatch, generator: torch.Generator) -> MatchBatch:
        seed = int(torch.randint(2**62, (1,), generator=generator))
        patterns = disturbed(batch.peaks, how, np.random.default_rng(seed))
        return replace(batch, measured=torch.from_numpy(patterns).to(batch.ideal.device))

    return measure
