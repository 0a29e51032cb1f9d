"""A sample of a table in memory: structures with their graphs, conditions and known values, drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from matwright.data.record import RawRow, Rejection, parse_row
from matwright.data.sources import Source
from matwright.errors import InputError, MatwrightError
from matwright.graphs.settings import GraphSettings
from matwright.materials.material import Structure
from matwright.progress import Progress, silent
from matwright.rng import generator

if TYPE_CHECKING:
    from matwright.api.predict import Predictor
    from matwright.graphs.builder import Graph
    from matwright.graphs.store import GraphStore


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """Some rows of a table.

    Attributes:
        ids: (n,) names.
        structures: (n,).
        store: their graphs with conditions as the source codes them, and targets.
        rejected: rows that could not be used.
    """

    ids: tuple[str, ...]
    structures: tuple[Structure, ...]
    store: GraphStore
    rejected: int

    @property
    def truth(self) -> NDArray[np.float64]:
        """(n, n_targets) known values; NaN where missing or only a bound."""
        return np.where(self.store.censored == 0, self.store.targets, np.nan)


def draw_sample(
    source: Source,
    most: int,
    predictor: Predictor,
    *,
    seed: int,
    on_reject: Callable[[Rejection], None],
    progress: Progress | None = None,
) -> Sample:
    """Draw at most `most` rows of a source, all rows alike, and read their structures as the model sees them.

    Raises:
        InputError: no row could be used.
    """
    listener = progress or silent()
    listener.start("drawing rows")
    rows, _ = drawn_rows(source.rows(), most, generator(seed, "rows"), listener)
    listener.start("reading structures", len(rows))
    kept, structures, graphs = [], [], []
    for row in rows:
        try:
            structure = predictor.learned.seen(parse_row(row))
            graphs.append(predictor.graph(structure))
        except MatwrightError as problem:
            on_reject(Rejection.of(row, problem))
        else:
            kept.append(row)
            structures.append(structure)
        listener.advance()
    listener.finish()
    if not kept:
        raise InputError(f"none of the {len(rows)} rows of {source.path} could be used")
    store = _packed(kept, graphs, predictor.graph_settings, source)
    ids = tuple(row.id for row in kept)
    return Sample(ids=ids, structures=tuple(structures), store=store, rejected=len(rows) - len(kept))


def drawn_rows(
    rows: Iterable[RawRow], most: int, rng: np.random.Generator, progress: Progress
) -> tuple[list[RawRow], int]:
    """Return at most `most` rows, each with equal chance, in their order, and how many there were (reservoir)."""
    kept: list[tuple[int, RawRow]] = []
    place = -1
    for place, row in enumerate(rows):
        if len(kept) < most:
            kept.append((place, row))
        elif (drawn := int(rng.integers(place + 1))) < most:
            kept[drawn] = (place, row)
        progress.advance()
    return [row for _, row in sorted(kept, key=lambda pair: pair[0])], place + 1


def _packed(rows: list[RawRow], graphs: list[Graph], settings: GraphSettings, source: Source) -> GraphStore:
    from matwright.graphs.ragged import Labels
    from matwright.graphs.store import pack

    n_targets, schema = len(source.targets), source.wanted.schema
    labels = Labels.of_conditions(
        np.array([row.conditions for row in rows], dtype=np.float64).reshape(len(rows), -1),
        np.array([row.targets for row in rows], dtype=np.float64).reshape(len(rows), n_targets),
        [row.steps for row in rows],
    )
    signs = np.array([row.censored or (0,) * n_targets for row in rows], dtype=np.int8).reshape(len(rows), n_targets)
    return pack(
        graphs,
        settings=settings,
        labels=replace(labels, censored=signs),
        target_names=[spec.name for spec in source.targets],
        condition_names=() if schema is None else schema.names,
        ids=[row.id for row in rows],
    )
