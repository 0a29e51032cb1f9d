"""Which element replaces which in known structures, and how much room each takes: a small table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.elements import COVALENT_RADIUS, MAX_ATOMIC_NUMBER, atomic_number, symbol
from matwright.materials.crystal import Crystal
from matwright.serialization import read_json, write_json

_TABLE = "substitutions.json"
_RIDGE = 3.0


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SubstitutionTable:
    """Weights of replacement and atomic volumes.

    Attributes:
        counts: (119, 119) float64, how often j stands where i stands in an otherwise equal known crystal; symmetric.
        volumes: (119,) float64 Å³, volume an atom takes on average; NaN where the element was not seen.
        elements: atomic numbers that can be replaced or replace.
    """

    counts: NDArray[np.float64]
    volumes: NDArray[np.float64]
    elements: frozenset[int]

    @classmethod
    def load(cls) -> SubstitutionTable:
        """The table that ships with the package, counted over training crystals of the Materials Project."""
        with resources.as_file(resources.files("matwright.data") / "tables" / _TABLE) as path:
            return cls.read(path)

    @classmethod
    def from_groups(cls, groups: Sequence[set[int]], crystals: Sequence[Crystal]) -> SubstitutionTable:
        """From groups of elements that replace each other (one group a prototype, rest formula and amount).

        Every ordered pair within a group counts 1/(members − 1), so that a group weighs as much as it has members.
        """
        counts = np.zeros((MAX_ATOMIC_NUMBER + 1, MAX_ATOMIC_NUMBER + 1))
        for group in groups:
            members = sorted(group)
            for i in members:
                for j in members:
                    if i != j:
                        counts[i, j] += 1.0 / (len(members) - 1)
        return cls.from_arrays(counts, _volumes(crystals))

    @classmethod
    def from_arrays(cls, counts: NDArray[np.float64], volumes: NDArray[np.float64]) -> SubstitutionTable:
        """From the arrays; the elements are those with a volume and at least one replacement."""
        seen = (counts.sum(axis=1) > 0) & np.isfinite(volumes)
        return cls(counts=counts, volumes=volumes, elements=frozenset(np.flatnonzero(seen).tolist()))

    @classmethod
    def read(cls, path: Path) -> SubstitutionTable:
        """From a file that `write` made."""
        content = read_json(path)
        counts = np.zeros((MAX_ATOMIC_NUMBER + 1, MAX_ATOMIC_NUMBER + 1))
        for name, row in content["counts"].items():
            for other, value in row.items():
                counts[atomic_number(name), atomic_number(other)] = value
        volumes = np.full(MAX_ATOMIC_NUMBER + 1, np.nan)
        for name, value in content["volumes_A3"].items():
            volumes[atomic_number(name)] = value
        return cls.from_arrays(counts, volumes)

    def write(self, path: Path, *, source: str) -> None:
        """As JSON, with where it comes from."""
        rows = {
            symbol(i): {symbol(int(j)): round(float(self.counts[i, j]), 3) for j in np.flatnonzero(self.counts[i])}
            for i in sorted(self.elements)
        }
        volumes = {symbol(i): round(float(self.volumes[i]), 3) for i in sorted(self.elements)}
        write_json(path, {"source": source, "volumes_A3": volumes, "counts": rows})

    def draw(self, old: int, options: Sequence[int], rng: np.random.Generator) -> int | None:
        """A replacement for `old` among `options` by its share of the counts; None where none was ever seen."""
        weights = self.counts[old, list(options)]
        if len(weights) == 0 or weights.sum() <= 0:
            return None
        return int(rng.choice(list(options), p=weights / weights.sum()))

    def volume(self, numbers: NDArray[np.int64]) -> float:
        """Å³ that these atoms take together."""
        values = self.volumes[numbers]
        fallback = 4.0 * COVALENT_RADIUS[numbers] ** 3
        return float(np.where(np.isfinite(values), values, np.where(np.isfinite(fallback), fallback, 20.0)).sum())


def _volumes(crystals: Sequence[Crystal]) -> NDArray[np.float64]:
    """(119,) Å³ an atom: ridge regression of the cell volumes towards 4 r³ of the covalent radius."""
    design = np.zeros((len(crystals), MAX_ATOMIC_NUMBER + 1))
    for row, crystal in enumerate(crystals):
        np.add.at(design[row], crystal.numbers, 1.0 / len(crystal))
    seen = np.flatnonzero(design.sum(axis=0) > 0)
    prior = np.clip(np.nan_to_num(4.0 * COVALENT_RADIUS[seen] ** 3, nan=20.0), 4.0, 60.0)
    target = np.array([crystal.volume / len(crystal) for crystal in crystals])
    matrix = design[:, seen]
    left = matrix.T @ matrix + np.eye(len(seen)) * _RIDGE * 0.01
    shift = np.linalg.solve(left, matrix.T @ (target - matrix @ prior))
    values = np.full(MAX_ATOMIC_NUMBER + 1, np.nan)
    values[seen] = np.clip(prior + shift, 2.0, 120.0)
    return values
