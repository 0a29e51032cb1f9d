"""Symmetry-true sequences as padded tensors: what the encoder reads and the decoder writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import final

import torch
from torch import Tensor


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceBatch:
    """n sequences, padded to the same number of elements and orbits.

    Attributes:
        elements: (n, n_slots) int64, index of each element in the vocabulary, ascending; padded with its length.
        counts: (n, n_slots) int64, atoms of each element in the reduced formula; 0 where padded.
        units: (n,) int64, formula units in the primitive cell.
        group: (n,) int64, space group 1..230.
        slots: (n, n_orbits) int64, which element of `elements` sits on each orbit, ascending.
        letters: (n, n_orbits) int64, Wyckoff letter (0 is "a") of each orbit.
        coords: (n, n_orbits, 3) float32 in [0, 1), the free coordinates first, then zeros.
        length: (n,) int64, number of orbits.
        shape: (n, 6) float32, standardised cell shape (see `cell_shape`).
        graphs: (n, width) float32, a property model's embedding of each crystal's graph, for a recognition network that
            reads it (see `graph_reader`); NaN rows where unknown, None where none is known.
    """

    elements: Tensor
    counts: Tensor
    units: Tensor
    group: Tensor
    slots: Tensor
    letters: Tensor
    coords: Tensor
    length: Tensor
    shape: Tensor
    graphs: Tensor | None = None

    def __len__(self) -> int:
        return len(self.group)

    @property
    def n_elements(self) -> Tensor:
        """(n,) int64, number of different elements."""
        return (self.counts > 0).sum(1)

    @property
    def orbit_mask(self) -> Tensor:
        """(n, n_orbits) bool, True where an orbit is real."""
        return torch.arange(self.letters.shape[1]) < self.length[:, None]

    @property
    def orbit_elements(self) -> Tensor:
        """(n, n_orbits) int64, vocabulary index of the element on each orbit."""
        return self.elements.gather(1, self.slots)

    @property
    def n_atoms(self) -> Tensor:
        """(n,) int64, atoms in the primitive cell."""
        return self.counts.sum(1) * self.units

    def select(self, index: Tensor) -> SequenceBatch:
        """The rows of `index`, with the padding of the orbits cut to the longest of them."""
        length = self.length[index]
        longest = max(1, int(length.max())) if len(index) else 1
        picked = {name: column[index] for name, column in self._columns().items()}
        for name in ("slots", "letters", "coords"):
            picked[name] = picked[name][:, :longest]
        return SequenceBatch(**picked)

    def _columns(self) -> dict[str, Tensor]:
        """Every column that is there, by name."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: column for name, column in found.items() if column is not None}


def join_batches(batches: Iterable[SequenceBatch]) -> SequenceBatch:
    """All rows in order, padded to the longest; graphs are kept where every part has them."""
    parts = list(batches)
    longest = max(part.letters.shape[1] for part in parts)
    joined = {}
    for field in fields(SequenceBatch):
        columns = [getattr(part, field.name) for part in parts]
        if any(column is None for column in columns):
            continue
        if field.name in ("slots", "letters", "coords"):
            columns = [_pad_orbits(column, longest) for column in columns]
        joined[field.name] = torch.cat(columns)
    return SequenceBatch(**joined)


def _pad_orbits(column: Tensor, longest: int) -> Tensor:
    padded = column.new_zeros((column.shape[0], longest, *column.shape[2:]))
    padded[:, : column.shape[1]] = column
    return padded
