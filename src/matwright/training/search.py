"""Search of hyper-parameters: trials proposed from earlier ones, bad ones stopped early, every one written down.

The proposals are those of Optuna's tree-structured Parzen estimator (J. Bergstra et al., NeurIPS 2011), the early stop
is at the median of the earlier trials. The study itself lives in a file of our own, one line a trial: a search that was
killed proposes after a resume what it would have proposed without.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from matwright.errors import CalculationError, InputError
from matwright.rng import derive_seed
from matwright.serialization import atomic_write_text

if TYPE_CHECKING:
    import optuna

STUDY_FILE = "trials.jsonl"
STEPS = 10  # of the budget of a trial, at which trials are compared
FIRST = 5  # trials that are never stopped early, and that are drawn at random but for the first
Values = Mapping[str, float]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What one setting may be.

    Attributes:
        name: of the setting.
        low, high: ends, both allowed.
        step: of whole numbers; 0 for a real number.
        logarithmic: whether equal ratios rather than equal differences are as far apart.
    """

    name: str
    low: float
    high: float
    step: int = 0
    logarithmic: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.logarithmic and self.low <= 0):
            allowed = "its first end below its second" + (" and above 0" if self.logarithmic else "")
            raise InputError(f"the range of {self.name} has {allowed}, found {self.low:g}:{self.high:g}")

    def distribution(self) -> optuna.distributions.BaseDistribution:
        """The range in Optuna's words."""
        from optuna import distributions  # heavy: behind its door

        if self.step:
            logarithmic = self.logarithmic and self.step == 1
            return distributions.IntDistribution(int(self.low), int(self.high), log=logarithmic, step=self.step)
        return distributions.FloatDistribution(self.low, self.high, log=self.logarithmic)


@final
class TrialState(StrEnum):
    """How a trial ended: COMPLETE with its whole budget, PRUNED early as worse than the median, FAILED by diverging."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One finished trial.

    Attributes:
        number: counted from 0.
        values: the settings, by name.
        state: how it ended.
        score: the last one; None for a failed trial.
        course: the score at each tenth of the budget that was reached.
        seconds: CPU seconds spent.
        numbers: further validation numbers at the end, by name.
    """

    number: int
    values: Values
    state: TrialState
    score: float | None
    course: tuple[float, ...]
    seconds: float
    numbers: Mapping[str, float]


@final
class Watch:
    """What a running trial is told and asked: it reports scores as its budget goes, and learns whether to stop."""

    def __init__(self, trial: optuna.trial.Trial | None) -> None:
        self._trial = trial
        self.course: list[float] = []
        self.stopped = False

    def report(self, score: float, spent: float) -> None:
        """Report the score when a share `spent` in [0, 1] of the budget is gone."""
        while len(self.course) < min(STEPS, math.floor(spent * STEPS + 1e-9)):
            self.course.append(score)
            if self._trial is not None and not self.stopped:
                self._trial.report(score, len(self.course))
                self.stopped = len(self.course) < STEPS and self._trial.should_prune()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the work of a trial gives back: its last score, CPU seconds, further numbers."""

    score: float
    seconds: float
    numbers: Mapping[str, float]


Work = Callable[[int, Values, Watch], Outcome | None]
"""(number, values, watch) → outcome, or None when the watch stopped it; raises CalculationError where it diverges."""


def search(
    work: Work,
    space: Sequence[Range],
    *,
    folder: Path,
    n_trials: int,
    seed: int,
    first: Values,
    on_trial: Callable[[Trial], None] | None = None,
) -> list[Trial]:
    """Do trials until there are `n_trials` in the folder's file, and return all of them.

    Args:
        work: does one trial.
        space: what may be chosen.
        folder: existing; `trials.jsonl` there holds the trials done so far.
        n_trials: at least 1.
        seed: decides the proposals.
        first: the values of trial 0, within the space: what is to be improved on.
        on_trial: told of each trial that ends.

    Raises:
        InputError: the file is broken, or holds trials of another space.
    """
    done = read_trials(folder, space)
    while len(done) < n_trials:
        number = len(done)
        asked = _ask(done, space, derive_seed(seed, "trial", number), first if number == 0 else None)
        values = dict(asked.params)
        watch = Watch(asked)
        trial = Trial(
            number=number, values=values, state=TrialState.FAILED, score=None, course=(), seconds=0, numbers={}
        )
        try:
            outcome = work(number, values, watch)
            state = TrialState.PRUNED if outcome is None else TrialState.COMPLETE
            score = watch.course[-1] if outcome is None else outcome.score
            trial = replace(trial, state=state, score=score, course=tuple(watch.course))
            if outcome is not None:
                trial = replace(trial, seconds=outcome.seconds, numbers=dict(outcome.numbers))
        except CalculationError:
            trial = replace(trial, course=tuple(watch.course))
        done.append(trial)
        _write(folder, done)
        if on_trial is not None:
            on_trial(trial)
    return done


def best_trial(trials: Sequence[Trial]) -> Trial:
    """The complete trial with the lowest score.

    Raises:
        CalculationError: no trial is complete.
    """
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE and trial.score is not None]
    if not complete:
        raise CalculationError("no trial came to its end: every one diverged or was stopped; try lower learning rates")
    return min(complete, key=lambda trial: trial.score or 0.0)


def importances(trials: Sequence[Trial], space: Sequence[Range]) -> dict[str, float]:
    """The share of each setting in what sets good trials apart, summing to 1; empty for fewer than FIRST complete ones.

    PED-ANOVA (S. Watanabe et al., IJCAI 2023).
    """
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances  # heavy: behind its door

    if sum(trial.state is TrialState.COMPLETE for trial in trials) < FIRST:
        return {}
    study = _study(trials, space, 0)
    found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return {name: float(share) for name, share in found.items()}


def read_trials(folder: Path, space: Sequence[Range]) -> list[Trial]:
    """The trials in the folder's file, none where there is no file.

    Raises:
        InputError: the file is broken, or holds trials of other settings.
    """
    path = folder / STUDY_FILE
    if not path.exists():
        return []
    names = {one.name for one in space}
    try:
        trials = [_read(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if any(set(trial.values) != names for trial in trials):
        raise InputError(f"{path} holds trials of other settings than {', '.join(sorted(names))}")
    return trials


def _read(entry: Mapping[str, Any]) -> Trial:
    return Trial(**{**entry, "state": TrialState(entry["state"]), "course": tuple(entry["course"])})


def _write(folder: Path, trials: Sequence[Trial]) -> None:
    lines = [json.dumps(asdict(trial), allow_nan=False) for trial in trials]
    atomic_write_text(folder / STUDY_FILE, "\n".join(lines) + "\n")


def _ask(trials: Sequence[Trial], space: Sequence[Range], seed: int, given: Values | None) -> optuna.trial.Trial:
    study = _study(trials, space, seed)
    if given is not None:
        study.enqueue_trial(dict(given))
    return study.ask({one.name: one.distribution() for one in space})


def _study(trials: Sequence[Trial], space: Sequence[Range], seed: int) -> optuna.study.Study:
    """A study that knows the trials, in memory."""
    import optuna  # heavy: behind its door

    optuna.logging.set_verbosity(optuna.logging.WARNING)  # the caller says what happens
    states = {
        TrialState.COMPLETE: optuna.trial.TrialState.COMPLETE,
        TrialState.PRUNED: optuna.trial.TrialState.PRUNED,
        TrialState.FAILED: optuna.trial.TrialState.FAIL,
    }
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=seed % 2**32, n_startup_trials=FIRST),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=FIRST, n_warmup_steps=STEPS // 3),
    )
    for trial in trials:
        study.add_trial(
            optuna.trial.create_trial(
                state=states[trial.state],
                params=dict(trial.values),
                distributions={one.name: one.distribution() for one in space},
                value=trial.score if trial.state is TrialState.COMPLETE else None,
                intermediate_values=dict(enumerate(trial.course, start=1)),
            )
        )
    return study
