"""GEM-PPM on a task: graphs of all rows once, then an ensemble a fold; kind and number of rows set the defaults."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.graphs.store import GraphStore
from matwright.materials.composition import Composition
from matwright.materials.molecule import Molecule
from matwright.materials.properties import PropertySpec
from matwright.models.config import FusionMode, GemPpmConfig, HeadConfig, HeadKind
from matwright.training.settings import FitSettings
from tasks.table import TaskTable


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How GEM-PPM is trained on a fold.

    Attributes:
        settings: of the fit.
        members: of the ensemble.
        model: fields of `GemPpmConfig` that differ from its defaults.
    """

    settings: FitSettings
    members: int
    model: Mapping[str, Any] = field(default_factory=dict)


def recipe(table: TaskTable, *, quick: bool = False) -> Recipe:
    """The shared defaults: small tables train longer an epoch in small batches, crystals keep their own encoder."""
    compositions = sum(isinstance(structure, Composition) for structure in table.structures)
    few = len(table) < 1000
    steps = 40 if quick else 2400 if few else 6000
    batch = 32 if few else 64
    epochs = max(2, round(steps * batch / (0.8 * len(table))))
    model = {"composition": True, "dropout": 0.1, "layers": 2 if compositions == len(table) else 3}
    return Recipe(settings=FitSettings(epochs=epochs, batch_size=batch), members=1 if quick else 3, model=model)


def build_store(table: TaskTable, settings: Any = None) -> GraphStore:
    """Graphs, targets (log10 where the target says so), conditions and steps of all rows, in memory."""
    from matwright.graphs.builder import build_graph
    from matwright.graphs.ragged import Labels
    from matwright.graphs.settings import GraphSettings
    from matwright.graphs.store import pack

    chosen = settings or GraphSettings()
    conditions = table.conditions if table.columns else np.zeros((len(table), 0))
    labels = Labels.of_conditions(conditions, learned(table, table.values), table.step_rows())
    return pack(
        [build_graph(structure, chosen) for structure in table.structures],
        settings=chosen,
        labels=replace(labels, censored=table.bounds),
        target_names=[target.name for target in table.targets],
        condition_names=[column.name for column in table.columns],
    )


def learned(table: TaskTable, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, n_targets) as models learn them: the logarithm of targets over decades."""
    columns = [
        np.log10(column) if target.log else column for target, column in zip(table.targets, values.T, strict=True)
    ]
    return np.stack(columns, axis=1)


def in_units(table: TaskTable, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, n_targets) back in the unit of each target."""
    columns = [10.0**column if target.log else column for target, column in zip(table.targets, values.T, strict=True)]
    return np.stack(columns, axis=1)


def predict_fold(
    table: TaskTable,
    store: GraphStore,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    recipe: Recipe,
    *,
    seed: int,
    fusion: FusionMode = FusionMode.UNIFIED,
) -> NDArray[np.float64]:
    """(n_test, n_targets) predictions, in units, of an ensemble trained on `train`."""
    config = GemPpmConfig(
        heads=tuple(HeadConfig(name=target.name, kind=HeadKind.POINT) for target in table.targets),
        conditions=table.schema,
        fusion=fusion,
        bonds=any(isinstance(structure, Molecule) and structure.bonds is not None for structure in table.structures),
        graph=store.settings,
        **recipe.model,
    )
    members = [
        _member(table, store, config, recipe.settings, train, test, 1000 * seed + index)
        for index in range(recipe.members)
    ]
    return in_units(table, np.mean(members, axis=0))


def _member(
    table: TaskTable,
    store: GraphStore,
    config: GemPpmConfig,
    settings: FitSettings,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    seed: int,
) -> NDArray[np.float64]:
    """(n_test, n_targets) predictions of one member, as learned."""
    import torch

    from matwright.models.gem_ppm import GemPpm
    from matwright.models.scaled import ScaledModel, TargetScale
    from matwright.training.compute import fast_mode
    from matwright.training.fit import FitData, fit

    specs = tuple(
        PropertySpec(name=target.name, unit=target.unit, intensive=not target.extensive) for target in table.targets
    )
    known = train[np.isfinite(store.targets[train]).any(axis=1)]
    scale = TargetScale.fit(store.targets[known], store.atom_counts[known], specs)
    with fast_mode(), torch.random.fork_rng(), tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(seed)
        model = ScaledModel(GemPpm(config), specs, scale)
        model.measure(store, known)
        data = FitData(source=store, train=known, validation=known[:0])
        fit(model, data, replace(settings, save_seconds=1e9), folder=Path(folder), seed=seed)
        found = []
        for start in range(0, len(test), 256):
            prediction = model.predict(store.batch(test[start : start + 256]))
            found.append(np.stack([prediction.properties[spec.name].mean for spec in specs], axis=1))
    return np.concatenate(found)
