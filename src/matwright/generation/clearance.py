"""Keeps atoms apart while coordinates are drawn: the cell and all positions are known, so collisions can be seen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import final

import torch
from torch import Tensor

from matwright.elements import COVALENT_RADIUS
from matwright.generation.catalogue import WyckoffCatalogue
from matwright.generation.wyckoff.tables import N_SPACE_GROUPS, space_group

_IMAGES = torch.cartesian_prod(*(torch.arange(-1.0, 2.0),) * 3)
"""(27, 3) neighbouring cells; a pre-check, the exact one is `contacts`."""
UNKNOWN_RADIUS = 1.5
"""Å, for elements without a tabulated covalent radius."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceRule:
    """How far coordinates keep away from atoms that are already there.

    Attributes:
        min_ratio: distance over the sum of the covalent radii below which coordinates are drawn again.
        tries: further draws of such an orbit; when all are too close the one with the most room is kept.
    """

    min_ratio: float = 0.75
    tries: int = 8


@lru_cache(maxsize=4)
def primitive_maps(max_atoms: int) -> Tensor:
    """(n_positions, max_atoms, 3, 4) affine maps of every position's points in the primitive cell, by running number.

    Positions with more points than `max_atoms` have zeros: they never occur.
    """
    positions = [p for number in range(1, N_SPACE_GROUPS + 1) for p in space_group(number).positions]
    maps = torch.zeros(len(positions) + 1, max_atoms, 3, 4)
    for running, position in enumerate(positions, start=1):
        if position.n_atoms <= max_atoms:
            maps[running, : position.n_atoms] = torch.tensor(position.primitive_operations, dtype=torch.float32)
    return maps


def covalent_radii(numbers: tuple[int, ...]) -> Tensor:
    """(n,) Å of the elements, `UNKNOWN_RADIUS` where none is known."""
    return torch.tensor(COVALENT_RADIUS[list(numbers)], dtype=torch.float32).nan_to_num(UNKNOWN_RADIUS)


def closest(atom: Tensor, others: Tensor, lattices: Tensor, radii: Tensor, real: Tensor, *, itself: int) -> Tensor:
    """(m,) smallest distance over radii of one atom to the others and to its own images; differentiable.

    Args:
        atom, others: (m, 3) and (m, k, 3) fractional coordinates.
        lattices: (m, 3, 3) Å.
        radii: (m, k) Å, sum of the two radii; real: (m, k) bool, which of the others are there.
        itself: the place of the atom among the others.
    """
    difference = atom[:, None] - others
    difference = (difference - difference.round()) @ lattices
    images = _IMAGES @ lattices
    squared = (difference[:, :, None, :] + images[:, None, :, :]).square().sum(-1)
    squared[:, itself, len(_IMAGES) // 2] = torch.inf
    ratio = squared.amin(2).clamp_min(1e-12).sqrt() / radii  # clamped: the slope of a root is endless at 0
    return torch.where(real, ratio, torch.full_like(ratio, torch.inf)).amin(1)


@final
class OccupiedCells:
    """n primitive cells in Å that fill up orbit by orbit."""

    def __init__(self, lattices: Tensor, catalogue: WyckoffCatalogue, max_atoms: int) -> None:
        n = len(lattices)
        self._lattices = lattices
        self._sizes = torch.zeros(catalogue.n_positions, dtype=torch.int64)
        self._sizes[catalogue.index.flatten()] = catalogue.multiplicity.flatten()
        self._maps = primitive_maps(max_atoms)
        self._atoms = torch.zeros(n, max_atoms, 3)
        self._radii = torch.zeros(n, max_atoms)
        self._filled = torch.zeros(n, dtype=torch.int64)

    def place(self, rows: Tensor, position: Tensor, coords: Tensor, radius: Tensor) -> None:
        """Add one orbit to each of `rows` (m,): running number of the position, free coordinates (m, 3), radius Å."""
        points = self._points(position, coords)
        size = self._sizes[position]
        for point in range(int(size.max()) if len(size) else 0):
            here = size > point
            place = (rows[here], self._filled[rows[here]])
            self._atoms[place], self._radii[place] = points[here, point], radius[here]
            self._filled[rows[here]] += 1

    def room(self, rows: Tensor, position: Tensor, coords: Tensor, radius: Tensor) -> Tensor:
        """(m,) smallest distance over radii that an orbit would have, to placed atoms, to itself and to its images."""
        points = self._points(position, coords)
        width = points.shape[1]
        others = torch.cat([self._atoms[rows], points], dim=1)
        radii = torch.cat([self._radii[rows], radius[:, None].expand(-1, width)], dim=1) + radius[:, None]
        place = torch.arange(width)
        real = torch.cat([place < self._filled[rows][:, None], place < self._sizes[position][:, None]], dim=1)
        return closest(points[:, 0], others, self._lattices[rows], radii, real, itself=width)

    def _points(self, position: Tensor, coords: Tensor) -> Tensor:
        """(m, max_atoms, 3) fractional coordinates in the primitive cell; entries past the orbit's size are idle."""
        maps = self._maps[position]
        return (maps[..., :3] @ coords[:, None, :, None])[..., 0] + maps[..., 3]
