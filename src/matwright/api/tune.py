"""Tune: search rate, width, depth and so on on the training and validation parts; the test part stays untouched."""

from __future__ import annotations

import csv
import io
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, final

from matwright.api.hyperparameters import HyperParameters
from matwright.api.member import MemberJob, fit_member
from matwright.api.parts import choose_parts
from matwright.api.preparation import graphs_of, labelled, suited
from matwright.api.search_space import SPACE, typed
from matwright.api.train_settings import TrainSettings
from matwright.data.sources import Source
from matwright.errors import InputError
from matwright.progress import Progress, prefixed, silent
from matwright.runs import RunFolder
from matwright.serialization import atomic_write_text
from matwright.training.members import default_at_once, stop_on_interrupt
from matwright.training.search import (
    Outcome,
    Range,
    Trial,
    TrialState,
    Values,
    Watch,
    best_trial,
    importances,
    read_trials,
    search,
)

KIND = "tune"
STORE_FOLDER, TRIALS_FOLDER = "store", "trials"
BEST_FILE, TABLE_FILE, PICTURE_FILE = "best.toml", "trials.csv", "search.png"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TuneResult:
    """A finished search.

    Attributes:
        folder: with best.toml, trials.csv, search.png and run.json.
        best: the settings of the best trial.
        trials: all of them.
        importances: share of each setting in what sets good trials apart; empty for too few trials.
    """

    folder: Path
    best: HyperParameters
    trials: Sequence[Trial]
    importances: Mapping[str, float]


def tune(
    source: Source,
    settings: TrainSettings,
    *,
    trials: int,
    out: Path,
    space: Sequence[Range] = tuple(SPACE.values()),
    resume: bool = False,
    workers: int | None = None,
    strict: bool = False,
    store_folder: Path | None = None,
    on_trial: Callable[[Trial], None] | None = None,
    progress: Progress | None = None,
) -> TuneResult:
    """Train one model a trial with the budget of the settings, and keep the settings with the lowest validation score.

    The first trial takes the settings of the protocol (cut at the ends of the space), so that the best is never worse
    than they are. The score is the mean over the targets of MAE by standard deviation, and of the NLL of classes, on
    the validation part.

    Args:
        source: as for `train`.
        settings: as for `train`; the budget is that of one trial, and one member is trained.
        trials: how many there shall be in the end, at least 1; with `resume` more than before, if wanted.
        out: a new folder, or with `resume` that of an earlier search.
        space: what may be chosen.
        resume, workers, strict, store_folder: as for `train`; an unfinished trial starts anew.
        on_trial: told of each trial that ends.
        progress: told what goes on.

    Raises:
        InputError: as for `train`, or there is nothing to resume.
        CalculationError: no trial came to its end.
    """
    if trials < 1:
        raise InputError(f"a search has at least 1 trial, found {trials}")
    listener, base = progress or silent(), settings.config
    data_hash = source.data_hash()
    run = _claim(out, settings, space, data_hash, resume=resume)
    if resume and len(read_trials(out, space)) >= trials:
        raise InputError(f"the search in {out} has its {trials} trials; ask for more to go on")
    at_once = workers or default_at_once()
    store, _ = graphs_of(
        source, settings, data_hash, store_folder or out / STORE_FOLDER, out, at_once, strict, listener
    )
    chosen = choose_parts(store, source, settings.split, seed=settings.seed, workers=at_once, progress=listener)
    parts = labelled(chosen.parts, store, keep_train=False)
    if store.path is None:
        raise InputError("a search needs a graph store on disk")
    job = MemberJob(
        folder=out,
        store=store.path,
        train=parts.train,
        validation=parts.validation,
        specs=settings.specs,
        config=suited(base, settings, source, store, parts),
        schema=settings.conditions,
        settings=settings.how.settings,
        index=0,
        seed=settings.seed,
        device=settings.device,
        resume=False,
    )
    first = {one.name: _usual(one, job) for one in space}
    with stop_on_interrupt() as keep_going:
        work = _Work(job, trials, listener, keep_going)
        found = search(work, space, folder=out, n_trials=trials, seed=settings.seed, first=first, on_trial=on_trial)
    result = _written(out, found, space)
    run.finish({"best": result.best.given(), "score": best_trial(found).score, "importances": result.importances})
    return result


def _usual(one: Range, job: MemberJob) -> float:
    """The value that the protocol or the network has, at the nearest place in the range."""
    own = getattr(job.config if one.name in ("width", "layers", "dropout") else job.settings, one.name)
    inside = min(max(float(own), one.low), one.high)
    if not one.step:
        return inside
    return int(min(one.low + round((inside - one.low) / one.step) * one.step, one.high))


@final
class _Work:
    """What a trial does: one fit with its own settings, judged on the validation part at every epoch."""

    def __init__(self, job: MemberJob, trials: int, progress: Progress, keep_going: Callable[[], bool]) -> None:
        self._job, self._trials, self._progress, self._keep_going = job, trials, progress, keep_going

    def __call__(self, number: int, values: Values, watch: Watch) -> Outcome | None:
        chosen = typed(values)
        folder = self._job.folder / TRIALS_FOLDER / str(number)
        config = replace(
            self._job.config,
            width=chosen.width or self._job.config.width,
            layers=chosen.layers or self._job.config.layers,
            dropout=self._job.config.dropout if chosen.dropout is None else chosen.dropout,
        )
        job = replace(self._job, folder=folder, config=config, settings=chosen.of_fit(self._job.settings))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        clock, began = _Clock(job), time.process_time()

        def told(numbers: Mapping[str, float]) -> None:
            if "score" in numbers:
                watch.report(numbers["score"], clock.spent())

        try:
            done = fit_member(
                job,
                prefixed(self._progress, f"trial {number + 1} of {self._trials}: "),
                lambda: self._keep_going() and not watch.stopped,
                told,
            )
        except InterruptedError:
            if not self._keep_going():
                raise
            return None
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        last = done.history[-1].validation
        others = {name: value for name, value in last.items() if name != "score"}
        return Outcome(score=last["score"], seconds=time.process_time() - began, numbers=others)


@final
class _Clock:
    """How much of a trial's budget is spent: by validations, one an epoch, or by CPU time."""

    def __init__(self, job: MemberJob) -> None:
        self._settings, self._began, self._epochs = job.settings, time.process_time(), 0

    def spent(self) -> float:
        """Return the share in [0, 1]; asked once a validation."""
        self._epochs += 1
        if self._settings.epochs is not None:
            return self._epochs / self._settings.epochs
        return (time.process_time() - self._began) / (60 * float(self._settings.minutes or 0))


def _claim(out: Path, settings: TrainSettings, space: Sequence[Range], data_hash: str, *, resume: bool) -> RunFolder:
    how = {name: value for name, value in asdict(settings.how.settings).items() if name != "save_seconds"}
    described = {**asdict(settings), "how": how, "space": [asdict(one) for one in space]}
    if resume:
        return RunFolder.open_for_resume(out, kind=KIND, settings=described, seed=settings.seed, data_hash=data_hash)
    return RunFolder.create(out, kind=KIND, settings=described, seed=settings.seed, data_hash=data_hash)


def _written(out: Path, trials: Sequence[Trial], space: Sequence[Range]) -> TuneResult:
    """Write settings, table and picture."""
    from matwright.evaluation.plots import plot_search  # heavy (matplotlib)

    best, shares = best_trial(trials), importances(trials, space)
    result = TuneResult(folder=out, best=typed(best.values), trials=trials, importances=shares)
    head = (
        f"# trial {best.number} of {len(trials)}: validation score {best.score:.6g}; for matwright train --settings\n"
    )
    atomic_write_text(out / BEST_FILE, head + result.best.as_toml())
    atomic_write_text(out / TABLE_FILE, _table(trials, space))
    plot_search(
        [trial.score for trial in trials],
        [trial.state is TrialState.COMPLETE for trial in trials],
        shares,
        label="validation score",
        path=out / PICTURE_FILE,
    )
    shutil.rmtree(out / TRIALS_FOLDER, ignore_errors=True)
    return result


def _table(trials: Sequence[Trial], space: Sequence[Range]) -> str:
    """One row a trial: number, state, score, CPU seconds, settings, validation numbers."""
    names, numbers = [one.name for one in space], sorted({name for trial in trials for name in trial.numbers})
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["trial", "state", "score", "seconds", *names, *(f"val_{name}" for name in numbers)])
    for trial in trials:
        own: dict[str, Any] = typed(trial.values).given()
        shown = ["" if trial.score is None else f"{trial.score:.6g}", f"{trial.seconds:.1f}"]
        ends = [f"{trial.numbers[name]:.6g}" if name in trial.numbers else "" for name in numbers]
        writer.writerow([trial.number, trial.state.value, *shown, *(own[name] for name in names), *ends])
    return buffer.getvalue()
