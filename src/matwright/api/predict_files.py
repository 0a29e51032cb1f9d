"""Predictions for the rows of files, as one table: in constant memory, whole or not at all."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from matwright.api.condition_ranges import RangeWatch
from matwright.api.predict import Predictor
from matwright.data.record import RawRow, Rejection, RejectionLog, parse_row
from matwright.errors import InputError, MatwrightError
from matwright.models.interface import Prediction
from matwright.progress import Progress, silent
from matwright.serialization import atomic_writer

if TYPE_CHECKING:
    from matwright.graphs.builder import Graph

COLUMNS = ("material", "property", "unit", "mean", "std", "lower", "upper", "level", "domain_score")
CHUNK = 256  # structures read before they are predicted together


def predict_rows(
    predictor: Predictor,
    rows: Iterable[RawRow],
    *,
    on_reject: Callable[[Rejection], None],
    watch: RangeWatch | None = None,
    without: Collection[str] = (),
    progress: Progress | None = None,
) -> Iterator[tuple[list[str], dict[str, Prediction]]]:
    """Yield (names, predictions by property) in chunks, in constant memory.

    Bad rows go to `on_reject` as they come; `watch` looks at the others and their conditions; properties named in
    `without` are left out.
    """
    from matwright.graphs.ragged import Labels  # behind its door: only prediction needs graphs

    listener, remaining = progress or silent(), iter(rows)
    listener.start("predicting")
    while chunk := list(islice(remaining, CHUNK)):
        good: list[RawRow] = []
        graphs: list[Graph] = []
        reduced: list[bool] = []
        for row in chunk:
            try:
                structure = parse_row(row)
                graphs.append(predictor.graph(structure))
                good.append(row)
                reduced.append(predictor.learned.reduces(structure))
            except MatwrightError as problem:
                on_reject(Rejection.of(row, problem))
        if watch is not None:
            for row, to_composition in zip(good, reduced, strict=True):
                watch.see(row.conditions, row.steps, reduced=to_composition)
        if graphs:
            values = np.array([row.conditions for row in good], dtype=np.float64).reshape(len(good), -1)
            labels = Labels.of_conditions(values, steps=[row.steps for row in good])
            found = predictor.predict_graphs(graphs, labels)
            if watch is not None and found:
                watch.judge(next(iter(found.values())).domain_score)
            yield [row.id for row in good], {name: found[name] for name in found if name not in without}
        listener.advance(len(chunk))
    listener.finish()


def prediction_rows(names: Sequence[str], predictions: Mapping[str, Prediction]) -> Iterator[list[str]]:
    """Yield one row of `COLUMNS` for each material and property, numbers to 6 significant digits, "" where unknown."""
    for index, name in enumerate(names):
        for prediction in predictions.values():
            numbers = (
                prediction.mean[index],
                prediction.std[index],
                prediction.lower[index],
                prediction.upper[index],
                prediction.level,
                prediction.domain_score[index],
            )
            shown = ["" if np.isnan(number) else f"{number:.6g}" for number in numbers]
            yield [name, prediction.spec.name, prediction.spec.unit, *shown]


def predict_to_stream(
    predictor: Predictor,
    rows: Iterable[RawRow],
    stream: TextIO,
    *,
    on_reject: Callable[[Rejection], None],
    watch: RangeWatch | None = None,
    without: Collection[str] = (),
    progress: Progress | None = None,
) -> int:
    """Write the predictions of all rows as CSV and return how many materials were predicted.

    The arguments are those of `predict_rows`.

    Raises:
        InputError: no row could be used.
    """
    writer, predicted, rejected = csv.writer(stream, lineterminator="\n"), 0, 0

    def reject(rejection: Rejection) -> None:
        nonlocal rejected
        rejected += 1
        on_reject(rejection)

    found = predict_rows(predictor, rows, on_reject=reject, watch=watch, without=without, progress=progress)
    for names, predictions in found:
        if predicted == 0:  # so that a run without any prediction leaves its reasons alone
            writer.writerow(COLUMNS)
        writer.writerows(prediction_rows(names, predictions))
        predicted += len(names)
    if predicted == 0:
        raise InputError(f"none of the {rejected} structures could be used")
    return predicted


def predict_to_file(
    predictor: Predictor,
    rows: Iterable[RawRow],
    out: Path,
    *,
    on_reject: Callable[[Rejection], None],
    overwrite: bool = False,
    strict: bool = False,
    watch: RangeWatch | None = None,
    without: Collection[str] = (),
    progress: Progress | None = None,
) -> int:
    """Write the predictions to the CSV file `out`, whole or not at all, and the rejected rows beside it.

    Args:
        predictor: makes the predictions.
        rows: of `read_inputs`.
        out: new file; rejected rows go to the file of `rejected_file`.
        on_reject: told of each rejected row too.
        overwrite: whether files that exist may be replaced.
        strict: raise for the first row that cannot be used.
        watch: looks at each material and its conditions.
        without: names of properties that are left out.
        progress: told of each row done.

    Raises:
        InputError: a file exists already, its folder does not, no row could be used, or a row with `strict`.
    """
    rejected = rejected_file(out)
    if not out.parent.is_dir():
        raise InputError(f"the folder {out.parent} does not exist")
    for path in (out, rejected):
        if path.exists() and not overwrite:
            raise InputError(f"{path} exists; give another --out, or --overwrite to replace it")
    rejected.unlink(missing_ok=True)
    with RejectionLog(rejected, strict=strict) as log, atomic_writer(out) as file:

        def reject(rejection: Rejection) -> None:
            log.add(rejection)
            on_reject(rejection)

        stream = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        count = predict_to_stream(
            predictor, rows, stream, on_reject=reject, watch=watch, without=without, progress=progress
        )
        stream.detach()
    return count


def rejected_file(out: Path) -> Path:
    """Return where the rejected rows of a prediction file stand: `pred.csv` → `pred.rejected.csv`."""
    return out.with_name(f"{out.stem}.rejected.csv")
