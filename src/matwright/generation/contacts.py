"""Shortest contacts of many crystals at once: the cheap test that throws colliding samples away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.elements import COVALENT_RADIUS
from matwright.generation.wyckoff.decode import CrystalArrays

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
_PAIRS_AT_ONCE = 40_000
_REACH = 3.0
"""Å; contacts longer than this are never looked for, no limit on a contact comes near it."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRules:
    """What a sample must satisfy to be handed out.

    Attributes:
        min_distance: Å, shortest allowed distance between two atoms, periodic self-images included.
        min_ratio: shortest allowed distance over the sum of the two covalent radii.
        volume_per_atom: smallest and largest Å³ an atom.
    """

    min_distance: float = 0.5
    min_ratio: float = 0.65
    volume_per_atom: tuple[float, float] = (3.0, 120.0)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Contacts:
    """Per crystal (n_crystals,): shortest distance in Å (at most 3), smallest distance over radii, Å³ per atom."""

    distance: Floats
    ratio: Floats
    volume_per_atom: Floats

    def pass_rules(self, rules: ContactRules) -> NDArray[np.bool_]:
        """(n_crystals,) whether every rule holds."""
        low, high = rules.volume_per_atom
        inside = (self.volume_per_atom >= low) & (self.volume_per_atom <= high)
        return inside & (self.distance >= rules.min_distance) & (self.ratio >= rules.min_ratio)


def contacts(crystals: CrystalArrays) -> Contacts:
    """Shortest contacts of primitive cells, periodic images included as far as any of them can come within 3 Å."""
    sizes = np.diff(crystals.offsets)
    inverse = np.linalg.inv(crystals.lattices)
    reaches = np.floor(_REACH * np.linalg.norm(inverse, axis=1) + 0.5).astype(np.int64)  # (n, 3) images each way
    reaches = np.clip(reaches, 1, 4)
    distance, ratio = np.full(len(sizes), _REACH), np.full(len(sizes), np.inf)
    for reach in np.unique(reaches, axis=0):
        members = np.flatnonzero((reaches == reach).all(1))
        shifts = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), -1).reshape(-1, 3)
        for block in _blocks(members, sizes, len(shifts)):
            crystal, first, second = _pairs(block, sizes, crystals.offsets)
            difference = crystals.frac_coords[first] - crystals.frac_coords[second]
            difference -= np.rint(difference)
            lattice = crystals.lattices[crystal]
            moved = np.einsum("pi,pij->pj", difference, lattice)
            steps = shifts @ crystals.lattices[block]  # (n_block, n_shifts, 3)
            vectors = moved[:, None, :] + steps[np.searchsorted(block, crystal)]
            squared = np.einsum("psk,psk->ps", vectors, vectors)
            own = (first == second)[:, None] & (shifts == 0).all(1)[None, :]
            shortest = np.sqrt(np.where(own, np.inf, squared).min(1))
            radii = _RADII[crystals.numbers[first]] + _RADII[crystals.numbers[second]]
            np.minimum.at(distance, crystal, shortest)
            np.minimum.at(ratio, crystal, shortest / radii)
    volume = np.abs(np.linalg.det(crystals.lattices)) / sizes
    return Contacts(distance=distance, ratio=ratio, volume_per_atom=volume)


_RADII = np.where(np.isnan(COVALENT_RADIUS), 1.5, COVALENT_RADIUS)


def _blocks(members: Integers, sizes: Integers, n_shifts: int) -> list[Integers]:
    """Members in runs whose pairs times images stay within the memory budget."""
    cost = np.cumsum(sizes[members] * (sizes[members] + 1) // 2 * n_shifts)
    cuts = np.searchsorted(cost, np.arange(_PAIRS_AT_ONCE * 27, cost[-1], _PAIRS_AT_ONCE * 27))
    return [part for part in np.split(members, np.unique(cuts)) if len(part)]


def _pairs(block: Integers, sizes: Integers, offsets: Integers) -> tuple[Integers, Integers, Integers]:
    """Crystal, first and second atom of every pair i ≤ j within the crystals of a block."""
    crystal, first, second = [], [], []
    for size in np.unique(sizes[block]):
        same = block[sizes[block] == size]
        i, j = np.triu_indices(int(size))
        crystal.append(np.repeat(same, len(i)))
        first.append((offsets[same][:, None] + i).ravel())
        second.append((offsets[same][:, None] + j).ravel())
    return np.concatenate(crystal), np.concatenate(first), np.concatenate(second)
