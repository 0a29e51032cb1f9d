"""Effective stiffness of two-phase cells: physics alone, labels, and both, against finite elements and a table.

    python benchmarks/microstructures.py --seconds 300

1. The table: `microstructure_2d_32768.csv.gz` (15 bits a cell: the upper triangle of a symmetric 5 × 5 quadrant of
   10 × 10 pixels) is computed again for 200 cells with `physics.homogenisation` (plane strain, E 1 and 0.001, ν 0.33
   and 0.49, 4 × 4 elements a pixel); the largest relative difference of C11, C12, C22, C66 is printed.
2. Models, each trained for the same CPU seconds on one thread, tested on the same 1,000 cells that no model saw:
   GEM-PPM on pixel graphs with 100, 1,000 and 10,000 known cells; the displacement network with the energy of its field
   alone (no known cell; E20-E23), with the forces left on the nodes, and with the energy and known cells together.

Stiffnesses are relative to those of the stiff phase, as in the table. "Ratio" is the median of |log(C / true C)|, as a
factor. "In bounds": both C − Reuss and Voigt − C positive semi-definite. Seed 0 unless stated; needs MATWRIGHT_DATA.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from matwright.graphs.builder import build_graph
from matwright.graphs.ragged import Labels
from matwright.graphs.store import pack
from matwright.materials.composition import Composition
from matwright.materials.microstructure import Microstructure, Phase
from matwright.materials.properties import PropertySpec
from matwright.models.config import GemPpmConfig, HeadConfig, HeadKind
from matwright.models.displacement import DisplacementConfig, DisplacementModel, GridSource, Lesson
from matwright.models.gem_ppm import GemPpm
from matwright.models.scaled import ScaledModel, TargetScale
from matwright.physics.homogenisation import homogenise, phase_elements, plane_strain, stiffness_bounds
from matwright.runs import provenance
from matwright.training.compute import fast_mode
from matwright.training.fit import FitData, fit
from matwright.training.settings import FitSettings

DATA = Path(os.environ.get("MATWRIGHT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
PHASES = (
    Phase(composition=Composition.from_formula("Al"), young_modulus=1.0, poisson_ratio=0.33),
    Phase(composition=Composition.from_formula("C5H8"), young_modulus=1e-3, poisson_ratio=0.49),
)
SOLID = plane_strain(1.0, 0.33)
NAMES, PLACES = ("C11", "C12", "C22", "C66"), ((0, 0), (0, 1), (1, 1), (2, 2))
N_TEST, N_CHECKED = 1000, 200
Array = NDArray[np.float64]


def main() -> None:
    """Check the table, train the models, print one line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0, help="CPU seconds of training, each model")
    parser.add_argument("--known", default="100,1000,10000", help="known cells of the models that learn from labels")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    grids, true = read()
    order = np.random.default_rng(given.seed).permutation(len(grids))
    test, train = order[:N_TEST], order[N_TEST:]
    print(f"commit {provenance()['commit']}, seed {given.seed}, {given.seconds:g} CPU s a model, {N_TEST} test cells")
    with fast_mode():
        check(grids, true, test[:N_CHECKED])
        report("mean of all cells", np.tile(true[train].mean(axis=0), (N_TEST, 1, 1)), true[test], grids[test])
        bounds = [stiffness_bounds(Microstructure(grid=grid, phases=PHASES)) for grid in grids[test]]
        for name, place in (("Reuss bound", 0), ("Voigt bound", 1)):
            report(name, np.stack([pair[place] for pair in bounds]) / SOLID_SCALE, true[test], grids[test])
        for count in (int(word) for word in given.known.split(",")):
            timed(f"GEM-PPM, {count} known", graph_model, grids, true, train[:count], test, given)
        for lesson in (Lesson.ENERGY, Lesson.RESIDUAL):
            timed(f"displacement, {lesson} alone", displacement_model(lesson, 0), grids, true, train, test, given)
        for count in (int(word) for word in given.known.split(",")):
            name = f"displacement, energy and {count} known"
            timed(name, displacement_model(Lesson.BOTH, count), grids, true, train, test, given)


SOLID_SCALE = np.where(SOLID > 0, SOLID, SOLID[0, 0])
"""(3, 3) what each component is relative to; those that are 0 in the solid by C11."""
Model = Callable[[NDArray[np.int64], Array, NDArray[np.int64], NDArray[np.int64], argparse.Namespace], Array]


def read() -> tuple[NDArray[np.int64], Array]:
    """(n, 10, 10) phases and (n, 3, 3) relative stiffness of the table."""
    table = pd.read_csv(DATA / "microstructure_2d_32768.csv.gz", dtype={"Geometry": str}, encoding="utf-8-sig")
    bits = np.array([list(word) for word in table["Geometry"]], dtype=np.int64)
    quadrant = np.zeros((len(bits), 5, 5), dtype=np.int64)
    for bit, (row, column) in enumerate(zip(*np.triu_indices(5), strict=True)):
        quadrant[:, row, column] = quadrant[:, column, row] = bits[:, bit]
    upper = np.concatenate([quadrant, quadrant[:, :, ::-1]], axis=2)
    true = np.zeros((len(bits), 3, 3))
    for name, (row, column) in zip(NAMES, PLACES, strict=True):
        true[:, row, column] = true[:, column, row] = table[name]
    return np.concatenate([upper, upper[:, ::-1]], axis=1), true


def check(grids: NDArray[np.int64], true: Array, chosen: NDArray[np.int64]) -> None:
    """Compute cells of the table again."""
    start = time.process_time()
    found = np.stack([homogenise(Microstructure(grid=grids[i], phases=PHASES)).stiffness for i in chosen])
    spent = (time.process_time() - start) / len(chosen)
    ratio = [np.abs(found[:, r, c] / SOLID[r, c] / true[chosen, r, c] - 1).max() for r, c in PLACES]
    print(f"finite elements against the table, {len(chosen)} cells: largest relative difference {max(ratio):.1e}")
    print(f"finite elements: {1000 * spent:.1f} CPU ms a cell")


def timed(
    name: str,
    model: Model,
    grids: NDArray[np.int64],
    true: Array,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    given: argparse.Namespace,
) -> None:
    """Train and test one model."""
    report(name, model(grids, true, train, test, given), true[test], grids[test])


def displacement_model(lesson: Lesson, known: int) -> Model:
    """The network of displacements; `known` cells have their stiffness, the others are learned from without it."""

    def run(
        grids: NDArray[np.int64],
        true: Array,
        train: NDArray[np.int64],
        test: NDArray[np.int64],
        given: argparse.Namespace,
    ) -> Array:
        labels = np.full(true.shape, np.nan)
        labels[train[:known]] = true[train[:known]] * SOLID_SCALE
        torch.manual_seed(given.seed)
        network = DisplacementModel(DisplacementConfig(lesson=lesson), phase_elements(_cell(grids[0])))
        fitted(network, GridSource(grids, labels), train, given, batch=16, rate=3e-3)
        start = time.process_time()
        stiffness, residual = network.predict(grids[test])
        spent = (time.process_time() - start) / len(test)
        print(f"  {1000 * spent:.2f} CPU ms a cell; forces left: median {np.median(residual):.3f} of the load")
        return stiffness / SOLID_SCALE

    return run


def graph_model(
    grids: NDArray[np.int64], true: Array, train: NDArray[np.int64], test: NDArray[np.int64], given: argparse.Namespace
) -> Array:
    """GEM-PPM on graphs of pixels, the logarithms of C11, C12 and C66 as targets (C22 = C11 in these cells)."""
    chosen = np.concatenate([train, test])
    values = np.log(np.stack([true[chosen, r, c] for r, c in ((0, 0), (0, 1), (2, 2))], axis=1))
    store = pack([build_graph(_cell(grids[i])) for i in chosen], labels=Labels.of_targets(values))
    specs = tuple(PropertySpec(name=f"log_{name}", unit="1") for name in ("C11", "C12", "C66"))
    own = np.arange(len(train))
    heads = tuple(HeadConfig(name=spec.name, kind=HeadKind.POINT) for spec in specs)
    torch.manual_seed(given.seed)
    scale = TargetScale.fit(store.targets[own], store.atom_counts[own], specs)
    model = ScaledModel(GemPpm(GemPpmConfig(heads=heads, composition=True)), specs, scale)
    model.measure(store, own)
    fitted(model, store, own, given, batch=32, rate=4e-3)
    start, rows = time.process_time(), []
    for first in range(0, len(test), 100):
        part = model.predict(store.batch(len(train) + np.arange(first, first + 100)))
        rows.append(np.stack([part.properties[spec.name].mean for spec in specs], axis=1))
    print(f"  {1000 * (time.process_time() - start) / len(test):.2f} CPU ms a cell")
    c11, c12, c66 = np.exp(np.concatenate(rows)).T
    found = np.zeros((len(test), 3, 3))
    found[:, 0, 0] = found[:, 1, 1] = c11
    found[:, 0, 1] = found[:, 1, 0] = c12
    found[:, 2, 2] = c66
    return found


def fitted(
    model: torch.nn.Module,
    source: object,
    train: NDArray[np.int64],
    given: argparse.Namespace,
    *,
    batch: int,
    rate: float,
) -> None:
    """Train in place for the CPU seconds asked for."""
    settings = FitSettings(minutes=given.seconds / 60, batch_size=batch, learning_rate=rate, save_seconds=1e9)
    with tempfile.TemporaryDirectory() as folder:
        data = FitData(source=source, train=train, validation=train[:0])
        fit(model, data, settings, folder=Path(folder), seed=given.seed)


def report(name: str, found: Array, true: Array, grids: NDArray[np.int64]) -> None:
    """One line: errors of C11, C12, C66, and how many cells keep their bounds."""
    errors, ratios = [], []
    for row, column in ((0, 0), (0, 1), (2, 2)):
        errors.append(np.abs(found[:, row, column] - true[:, row, column]).mean())
        logs = np.log(np.maximum(found[:, row, column], 1e-12) / true[:, row, column])
        ratios.append(np.exp(np.median(np.abs(logs))))
    inside = 0
    for own, grid in zip(found * SOLID_SCALE, grids, strict=True):
        least, most = stiffness_bounds(_cell(grid))
        slack = 1e-6 * np.trace(most)
        inside += bool(np.linalg.eigvalsh(own - least).min() > -slack and np.linalg.eigvalsh(most - own).min() > -slack)
    mae = " / ".join(f"{value:.4f}" for value in errors)
    ratio = " / ".join(f"{value:.2f}" for value in ratios)
    print(
        f"{name:40s} MAE C11 / C12 / C66 {mae}   ratio {ratio}   in bounds {100 * inside / len(found):.1f} %",
        flush=True,
    )


def _cell(grid: NDArray[np.int64]) -> Microstructure:
    return Microstructure(grid=grid, phases=PHASES)


if __name__ == "__main__":
    main()
