"""Cross-validation: the same training on every fold, each record tested once, and the errors with their spread."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np

from matwright.api.parts import SplitMethod
from matwright.api.train import train
from matwright.api.train_settings import TrainSettings
from matwright.data.sources import Source
from matwright.errors import InputError
from matwright.progress import Progress, prefixed, silent
from matwright.runs import RUN_FILE, RunFolder
from matwright.serialization import atomic_write_text, read_json, write_json

KIND = "folds"
TABLE_FILE, SUMMARY_FILE, STORE_FOLDER = "folds.csv", "folds.json", "store"
NUMBER_METRICS = ("mae", "rmse", "r2", "mape", "largest", "crps", "nll", "spearman", "coverage 0.9")
CLASS_METRICS = ("auc", "f1", "accuracy", "balanced_accuracy", "nll")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """One number over the folds.

    Attributes:
        mean, std, least, largest: over the folds that have the number; `std` is that of a sample, NaN for one fold.
        folds: (n_folds,) the numbers, NaN where a fold has none.
    """

    mean: float
    std: float
    least: float
    largest: float
    folds: tuple[float, ...]

    @classmethod
    def of(cls, numbers: Sequence[float | None]) -> Spread:
        """The spread of these numbers; at least one is known."""
        folds = tuple(float("nan") if number is None else float(number) for number in numbers)
        known = np.array([number for number in folds if not np.isnan(number)])
        return cls(
            mean=float(known.mean()),
            std=float(known.std(ddof=1)) if len(known) > 1 else float("nan"),
            least=float(known.min()),
            largest=float(known.max()),
            folds=folds,
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FoldsResult:
    """A finished cross-validation.

    Attributes:
        folder: which holds `fold-<k>` with a trained model each, folds.csv and folds.json.
        summary: the spread of each metric, by property; errors in the property's unit, MAPE as a share.
        units: by property, "" for classes.
    """

    folder: Path
    summary: Mapping[str, Mapping[str, Spread]]
    units: Mapping[str, str]


def cross_validate(
    source: Source,
    settings: TrainSettings,
    *,
    folds: int,
    out: Path,
    resume: bool = False,
    workers: int | None = None,
    strict: bool = False,
    store_folder: Path | None = None,
    progress: Progress | None = None,
) -> FoldsResult:
    """Train and test once a fold, with what the split keeps together in one fold (formulas by default).

    A run that was interrupted goes on with `resume`: finished folds are kept, the unfinished one goes on.

    Args:
        source: as for `train`.
        settings: of the training; the method of its split says what stays together.
        folds: number of folds, at least 2.
        out: a new folder, or with `resume` that of the interrupted run.
        resume, workers, strict: as for `train`.
        store_folder: where the graphs are kept; by default within `out`.
        progress: told what goes on.

    Raises:
        InputError: as for `train`, or there are fewer than 2 folds, or the split is given by a column.
    """
    if folds < 2:
        raise InputError(f"a cross-validation has at least 2 folds, found {folds}")
    if settings.split.method is SplitMethod.COLUMN:
        raise InputError("a cross-validation makes its own parts: give a split method, not a split column")
    run = _claim(out, settings, folds, source.data_hash(), resume=resume)
    listener = progress or silent()
    reports = []
    for fold in range(1, folds + 1):
        own = replace(settings, split=replace(settings.split, folds=folds, fold=fold))
        folder = out / f"fold-{fold}"
        record = read_json(folder / RUN_FILE) if (folder / RUN_FILE).is_file() else None
        if record is None or record["finished"] is None:
            train(
                source,
                own,
                out=folder,
                resume=record is not None,
                workers=workers,
                strict=strict,
                store_folder=store_folder or out / STORE_FOLDER,
                progress=prefixed(listener, f"fold {fold} of {folds}: "),
            )
        reports.append(read_json(folder / RUN_FILE)["results"]["metrics"]["test"])
    result = FoldsResult(
        folder=out,
        summary=summarise(reports),
        units={spec.name: "" if spec.classes else spec.unit for spec in settings.specs},
    )
    _write(result, reports)
    run.finish({"summary": {name: {m: asdict(s) for m, s in found.items()} for name, found in result.summary.items()}})
    return result


def summarise(reports: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, Spread]]:
    """Return the spread of each metric by property, over the test reports of the folds."""
    names = dict.fromkeys(name for report in reports for name in report)
    summary: dict[str, dict[str, Spread]] = {}
    for name in names:
        own = [report.get(name) for report in reports]
        first = next(report for report in own if report is not None)
        metrics = CLASS_METRICS if "accuracy" in first else NUMBER_METRICS
        numbers = {metric: [None if one is None else _number(one, metric) for one in own] for metric in metrics}
        summary[name] = {metric: Spread.of(values) for metric, values in numbers.items() if _any_known(values)}
    return summary


def _number(report: Mapping[str, Any], metric: str) -> float | None:
    name, _, level = metric.partition(" ")
    value = report[name].get(level) if level else report[name]
    return None if value is None else float(value)


def _any_known(values: Sequence[float | None]) -> bool:
    return any(value is not None and not np.isnan(value) for value in values)


def describe(result: FoldsResult) -> list[str]:
    """Return one line a property for the terminal."""
    lines = []
    for name, found in result.summary.items():
        unit = f" {result.units[name]}" if result.units[name] else ""
        words = {
            "mae": ("MAE", 1, unit),
            "rmse": ("RMSE", 1, unit),
            "r2": ("R²", 1, ""),
            "mape": ("MAPE", 100, " %"),
            "coverage 0.9": ("coverage of 90 % intervals", 100, " %"),
            "auc": ("AUC", 1, ""),
            "f1": ("F1", 1, ""),
            "accuracy": ("accuracy", 1, ""),
        }
        parts = [
            f"{word} {factor * found[metric].mean:.4g} ± {factor * found[metric].std:.2g}{after}"
            for metric, (word, factor, after) in words.items()
            if metric in found
        ]
        lines.append(f"{name}: {', '.join(parts)}")
    return lines


def _claim(out: Path, settings: TrainSettings, folds: int, data_hash: str, *, resume: bool) -> RunFolder:
    how = {name: value for name, value in asdict(settings.how.settings).items() if name != "save_seconds"}
    described = {**asdict(settings), "how": how, "folds": folds}
    if not resume:
        return RunFolder.create(out, kind=KIND, settings=described, seed=settings.seed, data_hash=data_hash)
    run = RunFolder.open_for_resume(out, kind=KIND, settings=described, seed=settings.seed, data_hash=data_hash)
    if run.is_finished:
        raise InputError(f"the run in {out} is finished; there is nothing to resume")
    return run


def _write(result: FoldsResult, reports: Sequence[Mapping[str, Mapping[str, Any]]]) -> None:
    """Write folds.csv, one row a property and fold and then mean, std, min and max, and the same as folds.json."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    metrics = list(dict.fromkeys((*NUMBER_METRICS, *CLASS_METRICS)))
    writer.writerow(["property", "unit", "fold", "n", *metrics])
    for name, found in result.summary.items():
        counts = [report[name]["n"] if name in report else 0 for report in reports]
        rows: list[tuple[str, int, list[float | None]]] = [
            (str(fold + 1), count, [found[m].folds[fold] if m in found else None for m in metrics])
            for fold, count in enumerate(counts)
        ]
        for word, field in (("mean", "mean"), ("std", "std"), ("min", "least"), ("max", "largest")):
            rows.append((word, sum(counts), [getattr(found[m], field) if m in found else None for m in metrics]))
        for fold_name, count, numbers in rows:
            shown = ["" if number is None or np.isnan(number) else f"{number:.6g}" for number in numbers]
            writer.writerow([name, result.units[name], fold_name, count, *shown])
    atomic_write_text(result.folder / TABLE_FILE, buffer.getvalue())
    write_json(
        result.folder / SUMMARY_FILE,
        {
            name: {"unit": result.units[name], **{metric: asdict(spread) for metric, spread in found.items()}}
            for name, found in result.summary.items()
        },
    )
