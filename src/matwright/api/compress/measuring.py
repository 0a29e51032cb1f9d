"""Errors, time and size of a teacher and of its student in several forms, on the student's test part."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from matwright.api.assessment import exact_targets
from matwright.api.compress.result import TEACHER, FormReport
from matwright.api.conditions import coded_by
from matwright.api.train import SPLIT_FILE, STORE_FOLDER
from matwright.errors import CalculationError, InputError
from matwright.graphs.store import GraphStore
from matwright.materials.conditions import ConditionSchema
from matwright.materials.properties import PropertySpec
from matwright.models.forms import Form

if TYPE_CHECKING:
    from matwright.api.predict import Predictor
    from matwright.models.interface import PropertyModel

MOST_LOST = 0.01
"""Share by which a form may raise the error of any property and still count as equal."""
LEAST_GAIN = 1.1
"""Times faster or smaller from which on a form counts as a gain."""
TIMED, SINGLES, ROUNDS = 512, 100, 3
"""Test records that are timed in batches and one by one, and how often; the fastest round counts."""


def measure_forms(
    teacher: Predictor, out: Path, specs: Sequence[PropertySpec], schema: ConditionSchema | None
) -> tuple[int, tuple[FormReport, ...]]:
    """How many test records there are, and the reports of the teacher and of each form of the student in `out`.

    Args:
        teacher: the model.
        out: folder of the trained student.
        specs: the student's properties.
        schema: the conditions as the student's graphs code them: those of the teacher.

    Raises:
        InputError: the test part has no known value.
    """
    # heavy (torch): behind its door
    from matwright.models.checkpoint import load_members, read_model_file
    from matwright.models.compression import in_form, stored_bytes
    from matwright.training.compute import fast_mode
    from matwright.uncertainty.stored import load_plain_model

    store = GraphStore.open(out / STORE_FOLDER)
    test = _test_part(out, store)
    truth = exact_targets(store, test)
    described, old = read_model_file(out), read_model_file(teacher.folder)
    student, members = load_members(out, described)[0], load_members(teacher.folder, old)
    own = coded_by(store, schema, described.config.conditions)
    with fast_mode():
        ensemble = load_plain_model(teacher.folder, old)
        taught = _values(ensemble, store, test, specs)
        size = sum(stored_bytes(member, Form.FLOAT32) for member in members)
        rows = [_report(TEACHER, ensemble, store, test, specs, (truth, taught), size)]
        for form in Form:
            try:
                model = in_form(student, form)
            except CalculationError as error:
                rows.append(_impossible(form, specs, str(error)))
                continue
            row = _report(form.value, model, own, test, specs, (truth, taught), stored_bytes(student, form))
            if form is Form.FLOAT16:  # computed in single precision: what differs in time is noise
                row = replace(row, ms=rows[1].ms, per_second=rows[1].per_second)
            rows.append(row)
    return len(test), tuple(_with_verdict(row, rows) for row in rows)


def _test_part(out: Path, store: GraphStore) -> NDArray[np.int64]:
    with (out / SPLIT_FILE).open(encoding="utf-8", newline="") as file:
        parts = np.array([row["part"] for row in csv.DictReader(file)])
    if len(parts) != len(store):
        raise InputError(f"{out / SPLIT_FILE} does not belong to the graphs beside it")
    test = np.flatnonzero(parts == "test").astype(np.int64)
    if len(test) == 0:
        raise InputError("the split leaves no test part with known values; the student cannot be compared")
    return test


def _values(
    model: PropertyModel, store: GraphStore, indices: NDArray[np.int64], specs: Sequence[PropertySpec]
) -> NDArray[np.float64]:
    """(n, n_targets) means, and places of the most probable classes."""
    from matwright.evaluation.records import class_shares, predict_records

    found = predict_records(model, store, indices)
    columns = [
        class_shares(spec, found).argmax(axis=1).astype(np.float64)
        if spec.classes
        else found.properties[spec.name].mean
        for spec in specs
    ]
    return np.column_stack(columns)


def _report(
    name: str,
    model: PropertyModel,
    store: GraphStore,
    test: NDArray[np.int64],
    specs: Sequence[PropertySpec],
    against: tuple[NDArray[np.float64], NDArray[np.float64]],
    size: int,
) -> FormReport:
    values = _values(model, store, test, specs)
    truth, taught = against
    ms, per_second = _times(model, store, test)
    return FormReport(
        name=name,
        errors=_errors(values, truth, specs),
        to_teacher=_errors(values, taught, specs),
        ms=ms,
        per_second=per_second,
        kilobytes=size / 1000,
        verdict="",
    )


def _errors(
    values: NDArray[np.float64], wanted: NDArray[np.float64], specs: Sequence[PropertySpec]
) -> dict[str, float]:
    """By property: mean absolute difference, for a class the share that differs; NaN without a known value."""
    found = {}
    for column, spec in enumerate(specs):
        known = ~np.isnan(wanted[:, column])
        off = np.abs(values[known, column] - wanted[known, column])
        off = (off > 0).astype(np.float64) if spec.classes else off
        found[spec.name] = float(off.mean()) if known.any() else float("nan")
    return found


def _times(model: PropertyModel, store: GraphStore, test: NDArray[np.int64]) -> tuple[float, float]:
    """CPU milliseconds for one material alone, and materials a CPU second in batches; the fastest of some rounds."""
    from matwright.evaluation.records import predict_records

    many, single = test[:TIMED], test[:SINGLES]
    predict_records(model, store, many[:64])  # the first call is slower
    alone, together = [], []
    for _ in range(ROUNDS):
        start = time.process_time()
        predict_records(model, store, single, batch_size=1)
        alone.append((time.process_time() - start) / len(single))
        start = time.process_time()
        predict_records(model, store, many)
        together.append(len(many) / (time.process_time() - start))
    return 1000 * min(alone), max(together)


def _impossible(form: Form, specs: Sequence[PropertySpec], reason: str) -> FormReport:
    unknown = {spec.name: float("nan") for spec in specs}
    return FormReport(
        name=form.value, errors=unknown, to_teacher=unknown, ms=float("nan"), per_second=float("nan"),
        kilobytes=float("nan"), verdict=reason,
    )  # fmt: skip


def _with_verdict(row: FormReport, rows: Sequence[FormReport]) -> FormReport:
    if row.verdict:
        return row
    if row.name == TEACHER:
        return replace(row, verdict="what the student repeats")
    of_student = row.name == Form.FLOAT32
    base = next(other for other in rows if other.name == (TEACHER if of_student else Form.FLOAT32))
    faster, smaller = row.per_second / base.per_second, base.kilobytes / row.kilobytes
    lost = worst_loss(row.errors, base.errors)
    said = f"{faster:.2f} × the speed, {1 / smaller:.2f} × the size, errors {100 * lost:+.1f} % at worst"
    if of_student:
        return replace(row, verdict=f"{said}, against the teacher")
    return replace(row, verdict=f"{form_verdict(lost, faster, smaller)} ({said})")


def form_verdict(lost: float, faster: float, smaller: float) -> str:
    """Whether a form helps: it must cost no accuracy and no time, and gain time or size.

    Args:
        lost: largest relative rise of an error.
        faster: materials a second, as a multiple.
        smaller: how many times smaller.
    """
    gains = [word for word, gain in (("faster", faster), ("smaller", smaller)) if gain >= LEAST_GAIN]
    if lost > MOST_LOST:
        return "does not help: it costs accuracy"
    if faster < 1.0 / LEAST_GAIN:
        return "does not help: slower"
    return f"helps: {' and '.join(gains)}" if gains else "does not help: no gain"


def worst_loss(errors: Mapping[str, float], base: Mapping[str, float]) -> float:
    """The largest relative rise of an error; an error of 0 in both is no rise."""
    rises = [
        0.0 if errors[name] == value else (errors[name] - value) / value if value > 0 else float("inf")
        for name, value in base.items()
        if not np.isnan(value)
    ]
    return max(rises, default=0.0)
