"""Errors of predictions over folds, and the file that keeps them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matwright.runs import provenance
from matwright.serialization import atomic_write_bytes, read_json, write_json
from tasks.table import TaskTable

MEASURES = ("mae", "rmse", "r2")


def fold_scores(
    truth: NDArray[np.float64], predicted: NDArray[np.float64], bounds: NDArray[np.int8]
) -> list[dict[str, float]]:
    """MAE, RMSE (unit of the target) and R² of each target on one fold, rows without a value left out.

    Args:
        truth: (n, n_targets), NaN where not known.
        predicted: (n, n_targets).
        bounds: (n, n_targets) -1 or +1 where the truth is an upper or lower bound: a prediction on its right side
            has no error.
    """
    found = []
    for values, guesses, signs in zip(truth.T, predicted.T, bounds.T, strict=True):
        known = np.isfinite(values)
        errors = guesses[known] - values[known]
        errors = np.where(
            signs[known] < 0, np.maximum(errors, 0), np.where(signs[known] > 0, np.minimum(errors, 0), errors)
        )
        spread = np.square(values[known] - values[known].mean()).sum()
        found.append(
            {
                "mae": float(np.abs(errors).mean()),
                "rmse": float(np.sqrt(np.square(errors).mean())),
                "r2": float(1 - np.square(errors).sum() / spread) if spread > 0 else float("nan"),
                "n": int(known.sum()),
            }
        )
    return found


def summary(table: TaskTable, scores: Sequence[Sequence[dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Target → mean of each measure over folds, and the standard deviation of the MAE over folds as "spread"."""
    found = {}
    for place, target in enumerate(table.targets):
        rows = [fold[place] for fold in scores]
        found[target.name] = {name: float(np.mean([row[name] for row in rows])) for name in MEASURES}
        found[target.name]["spread"] = float(np.std([row["mae"] for row in rows]))
    return found


def print_summary(table: TaskTable, model: str, found: dict[str, dict[str, float]], seconds: float) -> None:
    """One line a target: model, MAE ± spread over folds, RMSE and R²."""
    for target in table.targets:
        row = found[target.name]
        print(
            f"{table.name:18s} {target.name:28s} {model:18s} MAE {row['mae']:9.4g} ± {row['spread']:<8.2g} "
            f"{target.unit:12s} RMSE {row['rmse']:9.4g}  R² {row['r2']:6.3f}  ({seconds:.0f} CPU-s)",
            flush=True,
        )


def kept(path: Path | None, key: dict[str, Any]) -> dict[str, Any]:
    """What a results file of the same settings holds: model → result; empty where there is none.

    Raises:
        SystemExit: the file was written with other settings.
    """
    if path is None or not path.exists():
        return {}
    content = read_json(path)
    if content["settings"] != key:
        raise SystemExit(f"{path} holds results of other settings ({content['settings']}); choose another --out")
    return dict(content["models"])


def keep(path: Path | None, key: dict[str, Any], models: dict[str, Any]) -> None:
    """Write the results so far, with what made them."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"settings": key, "models": models, "made_by": provenance()})


def keep_predictions(path: Path | None, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Add arrays to the file of predictions that stands beside the results, in the place of those of the same name."""
    if path is not None:
        beside = path.with_suffix(".predictions.npz")
        older: dict[str, NDArray[Any]] = {}
        if beside.exists():
            with np.load(beside) as stored:
                older = {name: stored[name] for name in stored.files}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **older | dict(arrays))  # type: ignore[arg-type]
        atomic_write_bytes(beside, buffer.getvalue())
