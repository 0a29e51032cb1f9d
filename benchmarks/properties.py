"""Properties of real tables: GEM-PPM beside random forest and gradient boosting, five-fold cross-validation.

    python benchmarks/properties.py --task superalloys --out build/superalloys.json

prints, for every target and model, the mean absolute error over the five test folds and its standard deviation over
them, RMSE and R². Rows of one composition stay in one fold (Matbench: the official folds). The baselines see matminer's
Magpie features of the composition, the raw conditions, the processing steps laid flat and, for crystals, volume,
density, packing and space group; GEM-PPM sees structure, conditions and steps. Folds, log scales and censored values
are the same for all. Models already in the file --out are not trained again; beside it stand the predictions of every
row by models that did not see it (`.predictions.npz`: by model, and truth and fold), to analyse the errors. Needs the
extra `bench` and the tables in the folder MATWRIGHT_DATA (default ../shared/data).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tasks import TASKS, classical, ours
from tasks.ours import NETWORK
from tasks.scores import fold_scores, keep, keep_predictions, kept, print_summary, summary
from tasks.table import FOLDS, TaskTable, folds

from matwright.models.baselines import TREES, ClassicalKind
from matwright.models.config import FusionMode
from matwright.runs import provenance
from matwright.training.compute import fast_mode

MODELS = (*(str(kind) for kind in ClassicalKind), "gem_ppm")
Fold = tuple[NDArray[np.int64], NDArray[np.int64]]
Predict = Callable[[Fold, int], dict[str, NDArray[np.float64]]]


def main() -> None:
    """Cross-validate the models on the tasks asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=(*TASKS, "all"), required=True)
    parser.add_argument("--models", default=",".join(MODELS), help=f"also fusion:MODE, {', '.join(FusionMode)}")
    parser.add_argument("--folds", type=int, default=FOLDS, help="how many of the five are run")
    parser.add_argument("--out", type=Path, help="JSON file of the results (a folder with --task all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--members", type=int, help="of the ensemble, instead of the default")
    parser.add_argument("--steps", type=int, help="optimiser steps of a member, instead of the default")
    parser.add_argument("--forest", type=int, help="trees beside the networks, instead of the default; 0 for none")
    parser.add_argument("--quick", action="store_true", help="a smoke run: few rows, trees and steps, two folds")
    arguments = parser.parse_args()
    names = tuple(TASKS) if arguments.task == "all" else (arguments.task,)
    for name in names:
        out = arguments.out
        if out is not None and len(names) > 1:
            out = out / f"{name}.json"
        with fast_mode():
            run_task(name, arguments, out)


def run_task(name: str, arguments: argparse.Namespace, out: Path | None) -> None:
    """Cross-validate the models on one task and print a line for each target and model."""
    table = TASKS[name]()
    if arguments.quick:
        table = first_rows(table, 120)
    split = folds(table, arguments.seed)[: 2 if arguments.quick else arguments.folds]
    key = {"task": name, "rows": len(table), "seed": arguments.seed, "quick": arguments.quick}
    key |= {"folds": len(split)} if len(split) < FOLDS else {}
    key |= {"steps": arguments.steps} if arguments.steps else {}
    done = kept(out, key)
    said = f"{len(split)} of {FOLDS} folds by {table.grouping}, seed {arguments.seed}, commit {_commit()}"
    print(f"{name}: {len(table)} rows, {said}", flush=True)
    if table.note:
        print(f"  ({table.note})")
    for model in arguments.models.split(","):
        if model not in done:
            results, predicted = cross_validated(table, split, predictor(model, table, arguments, out))
            done |= {name: {**found, "commit": _commit()} for name, found in results.items()}
            keep(out, key, done)
            keep_predictions(out, {"truth": table.values, "fold": fold_of_row(len(table), split), **predicted})
        for shown in [known for known in done if known in (model, f"{model}, {NETWORK}")]:
            print_summary(table, shown, done[shown]["summary"], done[shown]["cpu_seconds"])


def cross_validated(
    table: TaskTable, split: list[Fold], predict: Predict
) -> tuple[dict[str, dict[str, Any]], dict[str, NDArray[np.float64]]]:
    """By model: scores of every fold, their summary and the CPU seconds; and (n, n_targets) predictions of all rows."""
    start = time.process_time()
    scores: dict[str, list[list[dict[str, float]]]] = {}
    predicted: dict[str, NDArray[np.float64]] = {}
    for number, (train, test) in enumerate(split):
        for name, found in predict((train, test), number).items():
            predicted.setdefault(name, np.full(table.values.shape, np.nan))[test] = found
            scores.setdefault(name, []).append(fold_scores(table.values[test], found, table.bounds[test]))
            means = ", ".join(
                f"{target.name} {row['mae']:.4g}" for target, row in zip(table.targets, scores[name][-1], strict=True)
            )
            print(f"  fold {number + 1}, {name}: {means}", flush=True)
    seconds = time.process_time() - start
    results = {
        name: {"summary": summary(table, rows), "folds": rows, "cpu_seconds": seconds} for name, rows in scores.items()
    }
    return results, predicted


def fold_of_row(rows: int, split: list[Fold]) -> NDArray[np.int64]:
    """(rows,) in which fold each row is tested, -1 for none."""
    found = np.full(rows, -1)
    for number, (_, test) in enumerate(split):
        found[test] = number
    return found


def predictor(model: str, table: TaskTable, arguments: argparse.Namespace, out: Path | None) -> Predict:
    """The function that trains a model on one part of a fold and predicts the other."""
    if model == "gem_ppm" or model.startswith("fusion:"):
        fusion = FusionMode(model.removeprefix("fusion:")) if model != "gem_ppm" else FusionMode.UNIFIED
        recipe = ours.recipe(table, quick=arguments.quick, wanted=arguments.steps)
        recipe = recipe if arguments.members is None else replace(recipe, members=arguments.members)
        recipe = recipe if arguments.forest is None else replace(recipe, forest=arguments.forest)
        print(f"  {model}: {recipe.members} members, {dict(recipe.model)}, {_changed(recipe)}", flush=True)
        store = ours.build_store(table)
        return lambda fold, number: {
            name.replace("gem_ppm", model): found
            for name, found in ours.predict_fold(
                table, store, *fold, recipe, seed=arguments.seed * 100 + number, fusion=fusion
            ).items()
        }
    kind = ClassicalKind(model)
    cache = None if out is None or arguments.quick else out.with_suffix(".magpie.npz")
    features = classical.flat_features(table, cache)
    trees = 20 if arguments.quick else TREES
    return lambda fold, _: {
        model: classical.predict_fold(table, features, *fold, kind, seed=arguments.seed, trees=trees)
    }


def _changed(recipe: ours.Recipe) -> dict[str, Any]:
    from matwright.training.settings import FitSettings

    usual = asdict(FitSettings(epochs=1))
    return {name: value for name, value in asdict(recipe.settings).items() if value != usual[name]}


def first_rows(table: TaskTable, count: int) -> TaskTable:
    """The task on `count` rows spread over the table."""
    rows = np.unique(np.linspace(0, len(table) - 1, count).astype(int))
    return replace(
        table,
        structures=tuple(table.structures[row] for row in rows),
        values=table.values[rows],
        groups=tuple(table.groups[row] for row in rows),
        censored=None if table.censored is None else table.censored[rows],
        conditions=table.conditions[rows] if table.columns else table.conditions,
        steps=tuple(table.steps[row] for row in rows) if table.steps else (),
        numbers=None if table.numbers is None else table.numbers[rows],
    )


def _commit() -> str:
    return str(provenance()["commit"] or "unknown")[:7]


if __name__ == "__main__":
    main()
