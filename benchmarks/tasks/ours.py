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

NETWORK = "network alone"
FOREST = 50
"""Randomised trees beside the networks, of intensive targets: what grows with the cell has none."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How GEM-PPM is trained on a fold.

    Attributes:
        settings: of the fit.
        members: of the ensemble.
        model: fields of `GemPpmConfig` that differ from its defaults.
        forest: trees beside the ensemble (`models.blend`), 0 for none; with them each member leaves out a tenth of the
            groups, on which the weight of the forest is found.
    """

    settings: FitSettings
    members: int
    model: Mapping[str, Any] = field(default_factory=dict)
    forest: int = FOREST


def recipe(table: TaskTable, *, quick: bool = False, wanted: int | None = None) -> Recipe:
    """The shared defaults: small batches and more members for small tables, small networks for compositions.

    Tables of structures alone have two members. `wanted` steps, where stated, take the place of the default.
    """
    if not any(isinstance(structure, Composition) for structure in table.structures):
        return _of_structures(table, quick=quick, wanted=wanted)
    compositions = all(isinstance(structure, Composition) for structure in table.structures)
    few = len(table) < 1000
    steps = wanted or (40 if quick else 400 if few else 600 if compositions else 6000)
    batch = 32 if few else 64
    epochs = max(2, round(steps * batch / (0.8 * len(table))))
    sizes = {"layers": 1, "angular_order": 0} if compositions else {"layers": 3}
    model = {"composition": True, "dropout": 0.1, **sizes}
    members = 1 if quick else 2 if compositions and not few else 3
    return Recipe(settings=FitSettings(epochs=epochs, batch_size=batch), members=members, model=model)


def _of_structures(table: TaskTable, *, quick: bool, wanted: int | None) -> Recipe:
    few = len(table) < 2000
    steps = wanted or (40 if quick else 4000 if few else 5000)
    batch = 32 if few else 64
    settings = FitSettings(epochs=max(2, round(steps * batch / (0.8 * len(table)))), batch_size=batch)
    forest = 0 if any(target.extensive for target in table.targets) else FOREST
    model = {"composition": True, "dropout": 0.1, "layers": 3}
    return Recipe(settings=settings, members=1 if quick else 2, model=model, forest=forest)


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
) -> dict[str, NDArray[np.float64]]:
    """Name of the model → (n_test, n_targets) predictions, in units, of an ensemble trained on `train`.

    With a forest there are two: "gem_ppm", both together, and what the networks say without it.
    """
    from matwright.models.blend import PARTS, learn_shares, parts_of
    from matwright.models.flat import FlatLayout
    from matwright.models.interface import bare_prediction

    config = GemPpmConfig(
        heads=tuple(HeadConfig(name=target.name, kind=HeadKind.POINT) for target in table.targets),
        conditions=table.schema,
        fusion=fusion,
        bonds=any(isinstance(structure, Molecule) and structure.bonds is not None for structure in table.structures),
        graph=store.settings,
        **recipe.model,
    )
    known = train[np.isfinite(store.targets[train]).any(axis=1)]
    _, groups = np.unique(np.array(table.groups)[known], return_inverse=True)
    parts = parts_of(groups, seed) if recipe.forest else np.full(len(known), -1)
    unseen = np.full((len(known), len(table.targets)), np.nan)
    members = []
    for index in range(recipe.members):
        own = parts == index % PARTS
        asked = np.concatenate([test, known[own]])
        found = _member(table, store, config, recipe.settings, known[~own], asked, 1000 * seed + index)
        members.append(found[: len(test)])
        unseen[own] = found[len(test) :]
    mean: NDArray[np.float64] = np.mean(members, axis=0)
    if not recipe.forest:
        return {"gem_ppm": in_units(table, mean)}
    layout = FlatLayout.of(table.schema if config.fuses else None, store, known)
    features, asked = layout.rows(store, known), layout.rows(store, test)
    specs = _specs(table)
    networks = {spec.name: bare_prediction(spec, said) for spec, said in zip(specs, unseen.T, strict=True)}
    learned, _ = learn_shares(
        layout, features, store.targets[known], networks, parts, specs, seed=seed, trees=recipe.forest
    )
    shares = learned.shares
    print("  weights of the trees:", {name: share.weights for name, share in shares.items()}, flush=True)
    said = [shares[target.name].said(column, asked) for target, column in zip(table.targets, mean.T, strict=True)]
    blended = [weights @ parts for parts, weights, _ in said]
    return {"gem_ppm": in_units(table, np.stack(blended, axis=1)), f"gem_ppm, {NETWORK}": in_units(table, mean)}


def _specs(table: TaskTable) -> tuple[PropertySpec, ...]:
    return tuple(
        PropertySpec(name=target.name, unit=target.unit, intensive=not target.extensive) for target in table.targets
    )


def _member(
    table: TaskTable,
    store: GraphStore,
    config: GemPpmConfig,
    settings: FitSettings,
    train: NDArray[np.int64],
    asked: NDArray[np.int64],
    seed: int,
) -> NDArray[np.float64]:
    """(n_asked, n_targets) predictions, as learned, of one member trained on `train`."""
    import torch

    from matwright.models.gem_ppm import GemPpm
    from matwright.models.scaled import ScaledModel, TargetScale
    from matwright.training.compute import fast_mode
    from matwright.training.fit import FitData, fit

    specs = _specs(table)
    scale = TargetScale.fit(store.targets[train], store.atom_counts[train], specs)
    with fast_mode(), torch.random.fork_rng(), tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(seed)
        model = ScaledModel(GemPpm(config), specs, scale)
        model.measure(store, train)
        data = FitData(source=store, train=train, validation=train[:0])
        fit(model, data, replace(settings, save_seconds=1e9), folder=Path(folder), seed=seed)
        found = []
        for start in range(0, len(asked), 256):
            prediction = model.predict(store.batch(asked[start : start + 256]))
            found.append(np.stack([prediction.properties[spec.name].mean for spec in specs], axis=1))
    return np.concatenate(found)
