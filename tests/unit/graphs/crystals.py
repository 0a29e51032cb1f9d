"""Rows and crystals for the graph tests; a module of its own since worker processes import `parse`."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass

import numpy as np

from matwright.errors import InputError
from matwright.materials.crystal import Crystal


@dataclass(frozen=True)
class Row:
    id: str
    targets: tuple[float, ...]
    part: str
    seed: int
    file: str = "made.csv"
    censored: tuple[int, ...] = ()
    conditions: tuple[float, ...] = ()
    steps: tuple[tuple[float, ...], ...] = ()

    @property
    def number(self) -> int:
        return self.seed + 1


def rows(n: int, first: int = 0) -> list[Row]:
    return [
        Row(
            id=f"row-{seed}",
            targets=(float(seed), float("nan") if seed % 3 == 0 else -seed / 7),
            part=("train", "test")[seed % 5 == 0],
            seed=seed,
        )
        for seed in range(first, first + n)
    ]


def parse(row: Row) -> Crystal:
    rng = np.random.default_rng(row.seed)
    if row.seed % 11 == 7:
        raise InputError(f"seed {row.seed} is bad")
    n_atoms = int(rng.integers(1, 8))
    frac = rng.random((n_atoms, 3))
    if row.seed % 13 == 5 and n_atoms > 1:
        frac[1] = frac[0]
    numbers = rng.integers(1, 95, n_atoms)
    occupancies = None
    if row.seed % 4 == 0:
        occupancies = (((int(numbers[0]), 0.6), (3, 0.3)), *(((int(z), 1.0),) for z in numbers[1:]))
    lattice = np.diag(rng.uniform(4.0, 6.0, 3)) + rng.normal(0, 0.2, (3, 3))
    return Crystal(lattice=lattice, frac_coords=frac, numbers=numbers, occupancies=occupancies)


def parse_slowly(row: Row) -> Crystal:
    time.sleep(0.01)
    return parse(row)


def parse_fatally(row: Row) -> Crystal:
    if row.seed == 100:
        os.kill(os.getpid(), signal.SIGKILL)
    return parse(row)
