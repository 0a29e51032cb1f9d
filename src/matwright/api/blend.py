"""A forest beside the networks of a training run: what each member leaves out, and the blend of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from matwright.api.assessment import Parts, Unseen, exact_targets
from matwright.api.train_settings import TrainSettings
from matwright.models.config import GemPpmConfig

if TYPE_CHECKING:
    from matwright.graphs.store import GraphStore
    from matwright.models.blend import Shares
    from matwright.models.scaled import ScaledModel


FEW = 100
"""Groups of dependent validation records below which training records that a member left out calibrate too."""


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
    # heavy (torch): behind its door
    from matwright.evaluation.records import record_fractions
    from matwright.models.blend import PARTS, parts_of

    part = parts_of(_groups(record_fractions(store, parts.train)), settings.seed)
    return lambda index: part == index % PARTS


def forest_beside(
    members: Sequence[ScaledModel],
    out: Path,
    settings: TrainSettings,
    config: GemPpmConfig,
    store: GraphStore,
    parts: Parts,
) -> tuple[Shares, Unseen | None]:
    """Learn the forest that suits these members from the training part, and write it into the folder `out`.

    Where the validation part has fewer than FEW compositions, return too what blends say of the training records that
    no part of them saw: a dozen alloys say too little of how far errors go (cross-conformal prediction, V. Vovk, Ann.
    Math. Artif. Intell. 74, 9 (2015)).
    """
    # heavy (torch): behind its door
    from matwright.evaluation.records import held_out_groups, predict_records, record_fractions
    from matwright.models.blend import PARTS, learn_shares, parts_of
    from matwright.models.blend_file import save_shares
    from matwright.models.flat import FlatLayout
    from matwright.models.interface import bare_prediction
    from matwright.uncertainty.ensemble import EnsembleModel

    at_home, exact = record_fractions(store, parts.train), ~np.isnan(exact_targets(store, parts.train))
    groups = _groups(at_home)
    part = parts_of(groups, settings.seed)
    few = len(np.unique(held_out_groups(record_fractions(store, parts.validation), at_home))) < FEW
    networks = {
        spec.name: bare_prediction(spec, np.full(len(groups), np.nan)) for spec in settings.specs if not spec.classes
    }
    for index, member in enumerate(members[:PARTS]):
        own = part == index
        if own.any():
            found = predict_records(member, store, parts.train[own]).properties
            for name, network in networks.items():
                network.mean[own], network.aleatoric[own] = found[name].mean, found[name].aleatoric
    if few:  # how far networks lie apart that all did not see a record: as on the validation part
        ensemble = predict_records(EnsembleModel(members), store, parts.validation).properties
        for name, network in networks.items():
            network.epistemic[:] = np.median(ensemble[name].epistemic)
    for column, spec in enumerate(settings.specs):
        if not spec.classes:
            networks[spec.name].mean[~exact[:, column]] = np.nan  # a bound does not judge
    layout = FlatLayout.of(config.conditions if config.fuses else None, store, parts.train)
    shares, properties = learn_shares(
        layout,
        layout.rows(store, parts.train),
        store.targets[parts.train],
        networks,
        part,
        settings.specs,
        seed=settings.seed,
        trees=settings.forest,
        counts=exact / np.bincount(groups)[groups][:, None],  # each composition once, however often measured
        judge=few,
    )
    save_shares(out, shares)
    return shares, Unseen(parts=part, properties=properties) if few and len(np.unique(part)) > 1 else None


def _groups(fractions: NDArray[np.float32]) -> NDArray[np.int64]:
    """(n_train,) the composition of each record, counted from 0; each record by itself where there are too few.

    From the (n_train, n_elements) atomic fractions.
    """
    # heavy (torch): behind its door
    from matwright.evaluation.records import compositions
    from matwright.models.blend import PARTS

    found = compositions(fractions)
    return found if found.max(initial=-1) + 1 >= PARTS else np.arange(len(found))
