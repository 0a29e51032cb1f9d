"""Which anions surround a cation: bonds weighed by their length as in the effective coordination number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.graphs.neighbours import find_neighbours
from matwright.graphs.settings import GraphSettings
from matwright.materials.crystal import Crystal

HOPPE = "R. Hoppe, Z. Kristallogr. 150, 23 (1979)"
BONDED = 0.15
"""Least weight of a neighbour that counts as bonded; 1 is the mean length, 0.15 about 1.19 times it."""
_REACH = GraphSettings(cutoff=6.0, k=40, stretch=1.01)
_ROUNDS = 50


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IonicBonds:
    """Every bond from a cation to an anion.

    Attributes:
        numbers: (n_sites,) atomic number of each site.
        states: (n_sites,) its oxidation state.
        cations: (n_bonds,) site of the cation of each bond.
        anions: (n_bonds,) site of the anion.
        lengths: (n_bonds,) Å.
        neighbours: (n_sites,) bonded anions of a cation, bonded cations of an anion.
    """

    numbers: NDArray[np.int64]
    states: NDArray[np.float64]
    cations: NDArray[np.int64]
    anions: NDArray[np.int64]
    lengths: NDArray[np.float64]
    neighbours: NDArray[np.int64]

    def around(self, cation: int) -> NDArray[np.int64]:
        """Sites of the anions bonded to the cation at a site, one entry a bond."""
        return np.asarray(self.anions[self.cations == cation])


def effective_weights(lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) Hoppe's weights exp(1 − (l / l̄)⁶) of the neighbours of one atom; their sum is the effective coordination.

    l̄ is the mean length weighed by the weights themselves, found by iteration from the shortest length.
    """
    mean = float(lengths.min())
    for _ in range(_ROUNDS):
        weights = np.exp(1.0 - (lengths / mean) ** 6)
        better = float((weights * lengths).sum() / weights.sum())
        if abs(better - mean) < 1e-9 * mean:
            break
        mean = better
    return np.asarray(np.exp(1.0 - (lengths / mean) ** 6))


def ionic_bonds(crystal: Crystal, states: Mapping[int, float]) -> IonicBonds | None:
    """The bonds of an ordered crystal with these states; None where a cation has no anion within 6 Å.

    A neighbour counts as bonded where its weight among the anions around the cation is at least `BONDED`.
    """
    try:
        found = find_neighbours(crystal.lattice, crystal.frac_coords, crystal.pbc, _REACH)
    except InputError:  # atoms on one place: no chemistry to judge
        return None
    of_site = np.array([states[number] for number in crystal.numbers.tolist()])
    owners = np.repeat(np.arange(len(crystal)), found.counts)
    lengths = np.linalg.norm(found.vectors, axis=1)
    opposite = (of_site[owners] > 0) & (of_site[found.neighbours] < 0)
    owners, others, lengths = owners[opposite], found.neighbours[opposite], lengths[opposite]
    kept: list[NDArray[np.int64]] = []
    for site in np.flatnonzero(of_site > 0).tolist():
        mine = np.flatnonzero(owners == site)
        if len(mine) == 0:
            return None
        kept.append(mine[effective_weights(lengths[mine]) >= BONDED])
    bonds = np.concatenate(kept) if kept else np.zeros(0, dtype=np.int64)
    cations, anions = owners[bonds], others[bonds]
    return IonicBonds(
        numbers=crystal.numbers,
        states=of_site,
        cations=cations,
        anions=anions,
        lengths=lengths[bonds],
        neighbours=np.bincount(np.concatenate([cations, anions]), minlength=len(crystal)),
    )
