"""Runs evaluations in a child process: a crash, a hang or too much memory costs one call and nobody else.

This runs in a worker of any engine. The child outlives a job, so that weights are loaded once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from typing import Any, final

from matwright.campaign.engine.interface import Limits
from matwright.campaign.evaluator import Evaluation
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.screening.potential import Failure, FailureKind

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment of every process that computes: parallelism comes from processes."""

Call = tuple[Crystal, ...]
"""Structures that one call of the evaluator takes."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Several calls that go to a worker together.

    Attributes:
        evaluator: pickled, since a worker itself never needs it.
        calls: what to evaluate.
        limits: of each call.
        seconds: after this time no further call is begun; what was not begun goes back.
    """

    evaluator: bytes
    calls: tuple[Call, ...]
    limits: Limits
    seconds: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a worker did with a job.

    Attributes:
        answers: for each call that was begun, in order: the evaluations, or the failure that ended the process.
        misuse: why the evaluator cannot be used at all; empty where it can.
        seconds: wall time of the job.
    """

    answers: tuple[list[Evaluation] | Failure, ...]
    misuse: str = ""
    seconds: float = 0.0


@final
class Child:
    """One child process with the evaluator it was started for.

    Raises:
        InputError: at construction, when the evaluator cannot be used, or no process gets as far as its first call.
    """

    def __init__(self, evaluator: bytes, limits: Limits) -> None:
        self.evaluator, self.limits = evaluator, limits
        ours, theirs = Pipe()
        words = [sys.executable, "-m", "matwright.campaign.engine.child", str(theirs.fileno()), str(limits.memory or 0)]
        self._process = subprocess.Popen(
            words, pass_fds=[theirs.fileno()], env={**os.environ, **ONE_THREAD}, stdin=subprocess.DEVNULL
        )
        theirs.close()
        self._pipe: Connection = ours
        self._tasks = 0
        ready = self._answer(limits.start_seconds, lambda: self._pipe.send_bytes(evaluator))
        if ready is not None:
            self.end()
            said = ready.reason if isinstance(ready, Failure) else str(ready)
            raise ready if isinstance(ready, InputError) else InputError(f"the evaluator cannot be started: {said}")

    @property
    def spent(self) -> bool:
        """Whether it has done what one process may do."""
        return self._tasks >= self.limits.tasks_per_process

    def call(self, crystals: Call) -> list[Evaluation] | Failure:
        """The evaluations, or the failure that cost the process its life.

        Raises:
            InputError: misuse, as the evaluator says.
        """
        self._tasks += len(crystals)
        answer = self._answer(self.limits.seconds * len(crystals), lambda: self._pipe.send(crystals))
        if isinstance(answer, InputError):
            raise answer
        found: list[Evaluation] | Failure = answer
        return found

    def end(self) -> None:
        """Kill the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._pipe.close()

    def _answer(self, seconds: float, ask: Callable[[], None]) -> Any:
        """What the process answers within its time; else the failure that this is."""
        start = time.perf_counter()
        try:
            ask()
            if self._pipe.poll(seconds):
                return self._pipe.recv()
        except (EOFError, ConnectionResetError, BrokenPipeError):
            return _death(self._process.wait(), time.perf_counter() - start)
        reason = f"took longer than its {seconds:g} s"
        return Failure(reason=reason, seconds=time.perf_counter() - start, kind=FailureKind.TIMED_OUT)


def _death(code: int, seconds: float) -> Failure:
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return Failure(reason=f"the process {how}", seconds=seconds, kind=FailureKind.CRASHED)


_children: list[Child] = []
"""The child of this worker, at most one; a worker is a process of its own and runs one job at a time."""


def run_job(job: Job) -> Report:
    """Evaluate the calls of a job one after the other in this worker's child."""
    start = time.perf_counter()
    answers: list[list[Evaluation] | Failure] = []
    for crystals in job.calls:
        if answers and time.perf_counter() - start > job.seconds:
            break
        try:
            child = _child(job)
            answer = child.call(crystals)
        except InputError as misuse:
            return Report(answers=tuple(answers), misuse=str(misuse), seconds=time.perf_counter() - start)
        answers.append(answer)
        if isinstance(answer, Failure) or child.spent:
            end_child()
    return Report(answers=tuple(answers), seconds=time.perf_counter() - start)


def end_child() -> None:
    """End this worker's child, if it has one."""
    while _children:
        _children.pop().end()


def _child(job: Job) -> Child:
    """The worker's child, a fresh one where there is none for this evaluator and these limits."""
    if _children and (_children[0].evaluator, _children[0].limits) == (job.evaluator, job.limits):
        return _children[0]
    end_child()
    _children.append(Child(job.evaluator, job.limits))
    return _children[0]
