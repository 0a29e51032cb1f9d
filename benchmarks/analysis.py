"""Where a model errs on a task of `properties.py`: near and far from what it knew, at zero, and beside the noise.

    python benchmarks/analysis.py build/estm.json

reads the predictions that `properties.py --out build/estm.json` left, of rows by models that did not see them. For
every target it prints the mean absolute error in three equal shares of the rows by Hellinger's distance between their
composition and the nearest one of their training part; the error where the true value is 0 and where it is not; and how
far several exact values of one composition lie from their mean, under equal conditions and steps and under any.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tasks import TASKS
from tasks.table import FOLDS, TaskTable

from matwright.elements import SYMBOLS
from matwright.materials.material import Material
from matwright.serialization import read_json

SHARES = 3


def main() -> None:
    """Print the analysis of one file of results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="the JSON file that properties.py wrote")
    path = parser.parse_args().results
    table = TASKS[read_json(path)["settings"]["task"]]()
    with np.load(path.with_suffix(".predictions.npz")) as stored:
        found = {name: stored[name] for name in stored.files}
    truth, fold = found.pop("truth"), found.pop("fold")
    distance = nearest_training(table, fold)
    for column, target in enumerate(table.targets):
        known = np.isfinite(truth[:, column]) & (fold >= 0)
        errors = {name: np.abs(rows[:, column] - truth[:, column]) for name, rows in found.items()}
        edges = np.quantile(distance[known], np.linspace(0, 1, SHARES + 1))
        for low, high in pairwise(edges):
            inside = known & (distance >= low) & (distance <= high)
            print(f"{target.name}, distance {low:.3f} to {high:.3f}, n {inside.sum()}: {_means(errors, inside)}")
        for words, chosen in (("value 0", truth[:, column] == 0), ("value above 0", truth[:, column] > 0)):
            if (known & (truth[:, column] == 0)).any():
                print(f"{target.name}, {words}, n {(known & chosen).sum()}: {_means(errors, known & chosen)}")
        for words, equal in (("equal", True), ("any", False)):
            print(f"{target.name}, one composition under {words} conditions: {repeated(table, column, equal)}")


def nearest_training(table: TaskTable, fold: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) Hellinger's distance √Σ(√p - √q)² of each composition to the nearest one of its training part."""
    roots = np.zeros((len(table), len(SYMBOLS)))
    for row, structure in enumerate(table.structures):
        for number, fraction in Material(structure=structure).composition.fractions:
            roots[row, number] = np.sqrt(fraction)
    distance = np.full(len(table), np.nan)
    for number in range(FOLDS):
        own, others = np.flatnonzero(fold == number), np.unique(roots[fold != number], axis=0)
        if len(own):
            distance[own] = np.sqrt(np.maximum(2 - 2 * roots[own] @ others.T, 0)).min(axis=1)
    return distance


def repeated(table: TaskTable, column: int, equal_conditions: bool) -> str:  # noqa: FBT001
    """How far several exact values of one composition (a group) lie from their mean."""
    measured: dict[object, list[float]] = defaultdict(list)
    for row in np.flatnonzero(np.isfinite(table.values[:, column]) & (table.bounds[:, column] == 0)):
        conditions = table.conditions[row].tobytes() if table.columns and equal_conditions else b""
        steps = str(table.steps[row]) if table.steps and equal_conditions else ""
        measured[table.groups[row], conditions, steps].append(float(table.values[row, column]))
    several = [np.array(values) for values in measured.values() if len(values) > 1]
    if not several:
        return "nothing was measured twice"
    deviations = np.concatenate([np.abs(values - values.mean()) for values in several])
    return f"{len(several)} with several values ({len(deviations)} rows), {deviations.mean():.3g} from their mean"


def _means(errors: dict[str, NDArray[np.float64]], chosen: NDArray[np.bool_]) -> str:
    return ", ".join(f"{name} {np.nanmean(error[chosen]):.4g}" for name, error in errors.items())


if __name__ == "__main__":
    main()
