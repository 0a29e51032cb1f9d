"""Write the compact table of stable compositions that ships with the package, on the Materials Project's MP2020 scale.

Input: a CSV with the columns formula, target_Ef and target_Ed (eV/atom): the Materials Project hull of 85,014
compositions as distributed with the PyPI package crabnet. Its energies are on the scale in use before 2021; every
composition is brought to the MP2020 scale (matwright.physics.energy_scale), on which the potentials' energies and the
Materials Project's present energies are, and the hull is built again. Kept: the compositions on the new hull.

Usage: python scripts/build_hull_table.py mp_hull_85014.csv.gz src/matwright/data/tables/mp_hull_stable.npz \
           [--check mp_crystals.csv.gz]
"""

from __future__ import annotations

import argparse
import csv
import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matwright.data.hull import MAX_ELEMENTS, Hull, load_table
from matwright.data.hull_batch import HullTable
from matwright.elements import atomic_number
from matwright.materials.formula import parse_formula
from matwright.physics.energy_scale import EnergyScale

ON_HULL = 1e-6
"""eV/atom above the hull up to which a composition counts as stable."""
_TOGETHER = 1000
"""Compositions of one call, which holds their phases in memory."""


def main() -> None:
    """Build, write, and say what changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--check", type=Path, help="crystals with formation_energy_per_atom and e_above_hull")
    options = parser.parse_args()
    rows = _read(options.source)
    formulas = [parse_formula(row["formula"]) for row in rows]
    old = np.array([float(row["target_Ef"]) for row in rows])
    scale = EnergyScale()
    energies = old + np.array([scale.legacy_to_mp2020(row["formula"]) for row in rows])
    stable = np.array([float(row["target_Ed"]) <= 0 for row in rows])
    below = _on_hull(formulas, energies)
    print(f"{stable.sum():,} stable compositions before, {below.sum():,} now, {(stable & below).sum():,} of them both")
    _write(options.target, [(f, e) for f, e, keep in zip(formulas, energies, below, strict=True) if keep])
    if options.check is not None:
        before = Hull.from_phases((formulas[row], float(old[row])) for row in np.flatnonzero(stable))
        _check(options.check, {"before": before, "now": load_table(options.target)})


def _read(source: Path) -> list[dict[str, str]]:
    with gzip.open(source, "rt", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _on_hull(formulas: Sequence[dict[int, float]], energies: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which compositions no mixture of the others lies below."""
    hull = Hull.from_phases(zip(formulas, energies.tolist(), strict=True))
    return _above(hull, formulas, energies) <= ON_HULL


def _above(hull: Hull, formulas: Sequence[dict[int, float]], energies: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) eV/atom above a hull; NaN where it lacks an element or there are more of them than a table can hold."""
    asked = Hull.from_phases(zip(formulas, energies.tolist(), strict=True))
    table = HullTable.of(hull)
    parts = [slice(start, start + _TOGETHER) for start in range(0, len(formulas), _TOGETHER)]
    return energies - np.concatenate([table.energies_at(asked.numbers[part], asked.amounts[part]) for part in parts])


def _write(target: Path, phases: Sequence[tuple[dict[int, float], float]]) -> None:
    rows = sorted(phases, key=lambda pair: (len(pair[0]), sorted(pair[0].items())))
    numbers = np.zeros((len(rows), MAX_ELEMENTS), dtype=np.uint8)
    counts = np.zeros((len(rows), MAX_ELEMENTS), dtype=np.uint8)
    for index, (formula, _) in enumerate(rows):
        numbers[index, : len(formula)] = list(formula)
        counts[index, : len(formula)] = list(formula.values())
    energies = np.array([energy for _, energy in rows], dtype=np.float32)
    np.savez_compressed(target, numbers=numbers, counts=counts, formation_energy_per_atom=energies)


def _check(path: Path, hulls: Mapping[str, Hull]) -> None:
    """Distances of training crystals to each hull against those that the Materials Project states for them."""
    rows = [row for row in _read(path) if row["split"] == "train" and row["e_above_hull"]]
    formulas = [parse_formula(row["formula"]) for row in rows]
    energies = np.array([float(row["formation_energy_per_atom"]) for row in rows])
    stated = np.array([float(row["e_above_hull"]) for row in rows])
    sources = np.array([row["source"] for row in rows])
    groups = {f"source {name}": sources == name for name in sorted(set(sources))}
    for symbol in ("Br", "I", "Se", "Te", "S"):
        holds = np.array([atomic_number(symbol) in formula for formula in formulas])
        groups[f"with {symbol}, source mp20"] = holds & (sources == "mp20")
    for when, hull in hulls.items():
        off = _above(hull, formulas, energies) - stated
        for name, chosen in groups.items():
            part = off[chosen & np.isfinite(off)]
            sizes = np.abs(part)
            print(
                f"{when}, {name}: {len(part):,} crystals, off by {sizes.mean():.4f} (mean), {np.median(sizes):.4f} "
                f"(median), bias {part.mean():+.4f} eV/atom"
            )


if __name__ == "__main__":
    main()
