"""The run of a compression: ask the teacher, train the student, measure both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from matwright.api.compress.files import keep_form, write_comparison
from matwright.api.compress.measuring import measure_forms
from matwright.api.compress.result import CONTENT_FILE, CompressResult, CompressSettings
from matwright.api.known_table import open_known_table
from matwright.api.labels import OtherLabels
from matwright.api.models import MODEL_FILE, model_hash
from matwright.api.parts import SplitMethod
from matwright.api.train import train
from matwright.api.train_settings import Loss, TrainSettings
from matwright.data.sources import existing_columns
from matwright.errors import InputError
from matwright.graphs.store import GraphStore
from matwright.materials.conditions import ConditionSchema
from matwright.materials.properties import PropertySpec, nearest_hint
from matwright.models.config import HeadKind
from matwright.models.forms import Form
from matwright.progress import Progress, silent

if TYPE_CHECKING:
    from matwright.api.predict import Predictor


def compress(
    teacher: Predictor,
    table: Path,
    settings: CompressSettings,
    *,
    out: Path,
    structure: str | None = None,
    columns: Mapping[str, str] | None = None,
    resume: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> CompressResult:
    """Train a student on the teacher's predictions for the materials of a table, and measure both.

    The folder `out` is a model like that of `train`, calibrated and judged on the known values of the table, with
    compression.csv and compression.json: errors, time and size of the teacher and of the student in several forms.

    Args:
        teacher: the model.
        table: materials with known values of the properties that the student shall predict.
        settings: what decides the result.
        out: a new folder, or with `resume` that of the interrupted run.
        structure: column of structures, where it is another than that of the training.
        columns: property → column of its known values, where they differ in name.
        resume: go on with the run in `out`.
        workers: processes that read structures.
        progress: told what goes on.

    Raises:
        InputError: the table has no known values of any property, or no test part.
    """
    listener = progress or silent()
    named = dict(columns or {})
    specs = _judged_specs(teacher, table, named)
    source = open_known_table(
        teacher.folder, table, specs, columns=named, structure=structure, split_column=settings.split.column
    )
    if resume and (out / CONTENT_FILE).is_file():
        raise InputError(f"the run in {out} is finished; there is nothing to resume")
    labels = OtherLabels(
        made_by={"teacher": teacher.name, "teacher_hash": model_hash(teacher.folder)},
        values=lambda store, told: _taught(teacher, specs, store, told),
    )
    facts = {"origin": f"predictions of {teacher.name}, distilled", "limits": [_LIMIT.format(teacher=teacher.name)]}
    leakage = ""
    if not (resume and (out / MODEL_FILE).is_file()):  # an interruption may fall between training and measuring
        student = _student(teacher, specs, settings, source.wanted.schema)
        leakage = train(
            source, student, out=out, resume=resume, workers=workers, facts=facts, labels=labels, progress=listener
        ).leakage
    listener.start("measuring forms")
    n_test, forms = measure_forms(teacher, out, specs, source.wanted.schema)
    kept = keep_form(out, forms) if settings.half else Form.FLOAT32.value
    result = CompressResult(
        folder=out, specs=specs, n_test=n_test, forms=forms, kept=kept, notes=_notes(leakage, settings)
    )
    write_comparison(result, teacher.name)
    listener.finish()
    return result


_LIMIT = "A student of {teacher}: where that is wrong, this repeats it; its errors on known values stand above."


def _judged_specs(teacher: Predictor, table: Path, named: Mapping[str, str]) -> tuple[PropertySpec, ...]:
    """The teacher's properties that the table has known values for."""
    if wrong := next((name for name in named if name not in teacher.specs), None):
        raise InputError(f"{teacher.name} predicts no {wrong!r}{nearest_hint(wrong, teacher.specs)}")
    columns = set(existing_columns(table))
    specs = tuple(spec for name, spec in teacher.specs.items() if named.get(name, name) in columns)
    if not specs:
        raise InputError(
            f"{table} has no column of known values to judge a student by; {teacher.name} predicts "
            f"{', '.join(teacher.specs)}"
        )
    return specs


def _student(
    teacher: Predictor, specs: tuple[PropertySpec, ...], settings: CompressSettings, schema: ConditionSchema | None
) -> TrainSettings:
    """The settings of a smaller network with heads of the teacher's kinds."""
    from matwright.models.checkpoint import read_model_file  # heavy (torch): behind its door

    config = read_model_file(teacher.folder).config
    kinds = {head.name: head.kind for head in config.heads}
    names = [spec.name for spec in specs]
    return TrainSettings(
        specs=specs,
        split=settings.split,
        protocol=settings.protocol,
        how=settings.how,
        members=1,
        loss=Loss.GAUSSIAN if HeadKind.GAUSSIAN in kinds.values() else Loss.MAE,
        conditions=schema,
        fusion=config.fusion,
        arrhenius=tuple(name for name in names if kinds[name] is HeadKind.ARRHENIUS),
        network=replace(config, residuals=(), reconstruction=0.0),
        sizes={"width": settings.width, "layers": settings.layers},
        seed=settings.seed,
    )


def _taught(
    teacher: Predictor, specs: Sequence[PropertySpec], store: GraphStore, progress: Progress
) -> NDArray[np.float64]:
    """(n, n_targets) the teacher's means; of a class the most probable one."""
    progress.start("asking the teacher", len(store))
    found = teacher.predict_store(store, progress=progress)
    progress.finish()
    columns = [
        np.argmax([found[f"{spec.name}={label}"].mean for label in spec.classes], axis=0).astype(np.float64)
        if spec.classes
        else found[spec.name].mean
        for spec in specs
    ]
    return np.column_stack(columns)


def _notes(leakage: str, settings: CompressSettings) -> tuple[str, ...]:
    notes = []
    if settings.split.method is not SplitMethod.COLUMN:
        notes.append(
            "The split is a new one: the teacher may have been trained on some of the test records, and its error here "
            "may flatter it. Give the teacher's own split with --split-column."
        )
    return (*notes, leakage) if leakage else tuple(notes)
