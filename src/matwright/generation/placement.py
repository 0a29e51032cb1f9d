"""The state of filling Wyckoff positions: which element is being placed, how much of it is left, what is taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from matwright.generation.catalogue import WyckoffCatalogue


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """n half-filled cells.

    Attributes:
        group: (n,) int64, space group.
        totals: (n, n_slots + 1) int64, atoms of each element in the cell; the last column is 0.
        slot: (n,) int64, which element is placed now; the number of elements when all are.
        remaining: (n,) int64, atoms of that element still without a position.
        first: (n,) int64, first letter allowed next (orbits of one element come in alphabetical order).
        used: (n, n_letters) bool, positions without free coordinates that are taken.
    """

    group: Tensor
    totals: Tensor
    slot: Tensor
    remaining: Tensor
    first: Tensor
    used: Tensor

    @classmethod
    def start(cls, group: Tensor, totals: Tensor, n_letters: int) -> Placement:
        """Empty cells; totals (n, n_slots) int64 atoms of each element in the primitive cell."""
        padded = torch.cat([totals, totals.new_zeros(len(totals), 1)], dim=1)
        return cls(
            group=group,
            totals=padded,
            slot=torch.zeros_like(group),
            remaining=padded[:, 0],
            first=torch.zeros_like(group),
            used=torch.zeros(len(group), n_letters, dtype=torch.bool),
        )

    @property
    def finished(self) -> Tensor:
        """(n,) bool, all atoms are placed."""
        return self.remaining == 0

    def place(self, letter: Tensor, catalogue: WyckoffCatalogue) -> Placement:
        """The state after one more orbit on `letter` (n,); finished cells stay as they are."""
        rows = torch.arange(len(letter))
        active = ~self.finished
        remaining = torch.where(
            active, (self.remaining - catalogue.multiplicity[self.group, letter]).clamp_min(0), self.remaining
        )
        used = self.used.clone()
        used[rows, letter] |= active & (catalogue.freedom[self.group, letter] == 0)
        advance = active & (remaining == 0)
        slot = self.slot + advance
        return Placement(
            group=self.group,
            totals=self.totals,
            slot=slot,
            remaining=torch.where(advance, self.totals[rows, slot.clamp(max=self.totals.shape[1] - 1)], remaining),
            first=torch.where(advance, torch.zeros_like(letter), torch.where(active, letter, self.first)),
            used=used,
        )

    def select(self, index: Tensor) -> Placement:
        """The rows of `index`."""
        return Placement(
            group=self.group[index],
            totals=self.totals[index],
            slot=self.slot[index],
            remaining=self.remaining[index],
            first=self.first[index],
            used=self.used[index],
        )
