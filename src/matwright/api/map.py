"""Map: where the materials of a table lie in a model's embedding space, as an interactive page and a table."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from matwright.api.condition_ranges import FAR_FROM_DATA
from matwright.api.models import find_model, model_hash
from matwright.api.sample import drawn_rows
from matwright.data.record import RawRow, Rejection, RejectionLog, parse_row
from matwright.errors import InputError, MatwrightError
from matwright.progress import Progress, silent
from matwright.rng import generator
from matwright.runs import RunFolder
from matwright.serialization import atomic_write_text

if TYPE_CHECKING:
    from matwright.explain.maps import EmbeddingMap, Projection
    from matwright.explain.subject import Subject
    from matwright.graphs.batch import GraphBatch
    from matwright.models.checkpoint import ModelFile
    from matwright.models.interface import Prediction, PropertyModel

PAGE_FILE, TABLE_FILE, REJECTED_FILE = "map.html", "map.csv", "rejected.csv"
DEFAULT_SAMPLE = 20_000
CHUNK = 256  # materials predicted together

COLUMNS = (
    "material", "formula", "x", "y", "cluster", "unlike_training_data", "alone_on_the_map",
    "domain_score", "local_outlier_factor",
)  # fmt: skip
"""The predictions stand in further columns, each with its unit."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MappedMaterials:
    """The materials of a map, n of them in one order.

    Attributes:
        names, formulas: of each.
        elements: atomic numbers in each.
        predictions: one prediction of n values a property, by name.
        map: where they lie.
        n_rows: how many rows the table has; more than n when it was sampled or rows could not be used.
    """

    names: tuple[str, ...]
    formulas: tuple[str, ...]
    elements: tuple[frozenset[int], ...]
    predictions: Mapping[str, Prediction]
    map: EmbeddingMap
    n_rows: int

    @property
    def domain_score(self) -> NDArray[np.float64]:
        """(n,) how unlike the training data each is; NaN for a model that does not say."""
        return next(iter(self.predictions.values())).domain_score

    @property
    def is_far(self) -> NDArray[np.bool_]:
        """(n,) whether each is unlike the training data."""
        return np.asarray(self.domain_score >= FAR_FROM_DATA)

    @property
    def is_outlier(self) -> NDArray[np.bool_]:
        """(n,) whether each is unlike the training data, or alone on the map."""
        return np.asarray(self.is_far | self.map.is_local_outlier)

    def commonest_elements(self, cluster: int, n: int = 4) -> list[tuple[int, float]]:
        """Return (atomic number, share of the cluster's materials that hold it), the largest shares first."""
        chosen = np.flatnonzero(self.map.clusters == cluster)
        counts = Counter(number for index in chosen for number in self.elements[index])
        return [(number, count / len(chosen)) for number, count in sorted(counts.items(), key=lambda x: (-x[1], x[0]))][
            :n
        ]


def map_to_folder(
    model: str | Path,
    rows: Iterable[RawRow],
    out: Path,
    *,
    projection: Projection,
    sample: int = DEFAULT_SAMPLE,
    seed: int = 0,
    settings: Mapping[str, object] | None = None,
    on_reject: Callable[[Rejection], None],
    strict: bool = False,
    progress: Progress | None = None,
) -> MappedMaterials:
    """Write the page, the table and `run.json` into the new folder `out`.

    Args:
        model: a shipped model by name or a run folder of `train`.
        rows: of `read_inputs`.
        out: new folder; it is removed when nothing comes of the run.
        projection: how the coordinates are made.
        sample: at most this many rows, drawn at random; the page and the record say so.
        seed: of the sample and the projection.
        settings: what else determines the result, for `run.json`.
        on_reject: told of each row that cannot be used; they also stand in rejected.csv.
        strict: raise for the first row that cannot be used.
        progress: told of each row done.

    Raises:
        InputError: there is no such model, the folder is occupied, fewer than five rows could be used, or a row with
            `strict`.
    """
    # heavy (torch): behind its door
    from matwright.uncertainty.stored import load_property_model

    _check_libraries()
    folder = find_model(model)
    trained, described = load_property_model(folder)
    made_by = {"model": str(model), "model_hash": model_hash(folder), "projection": projection, "sample": sample}
    run = RunFolder.create(out, kind="map", settings={**made_by, **(settings or {})}, seed=seed)
    listener = progress or silent()
    with run.given_back_on_failure(), RejectionLog(run.file(REJECTED_FILE), strict=strict) as log:

        def reject(row: RawRow, problem: MatwrightError) -> None:
            rejection = Rejection.of(row, problem)
            log.add(rejection)
            on_reject(rejection)

        listener.start("drawing rows")
        chosen, n_rows = drawn_rows(rows, sample, generator(seed, "map", "rows"), listener)
        mapped = _mapped(trained, described, chosen, n_rows, projection, seed, reject, listener)
        atomic_write_text(run.file(TABLE_FILE), _table(mapped))
        from matwright.api.report.embedding_map import render_map  # heavy: behind its door

        atomic_write_text(run.file(PAGE_FILE), render_map(mapped, model=str(model), record=run.record))
        run.finish({"mapped": len(mapped.names), "rows": n_rows, "rejected": log.count})
    return mapped


def _check_libraries() -> None:
    try:
        # optional libraries, needed later
        import plotly  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError as error:
        raise InputError(f"{error.name} is not installed: pip install 'matwright[explain]'") from error


def _mapped(
    model: PropertyModel,
    described: ModelFile,
    rows: Sequence[RawRow],
    n_rows: int,
    projection: Projection,
    seed: int,
    reject: Callable[[RawRow, MatwrightError], None],
    progress: Progress,
) -> MappedMaterials:
    # heavy: behind their doors
    from matwright.evaluation.records import predict_records
    from matwright.explain.maps import draw_map
    from matwright.models.interface import join_predictions
    from matwright.training.compute import fast_mode

    chunks, found = [], []
    progress.start("predicting", len(rows))
    for chunk in _chunks(rows, described, reject, progress):
        with fast_mode():
            found.append(predict_records(model, chunk, np.arange(len(chunk.subjects))))
        chunk.subjects.clear()  # graphs are large
        chunks.append(chunk)
    progress.finish()
    if not found:
        raise InputError(f"none of the {len(rows)} structures could be used")
    joined = join_predictions(found)
    progress.start("drawing the map")
    drawn = draw_map(joined.embedding, projection=projection, seed=seed)
    progress.finish()
    return MappedMaterials(
        names=tuple(name for chunk in chunks for name in chunk.names),
        formulas=tuple(formula for chunk in chunks for formula in chunk.formulas),
        elements=tuple(elements for chunk in chunks for elements in chunk.elements),
        predictions=joined.properties,
        map=drawn,
        n_rows=n_rows,
    )


@final
@dataclass(slots=True)
class _Chunk:
    """Materials that are predicted together."""

    names: list[str] = field(default_factory=list)
    formulas: list[str] = field(default_factory=list)
    elements: list[frozenset[int]] = field(default_factory=list)
    subjects: list[Subject] = field(default_factory=list)

    def batch(self, indices: NDArray[np.int64]) -> GraphBatch:
        """The materials at `indices` as one batch."""
        from matwright.explain.subject import batch_of  # heavy (torch): behind its door

        return batch_of([self.subjects[index] for index in indices])


def _chunks(
    rows: Sequence[RawRow], described: ModelFile, reject: Callable[[RawRow, MatwrightError], None], progress: Progress
) -> Iterator[_Chunk]:
    # heavy: behind their doors
    from matwright.explain.explanation import formula_of
    from matwright.explain.subject import Subject, unknown_conditions

    unknown, chunk = unknown_conditions(described.config.conditions), _Chunk()
    for row in rows:
        try:
            structure = parse_row(row)
            graph = described.graph(structure)
        except MatwrightError as problem:
            reject(row, problem)
        else:
            chunk.names.append(row.id)
            chunk.formulas.append(formula_of(structure))
            chunk.elements.append(frozenset([*graph.numbers.tolist(), *graph.share_numbers.tolist()]))
            chunk.subjects.append(Subject(graph=graph, conditions=row.conditions or unknown, steps=row.steps))
        if len(chunk.subjects) == CHUNK:
            yield chunk
            chunk = _Chunk()
        progress.advance()
    if chunk.subjects:
        yield chunk


def _table(mapped: MappedMaterials) -> str:
    """The table as CSV text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    predictions = list(mapped.predictions.values())
    units = [f"{p.spec.name} ({p.spec.unit})" if p.spec.unit != "1" else p.spec.name for p in predictions]
    writer.writerow([*COLUMNS, *units])
    drawn = mapped.map
    for index, (name, formula) in enumerate(zip(mapped.names, mapped.formulas, strict=True)):
        x, y = drawn.coordinates[index]
        numbers = (mapped.domain_score[index], drawn.local_factor[index], *(p.mean[index] for p in predictions))
        shown = ["" if np.isnan(value) else f"{value:.6g}" for value in numbers]
        flags = ["yes" if flag else "no" for flag in (mapped.is_far[index], drawn.is_local_outlier[index])]
        cluster = str(drawn.clusters[index] or "")
        writer.writerow([name, formula, f"{x:.4f}", f"{y:.4f}", cluster, *flags, *shown])
    return text.getvalue()
