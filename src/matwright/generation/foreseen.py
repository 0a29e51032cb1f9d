"""What a decoder would write at each step of known sequences: the densities that teacher forcing looks at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

from torch import Tensor

Density = tuple[Tensor, Tensor, Tensor]
"""Unnormalised log weights, means and widths of mixtures, as `densities` takes them."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinateStep:
    """Densities of one free coordinate of m orbits, given the true ones before it.

    Attributes:
        rows, orbits: (m,) int64, which sequence and which of its orbits.
        axis: which free coordinate.
        density: of the next value on [0, 1), (m, n_components) each.
    """

    rows: Tensor
    orbits: Tensor
    axis: int
    density: Density


@final
@dataclass(slots=True)
class Foreseen:
    """Filled by `likelihood.sequence_log_prob` while it looks at n sequences.

    Attributes:
        counts: (n, n_slots, max_atoms) masked logits of each element's count; padded slots are 0.
        shape: density of the standardised cell shape.
        coordinates: one entry for each free coordinate, up to three.
    """

    counts: Tensor | None = None
    shape: Density | None = None
    coordinates: list[CoordinateStep] = field(default_factory=list)
