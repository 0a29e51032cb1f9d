"""What a worker runs: it hands jobs to the nursery beside it, which outlives a job, so that weights are loaded once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from typing import Any, final

from matwright.campaign.engine.child import Call
from matwright.campaign.engine.interface import Limits
from matwright.campaign.engine.nursery import Answer
from matwright.errors import InputError
from matwright.screening.potential import Failure, FailureKind

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment of every process that computes: parallelism comes from processes."""


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
        answers: to each call that was begun, in order.
        misuse: why the evaluator cannot be used at all; empty where it can.
        seconds: wall time of the calls.
    """

    answers: tuple[Answer, ...] = ()
    misuse: str = ""
    seconds: float = 0.0


@final
class _Nursery:
    """The process of `nursery`, seen from its worker.

    Raises:
        InputError: at construction, when the evaluator cannot be used or does not start in time.
    """

    def __init__(self, evaluator: bytes, limits: Limits) -> None:
        self.serves = (evaluator, limits)
        ours, theirs = Pipe()
        words = [sys.executable, "-m", "matwright.campaign.engine.nursery", str(theirs.fileno())]
        self._process = subprocess.Popen(
            words, pass_fds=[theirs.fileno()], env={**os.environ, **ONE_THREAD}, stdin=subprocess.DEVNULL
        )
        theirs.close()
        self._pipe: Connection = ours
        said = self._ask(lambda: self._introduce(evaluator, limits), limits.start_seconds)
        if said is not None:
            self.end()
            raise said if isinstance(said, InputError) else InputError(f"the evaluator does not start: {said.reason}")

    def run(self, job: Job) -> list[Answer]:
        """The answers to the calls of a job; errors as for `nursery.Nursery.run`."""
        longest = job.seconds + job.limits.seconds * sum(map(len, job.calls)) + job.limits.start_seconds
        said = self._ask(lambda: self._pipe.send((job.calls, job.seconds)), longest)
        if isinstance(said, InputError):
            raise said
        answers: list[Answer] = [said] if isinstance(said, Failure) else said
        return answers

    @property
    def lives(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def end(self) -> None:
        """Kill the process; its child dies with it."""
        self._process.kill()
        self._process.wait()
        self._pipe.close()

    def _introduce(self, evaluator: bytes, limits: Limits) -> None:
        self._pipe.send(limits)
        self._pipe.send_bytes(evaluator)

    def _ask(self, ask: Callable[[], None], seconds: float) -> Any:
        """What the process answers within the time; else the failure that this is."""
        try:
            ask()
            if self._pipe.poll(seconds):
                return self._pipe.recv()
        except (EOFError, ConnectionResetError, BrokenPipeError):
            reason = f"the process that starts evaluations ended with exit code {self._process.wait()}"
            return Failure(reason=reason, kind=FailureKind.CRASHED)
        self._process.kill()
        return Failure(reason=f"no answer after {seconds:g} s", seconds=seconds, kind=FailureKind.TIMED_OUT)


_nurseries: list[_Nursery] = []
"""The nursery of this worker, at most one; a worker is a process of its own and runs one job at a time."""


def run_job(job: Job) -> Report:
    """Evaluate the calls of a job, one after the other, in children of this worker's nursery."""
    try:
        nursery = _nursery(job)
        start = time.perf_counter()
        answers = nursery.run(job)
    except InputError as misuse:
        return Report(misuse=str(misuse))
    return Report(answers=tuple(answers), seconds=time.perf_counter() - start)


def end_nursery() -> None:
    """End this worker's nursery, if it has one."""
    while _nurseries:
        _nurseries.pop().end()


def _nursery(job: Job) -> _Nursery:
    """The worker's nursery, a fresh one where there is none for this evaluator and these limits."""
    if _nurseries and _nurseries[0].lives and _nurseries[0].serves == (job.evaluator, job.limits):
        return _nurseries[0]
    end_nursery()
    _nurseries.append(_Nursery(job.evaluator, job.limits))
    return _nurseries[0]
