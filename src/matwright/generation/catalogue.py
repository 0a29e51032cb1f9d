"""All Wyckoff positions of the 230 space groups as tensors: multiplicity, freedom and what they look like."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import torch
from torch import Tensor

from matwright.generation.wyckoff.tables import LETTERS, N_SPACE_GROUPS, WyckoffPosition, space_group

N_LETTERS = len(LETTERS)
N_FEATURES = 22


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class WyckoffCatalogue:
    """One row a space group (row 0 is empty), one column a letter ("a" is 0).

    Attributes:
        multiplicity: (231, n_letters) int64, atoms of the position in the primitive cell; 0 where there is no such
            letter.
        freedom: (231, n_letters) int64, free coordinates 0..3.
        index: (231, n_letters) int64, running number of the position, 0 where there is none.
        site: (231, n_letters) int64, number of the site-symmetry symbol, 0 where there is none.
        features: (231, n_letters, n_features) float32, no unit: freedom, log multiplicity, log order of the site
            symmetry, directions of the free coordinates and the offset of the first representative.
        centring: (231,) int64, primitive cells in the conventional cell.
        n_sites: number of different site symmetries + 1.
        n_positions: number of positions + 1.
    """

    multiplicity: Tensor
    freedom: Tensor
    index: Tensor
    site: Tensor
    features: Tensor
    centring: Tensor
    n_sites: int
    n_positions: int

    @property
    def n_letters(self) -> int:
        """Width of the table."""
        return N_LETTERS


@lru_cache(maxsize=1)
def wyckoff_catalogue() -> WyckoffCatalogue:
    """The catalogue, built once a process from the tables of `generation.wyckoff`."""
    names = ("multiplicity", "freedom", "index", "site")
    tables = {name: torch.zeros(231, N_LETTERS, dtype=torch.int64) for name in names}
    features = torch.zeros(231, N_LETTERS, N_FEATURES)
    centring = torch.ones(231, dtype=torch.int64)
    groups = [space_group(number) for number in range(1, N_SPACE_GROUPS + 1)]
    symbols = sorted({position.site_symmetry for group in groups for position in group.positions})
    running = 0
    for group in groups:
        centring[group.number] = len(group.centring)
        for position in group.positions:
            running += 1
            place = (group.number, position.index)
            tables["multiplicity"][place] = position.n_atoms
            tables["freedom"][place] = position.dof
            tables["index"][place] = running
            tables["site"][place] = symbols.index(position.site_symmetry) + 1
            features[place] = _features(position, len(group.rotations))
    return WyckoffCatalogue(
        **tables, features=features, centring=centring, n_sites=len(symbols) + 1, n_positions=running + 1
    )


def _features(position: WyckoffPosition, order: int) -> Tensor:
    """(N_FEATURES,) what a position looks like to the network; order: operations of the point group."""
    kind = [float(position.dof == freedom) for freedom in range(4)]
    sizes = [math.log(position.n_atoms) / 2, math.log(order / position.n_atoms) / 2, order / 48]
    representative = position.operations[0]
    directions, offset = representative[:, :3].ravel().tolist(), representative[:, 3].tolist()
    waves = [wave(2 * math.pi * part) for part in offset for wave in (math.cos, math.sin)]
    return torch.tensor([*kind, *sizes, *directions, *waves])
