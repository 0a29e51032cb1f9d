"""The run of a distillation: sample, predict, search, judge, write; the searches are kept for a resumption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from matwright.api.distill.files import write_files
from matwright.api.distill.result import DistillResult, DistillSettings, JudgedFormula
from matwright.api.distill.table import predicted_number
from matwright.api.distill.task import Task, make_task
from matwright.api.models import model_hash
from matwright.api.sample import draw_sample
from matwright.data.record import RejectionLog
from matwright.data.sources import Source
from matwright.explain import expression
from matwright.explain.expression import Expression
from matwright.explain.symbolic import search, worthwhile
from matwright.materials.properties import PropertySpec
from matwright.progress import Progress, silent
from matwright.rng import derive_seed
from matwright.runs import RunFolder
from matwright.serialization import read_json, write_json

if TYPE_CHECKING:
    from matwright.api.predict import Predictor

KIND = "distill"
REJECTED_FILE, JOURNAL = "rejected.csv", "journal"


def distill(
    predictor: Predictor,
    source: Source,
    settings: DistillSettings,
    *,
    out: Path,
    resume: bool = False,
    progress: Progress | None = None,
) -> DistillResult:
    """Search short formulas that repeat the predictions of a model over the structures of a table.

    The folder `out` then holds formulas.csv, formulas.json (trees of operations, for `read_formulas`), front.png,
    report.html, rejected.csv and run.json.

    Args:
        predictor: the model.
        source: structures (with the model's conditions where it has some); known values where the property is a target.
        settings: what decides the result.
        out: a new folder, or with `resume` that of the interrupted run.
        resume: keep the searches that are done.
        progress: told of each search.

    Raises:
        InputError: the model predicts no such number, or too few rows have all descriptors.
        ResourceError: the library of the search is not installed.
    """
    spec, listener = predicted_number(predictor, settings.property), progress or silent()
    run = _claim(predictor, source, settings, out, resume=resume)
    with RejectionLog(run.file(REJECTED_FILE)) as log:
        sample = draw_sample(
            source,
            settings.rows,
            predictor,
            seed=settings.seed,
            on_reject=log.add,
            progress=listener,
        )
    task = make_task(sample, source.wanted.schema, spec, predictor, settings.seed, listener)
    found = _search(task, settings, run, listener)
    result = _judged(task, found, spec, settings.most, sample.rejected)
    write_files(result, run, predictor.name)
    run.finish({"formulas": len(result.formulas), "rejected": sample.rejected})
    return result


def _claim(predictor: Predictor, source: Source, settings: DistillSettings, out: Path, *, resume: bool) -> RunFolder:
    described = {**asdict(settings), "model": predictor.name, "model_hash": model_hash(predictor.folder)}
    data_hash = source.data_hash()
    if resume:
        return RunFolder.open_for_resume(out, kind=KIND, settings=described, seed=settings.seed, data_hash=data_hash)
    return RunFolder.create(out, kind=KIND, settings=described, seed=settings.seed, data_hash=data_hash)


def _search(task: Task, settings: DistillSettings, run: RunFolder, progress: Progress) -> list[Expression]:
    """The formulas of all restarts; those of a search that is on disk are read, not searched again."""
    values, wanted = task.part(task.train)
    progress.start("searching formulas", settings.restarts)
    found: list[Expression] = []
    for index in range(settings.restarts):
        path = run.file(JOURNAL, f"search-{index}.json")
        if path.exists():
            some = [expression.from_json(entry) for entry in read_json(path)]
        else:
            some = search(values, wanted, settings.search, seed=derive_seed(settings.seed, "search", index))
            write_json(path, [expression.as_json(formula) for formula in some])
        found += some
        progress.advance()
    progress.finish()
    return found


def _judged(task: Task, found: Sequence[Expression], spec: PropertySpec, most: int, rejected: int) -> DistillResult:
    values, wanted = task.part(task.train)
    chosen = worthwhile(found, values, wanted, most=most)
    held_out, aim = task.part(~task.train)
    truth = task.truth[~task.train]
    known = ~np.isnan(truth)
    judged = [_judge(formula, held_out, aim, truth) for formula in chosen]
    kept = tuple(formula for formula in judged if np.isfinite(formula.mae_to_model))
    notes = list(task.notes)
    if rejected:
        notes.append(f"{rejected} rows could not be used; {REJECTED_FILE} gives each reason.")
    if len(kept) < len(judged):
        notes.append(f"{len(judged) - len(kept)} formulas are undefined on a held-out row and were left out.")
    if known.any():
        notes.append("The model itself may have been trained on some of these rows; its error here may flatter it.")
    return DistillResult(
        spec=spec,
        formulas=kept,
        descriptors=task.descriptors,
        n_train=int(task.train.sum()),
        n_held_out=len(aim),
        n_truth=int(known.sum()),
        model_mae=float(np.abs(aim - truth)[known].mean()) if known.any() else None,
        notes=tuple(notes),
    )


def _judge(
    formula: Expression,
    values: Mapping[str, NDArray[np.float64]],
    wanted: NDArray[np.float64],
    truth: NDArray[np.float64],
) -> JudgedFormula:
    given, known = expression.evaluate(formula, values, len(wanted)), ~np.isnan(truth)
    spread = float(((wanted - wanted.mean()) ** 2).sum())
    return JudgedFormula(
        formula=formula,
        complexity=expression.complexity(formula),
        mae_to_model=float(np.abs(given - wanted).mean()),
        r2_to_model=1.0 - float(((given - wanted) ** 2).sum()) / spread if spread > 0 else float("nan"),
        mae_to_truth=float(np.abs(given - truth)[known].mean()) if known.any() else None,
    )
