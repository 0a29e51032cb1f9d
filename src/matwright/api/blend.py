"""A forest beside the networks of a training run: what each member leaves out, and the blend of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from matwright.api.assessment import Parts, exact_targets
from matwright.api.train_settings import TrainSettings
from matwright.models.config import GemPpmConfig

if TYPE_CHECKING:
    from matwright.graphs.store import GraphStore
    from matwright.models.blend import Shares
    from matwright.models.scaled import ScaledModel


def check_forest(settings: TrainSettings) -> None:
    """Say before anything is read why a forest cannot stand beside these networks.

    Raises:
        InputError: a property is extensive or follows a law by construction, or scikit-learn is not installed.
    """
    if settings.forest:
        from matwright.models.blend import check_blend  # heavy (torch): behind its door
        from matwright.models.forest import grower

        check_blend(settings.config, settings.specs)
        grower()


def left_out(settings: TrainSettings, store: GraphStore, parts: Parts) -> Callable[[int], NDArray[np.bool_]]:
    """Return member → (n_train,) whether it does not see a record; no member leaves anything out without a forest."""
    if not settings.forest:
        return lambda _: np.zeros(len(parts.train), dtype=bool)
    from matwright.models.blend import PARTS, parts_of  # heavy (torch): behind its door

    part = parts_of(_groups(store, parts), settings.seed)
    return lambda index: part == index % PARTS


def forest_beside(
    members: Sequence[ScaledModel],
    out: Path,
    settings: TrainSettings,
    config: GemPpmConfig,
    store: GraphStore,
    parts: Parts,
) -> Shares:
    """Learn the forest that suits these members from the training part, and write it into the folder `out`."""
    # heavy (torch): behind its door
    from matwright.evaluation.records import predict_records
    from matwright.models.blend import PARTS, learn_shares, parts_of
    from matwright.models.blend_file import save_shares
    from matwright.models.flat import FlatLayout

    groups, names = _groups(store, parts), [spec.name for spec in settings.specs if not spec.classes]
    part = parts_of(groups, settings.seed)
    columns = np.array([column for column, spec in enumerate(settings.specs) if not spec.classes], dtype=np.int64)
    unseen = np.full((len(parts.train), len(settings.specs)), np.nan)
    for index, member in enumerate(members[:PARTS]):
        own = np.flatnonzero(part == index)
        if len(own):
            found = predict_records(member, store, parts.train[own]).properties
            unseen[np.ix_(own, columns)] = np.stack([found[name].mean for name in names], axis=1)
    exact = ~np.isnan(exact_targets(store, parts.train))
    unseen = np.where(exact, unseen, np.nan)  # a bound does not judge
    layout = FlatLayout.of(config.conditions if config.fuses else None, store, parts.train)
    features, targets = layout.rows(store, parts.train), store.targets[parts.train]
    shares = learn_shares(
        layout,
        features,
        targets,
        unseen,
        part,
        settings.specs,
        seed=settings.seed,
        trees=settings.forest,
        counts=exact / np.bincount(groups)[groups][:, None],  # each composition once, however often measured
    )
    save_shares(out, shares)
    return shares


def _groups(store: GraphStore, parts: Parts) -> NDArray[np.int64]:
    """(n_train,) the composition of each record, counted from 0."""
    from matwright.evaluation.records import record_fractions  # heavy (torch): behind its door

    fractions = np.round(record_fractions(store, parts.train), 3)
    _, groups = np.unique(fractions, axis=0, return_inverse=True)
    return np.asarray(groups.ravel(), dtype=np.int64)
