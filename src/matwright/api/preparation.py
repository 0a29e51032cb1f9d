"""Before training: the graphs of a source, the parts that hold labels, and the network that suits the data."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from matwright.api.assessment import Parts
from matwright.api.conditions import trained_schema
from matwright.api.train_settings import TrainSettings
from matwright.data.record import Rejection, RejectionLog, parse_row
from matwright.data.sources import Source
from matwright.errors import InputError
from matwright.graphs.packing import build_store
from matwright.graphs.store import GraphStore
from matwright.graphs.writer import RowPlace
from matwright.models.config import GemPpmConfig
from matwright.progress import Progress

REJECTED_FILE = "rejected.csv"


def graphs_of(
    source: Source,
    settings: TrainSettings,
    data_hash: str,
    folder: Path,
    out: Path,
    workers: int,
    strict: bool,  # noqa: FBT001
    progress: Progress,
) -> tuple[GraphStore, int]:
    """Return the graph store of the source, built or found, and how many rows could not be used."""
    first: list[Rejection] = []
    with RejectionLog(out / REJECTED_FILE, strict=strict) as log:

        def reject(row: RowPlace, reason: str) -> None:
            rejection = Rejection(file=row.file, row=row.number, id=row.id, reason=" ".join(reason.split()))
            first[:] = first or [rejection]
            log.add(rejection)

        try:
            store = build_store(
                source.rows(),
                parse_row,
                folder,
                source_hash=data_hash,
                target_names=[spec.name for spec in settings.specs],
                condition_names=() if settings.conditions is None else settings.conditions.names,
                settings=settings.config.graph,
                workers=workers,
                on_reject=reject,
                progress=progress,
            )
        except InputError as error:
            if strict or not first:
                raise
            raise InputError(f"{error}; the first: {first[0]}") from error
    return store, log.count


def labelled(parts: Parts, store: GraphStore, *, keep_train: bool) -> Parts:
    """Return the parts without the records that state no target; those to train on may be kept."""
    known = np.asarray(~np.isnan(store.targets).all(axis=1))
    found = Parts(**{name: at[known[at]] for name, at in asdict(parts).items()})
    found = replace(found, train=parts.train) if keep_train else found
    for name, at in (("training", found.train), ("validation", found.validation)):
        if len(at) == 0:
            raise InputError(f"no record of the {name} part states a target")
    return found


def suited(
    base: GemPpmConfig, settings: TrainSettings, source: Source, store: GraphStore, parts: Parts
) -> GemPpmConfig:
    """Return the network for these data: with the words that the training part knows, and views that it can use."""
    schema = settings.conditions
    known = None if schema is None else trained_schema(schema, store, parts.train)
    config = replace(base, conditions=known)
    if settings.network is not None:
        return config
    reading = source.wanted.reading
    composition = reading.percents is not None or reading.formula is not None
    bare = composition and reading.structure is None  # formulas alone, which have no directions
    return replace(
        config,
        composition=composition,
        angular_order=0 if bare else config.angular_order,
        bonds=bool(store.bond_counts[parts.train].any()),
    )
