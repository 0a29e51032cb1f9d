"""Builds the table of elemental reference energies of one potential: what formation energies are measured against.

Three choices are computed and compared on crystals that took no part in them; the fitted one is written.
  lowest    the potential's energy of the lowest of the known structures of the element
  relaxed   the lowest after relaxing the three lowest
  fitted    `relaxed` plus a shift an element, by ridge regression (Huber weights) on the difference between the
            potential's and DFT's formation energies of training crystals; an element with few crystals keeps `relaxed`
All crystals are relaxed with CHGNet, as candidates are: the shifts then hold for the way they are used.

Run as: python scripts/build_element_references.py --potential chgnet --data FOLDER
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matwright.elements import SYMBOLS, atomic_number
from matwright.materials.crystal import Crystal
from matwright.materials.interop import from_cif, from_pymatgen, primitive
from matwright.screening.potential import Failure, PointResult, Potential, load_potential
from matwright.screening.relax import Relaxation, RelaxationSettings, relax

TABLES = Path(__file__).resolve().parents[1] / "src" / "matwright" / "data" / "tables"
PRIOR = 0.10
"""eV/atom, how far an element's shift is expected to lie from 0."""
NOISE = 0.05
"""eV/atom, error of one formation energy."""
RELAXATION = RelaxationSettings(fmax=0.1, smax=1.0, max_steps=100)


def main() -> None:
    """Compute, compare, write."""
    arguments = _arguments()
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    potential, relaxer = load_potential(arguments.potential), load_potential("chgnet")
    references = _element_structures(arguments.data / "element_refs_mp_pbe.json.gz")
    best = _lowest(references, relaxer)
    print(f"{len(best)} elements, lowest structures found", flush=True)
    lowest = _least_energies(best, potential)
    relaxed = lowest | _least_energies(_relaxed(best, relaxer), potential)
    print("relaxed references done", flush=True)
    train = _crystals(arguments.data / "mp_crystals.csv.gz", "train", arguments.train, arguments.seed)
    test = _crystals(arguments.data / "mp_crystals.csv.gz", "test", arguments.test, arguments.seed)
    train_rows = _energies(train, relaxer, potential)
    test_rows = _energies(test, relaxer, potential)
    fitted, counts = _fit(train_rows, relaxed)
    report = {name: _errors(test_rows, table) for name, table in _choices(lowest, relaxed, fitted)}
    for name, errors in report.items():
        mae, median, bias = errors["mae"], errors["median"], errors["bias"]
        print(f"{name:8s} test MAE {mae:.4f} median {median:.4f} bias {bias:+.4f} eV/atom")
    table = {
        "potential": potential.name,
        "version": potential.version,
        "unit": "eV/atom",
        "method": "fitted",
        "relaxed_with": f"{relaxer.name} {relaxer.version}, fmax {RELAXATION.fmax} eV/Å, smax {RELAXATION.smax} GPa",
        "n_train": len(train_rows),
        "n_test": len(test_rows),
        "test_errors": report,
        "source": "structures and DFT formation energies: Materials Project (CC BY 4.0)",
        "n_crystals": {SYMBOLS[z]: int(counts.get(z, 0)) for z in sorted(fitted)},
        "energies": {SYMBOLS[z]: round(value, 5) for z, value in sorted(fitted.items())},
    }
    path = TABLES / f"element_references_{potential.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"wrote {path}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--potential", default="chgnet")
    parser.add_argument("--data", type=Path, required=True, help="folder with the Materials Project tables")
    parser.add_argument("--train", type=int, default=1500)
    parser.add_argument("--test", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _element_structures(path: Path) -> dict[int, list[Crystal]]:
    from pymatgen.core import Structure

    with gzip.open(path, "rt", encoding="utf-8") as handle:
        table: dict[str, Any] = json.load(handle)
    return {
        atomic_number(name): [from_pymatgen(Structure.from_dict(item)) for item in entry["structure"]]
        for name, entry in table.items()
    }


def _lowest(references: dict[int, list[Crystal]], relaxer: Potential) -> dict[int, list[Crystal]]:
    """The three lowest small structures of each element."""
    best: dict[int, list[Crystal]] = {}
    for number, crystals in references.items():
        small = [crystal for crystal in crystals if len(crystal) <= 32]
        results = relaxer.evaluate(small)
        scored = sorted(
            (result.energy / len(crystal), index)
            for index, (crystal, result) in enumerate(zip(small, results, strict=True))
            if isinstance(result, PointResult)
        )
        if scored:
            best[number] = [small[index] for _, index in scored[:3]]
    return best


def _relaxed(best: dict[int, list[Crystal]], relaxer: Potential) -> dict[int, list[Crystal]]:
    flat = [(number, crystal) for number, crystals in best.items() for crystal in crystals]
    outcomes = relax([crystal for _, crystal in flat], relaxer, settings=RELAXATION)
    found: dict[int, list[Crystal]] = {}
    for (number, _), outcome in zip(flat, outcomes, strict=True):
        if isinstance(outcome, Relaxation):
            found.setdefault(number, []).append(outcome.crystal)
    return found


def _least_energies(structures: dict[int, list[Crystal]], potential: Potential) -> dict[int, float]:
    """Lowest energy per atom of each element's structures, eV/atom."""
    values: dict[int, float] = {}
    for number, crystals in structures.items():
        for crystal, result in zip(crystals, potential.evaluate(crystals), strict=True):
            if isinstance(result, PointResult):
                values[number] = min(values.get(number, np.inf), result.energy / len(crystal))
    return values


def _crystals(path: Path, split: str, n: int, seed: int) -> list[tuple[Crystal, float]]:
    """N (nearly) stable crystals of at most 20 atoms with DFT formation energy, rare elements first."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as handle:
        rows = [
            row
            for row in csv.DictReader(handle)
            if row["split"] == split and int(row["n_atoms"]) <= 20 and float(row["e_above_hull"] or 0) < 0.1
        ]
    order = np.random.default_rng(seed).permutation(len(rows))
    chosen: list[tuple[Crystal, float]] = []
    counts: dict[int, int] = {}
    wanted = 3 * n // 100 if split == "train" else n
    for cap in (wanted, 10 * n):
        for index in order:
            if len(chosen) >= n:
                return chosen
            row = rows[index]
            if row is None:
                continue
            crystal = primitive(from_cif(row["cif"]))
            numbers = {int(z) for z in crystal.numbers}
            if cap == wanted and all(counts.get(z, 0) >= cap for z in numbers):
                continue
            rows[index] = None  # type: ignore[call-overload]
            counts.update({z: counts.get(z, 0) + 1 for z in numbers})
            chosen.append((crystal, float(row["formation_energy_per_atom"])))
    return chosen


def _energies(
    rows: list[tuple[Crystal, float]], relaxer: Potential, potential: Potential
) -> list[tuple[Crystal, float, float]]:
    """(relaxed crystal, energy per atom by the potential, DFT formation energy per atom), failures left out."""
    start = time.perf_counter()
    outcomes = relax([crystal for crystal, _ in rows], relaxer, settings=RELAXATION)
    found = []
    for (_, target), outcome in zip(rows, outcomes, strict=True):
        if isinstance(outcome, Failure):
            continue
        energy = outcome.energy_per_atom
        if potential.name != relaxer.name:
            (result,) = potential.evaluate([outcome.crystal])
            if isinstance(result, Failure):
                continue
            energy = result.energy / len(outcome.crystal)
        found.append((outcome.crystal, energy, target))
    print(f"{len(found)} of {len(rows)} crystals in {time.perf_counter() - start:.0f} s", flush=True)
    return found


def _shares(crystal: Crystal) -> dict[int, float]:
    numbers, counts = np.unique(crystal.numbers, return_counts=True)
    return {int(z): count / len(crystal) for z, count in zip(numbers, counts, strict=True)}


def _fit(rows: list[tuple[Crystal, float, float]], prior: dict[int, float]) -> tuple[dict[int, float], dict[int, int]]:
    """Reference energies that reproduce the formation energies, pulled towards `prior`; crystals an element."""
    compositions = [_shares(crystal) for crystal, _, _ in rows]
    counts: dict[int, int] = {}
    for shares in compositions:
        for z in shares:
            counts[z] = counts.get(z, 0) + 1
    numbers = sorted(set(prior) | {z for z, count in counts.items() if count >= 3})
    column = {z: index for index, z in enumerate(numbers)}
    centre = np.array([prior.get(z, -4.0) for z in numbers])
    width = np.array([PRIOR if z in prior else 10.0 for z in numbers])
    design, target = [], []
    for shares, (_, energy, formation) in zip(compositions, rows, strict=True):
        if all(z in column for z in shares):
            line = np.zeros(len(numbers))
            for z, share in shares.items():
                line[column[z]] = share
            design.append(line)
            target.append(energy - formation)
    matrix, residual = np.array(design), np.array(target) - np.array(design) @ centre
    shift = _huber_ridge(matrix, residual, width)
    return {z: float(centre[i] + shift[i]) for z, i in column.items()}, counts


def _huber_ridge(
    matrix: NDArray[np.float64], residual: NDArray[np.float64], width: NDArray[np.float64]
) -> NDArray[np.float64]:
    weights = np.ones(len(residual))
    shift = np.zeros(matrix.shape[1])
    for _ in range(30):
        left = matrix.T @ (matrix * (weights / NOISE**2)[:, None]) + np.diag(width**-2)
        shift = np.linalg.solve(left, matrix.T @ (residual * weights / NOISE**2))
        off = np.abs(residual - matrix @ shift)
        weights = np.minimum(1.0, NOISE / np.maximum(off, 1e-9))
    return shift


def _choices(*tables: dict[int, float]) -> list[tuple[str, dict[int, float]]]:
    return list(zip(("lowest", "relaxed", "fitted"), tables, strict=True))


def _errors(rows: list[tuple[Crystal, float, float]], table: dict[int, float]) -> dict[str, float]:
    """MAE, median and mean of the error of the formation energy, eV/atom, and the number of crystals."""
    errors = []
    for crystal, energy, formation in rows:
        shares = _shares(crystal)
        if all(z in table for z in shares):
            errors.append(energy - sum(share * table[z] for z, share in shares.items()) - formation)
    values = np.array(errors)
    return {
        "mae": round(float(np.abs(values).mean()), 4),
        "median": round(float(np.median(np.abs(values))), 4),
        "bias": round(float(values.mean()), 4),
        "n": len(values),
    }


if __name__ == "__main__":
    sys.exit(main())
