"""Random forest and gradient boosting on a task: Magpie features, raw conditions, steps and structural numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matwright.materials.material import Material
from matwright.models.baselines import (
    ClassicalKind,
    ClassicalRegressor,
    flat_conditions,
    flat_steps,
    magpie_features,
)
from tasks.ours import in_units, learned
from tasks.table import TaskTable


def flat_features(table: TaskTable, cache: Path | None) -> NDArray[np.float64]:
    """(n, n_features) of all rows; the Magpie part is kept in the file `cache`, where one is named."""
    if cache is not None and cache.exists():
        with np.load(cache) as stored:
            magpie = stored["magpie"]
    else:
        magpie = magpie_features([Material(structure=structure).composition for structure in table.structures])
        if cache is not None:
            cache.parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(cache, magpie=magpie)
    parts = [magpie]
    if table.columns:
        parts.append(flat_conditions(table.columns, table.conditions))
    schema = table.schema
    if schema is not None and schema.steps is not None:
        operations, coolings = len(schema.steps.operations), len(schema.steps.coolings)
        parts.append(flat_steps(table.step_rows(), n_operations=operations, n_coolings=coolings))
    if table.numbers is not None:
        parts.append(table.numbers)
    joined = np.concatenate(parts, axis=1)
    return np.where(np.isfinite(joined), joined, np.nan)


def predict_fold(
    table: TaskTable,
    features: NDArray[np.float64],
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    kind: ClassicalKind,
    *,
    seed: int,
    trees: int,
) -> NDArray[np.float64]:
    """(n_test, n_targets) predictions, in units; one regressor a target, a censored value taken as it stands."""
    values = learned(table, table.values)
    predicted = []
    for column in values.T:
        known = train[np.isfinite(column[train])]
        regressor = ClassicalRegressor(kind=kind, seed=seed, trees=trees)
        regressor.fit(features[known], column[known], [table.groups[row] for row in known])
        predicted.append(regressor.predict(features[test]))
    return in_units(table, np.stack(predicted, axis=1))
