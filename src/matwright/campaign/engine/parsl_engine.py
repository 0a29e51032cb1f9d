"""The engine on Parsl: worker processes on this machine or a cluster, each with a supervised child that computes."""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from types import TracebackType
from typing import Any, Self, final

from matwright.campaign.engine.interface import Limits, Outcome, Source
from matwright.campaign.engine.providers import make_provider
from matwright.campaign.engine.settings import EngineSettings, Provider
from matwright.campaign.engine.supervisor import Job, Report, run_job
from matwright.campaign.evaluator import Evaluation, Evaluator
from matwright.campaign.store.work import Task
from matwright.errors import InputError, ResourceError
from matwright.screening.potential import Failure, FailureKind

_JOB_SECONDS = 1.0  # work in one job: much more than its way costs, little enough to be lost
_MOST_TASKS = 256  # in one job
_JOBS_A_WORKER = 2  # one runs while the next is on its way
_LOOK = 0.5  # s between two looks for work that has become free
_HEARTBEATS = {True: (2, 20), False: (30, 120)}  # s between beats, s until a silent partner is given up; local or not
_INTERCHANGE = (
    "from matwright.campaign.engine.orphan import die_with_parent; die_with_parent(); import runpy; "
    "runpy.run_module('parsl.executors.high_throughput.interchange', run_name='__main__')"
)

Calls = list[list[Task]]
"""Tasks that one call of the evaluator takes together, for each call of a job."""


@final
class ParslEngine:
    """Workers of Parsl's high-throughput executor.

    A task that kills its process costs itself alone; a worker that dies is replaced by Parsl, and what it had is tried
    again one by one. Cheap tasks travel together, as many as fill about a second.

    Args:
        settings: workers and where they come from.
        limits: what one evaluation may use up.
        logs: folder for Parsl's logs and job scripts; a temporary one, removed at the end, where None.
    """

    def __init__(self, settings: EngineSettings, *, limits: Limits | None = None, logs: Path | None = None) -> None:
        self._settings = settings
        self._limits = limits if limits is not None else Limits()
        self._logs = logs
        self._temporary: Path | None = None
        self._kernel: Any = None
        self._pace: float | None = None  # s a structure, averaged over the latest jobs
        self._alone: deque[Task] = deque()  # broke a process together with others: tried one by one
        self._back: deque[Task] = deque()  # came back because a job's time was over

    def __enter__(self) -> Self:
        try:
            from parsl.dataflow.dflow import DataFlowKernel  # slow to load: only where workers are wanted
        except ImportError:
            raise InputError("workers need Parsl; install it with: pip install 'matwright[campaign]'") from None
        logging.getLogger("parsl").setLevel(logging.CRITICAL)  # what matters comes back as an exception
        self._temporary = Path(tempfile.mkdtemp(prefix="matwright-engine-")) if self._logs is None else None
        self._kernel = DataFlowKernel(_config(self._settings, self._logs or self._temporary))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kernel.cleanup()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def run(self, evaluator: Evaluator, source: Source) -> Iterator[list[Outcome]]:
        """Evaluate what `source` gives until it gives nothing and nothing runs; see `Engine.run`."""
        if type(evaluator).__module__ == "__main__":
            raise InputError(f"put the class {type(evaluator).__name__} into a module: workers cannot import a script")
        frozen = bytes(ForkingPickler.dumps(evaluator))
        running: dict[Future[Report], Calls] = {}
        self._pace = None
        try:
            while True:
                while len(running) < _JOBS_A_WORKER * self._settings.all_workers:
                    calls = self._next(evaluator.batch_size, source)
                    if not calls:
                        break
                    running[self._submit(frozen, calls)] = calls
                if not running:
                    return
                done, _ = wait(running, timeout=_LOOK, return_when=FIRST_COMPLETED)
                yield [outcome for future in done for outcome in self._collect(running.pop(future), future)]
        finally:
            self._alone.clear()
            self._back.clear()

    def _next(self, size: int, source: Source) -> Calls:
        """The calls of the next job: one that is to be tried alone, else as many as fill a job's time."""
        if self._alone:
            return [[self._alone.popleft()]]
        wanted = size if self._pace is None else min(_MOST_TASKS, int(_JOB_SECONDS / max(self._pace, 1e-6)))
        wanted = max(size, wanted // size * size)
        tasks = [self._back.popleft() for _ in range(min(wanted, len(self._back)))]
        tasks += source(wanted - len(tasks)) if len(tasks) < wanted else []
        return [list(tasks[start : start + size]) for start in range(0, len(tasks), size)]

    def _submit(self, frozen: bytes, calls: Calls) -> Future[Report]:
        crystals = tuple(tuple(task.crystal for task in call) for call in calls)
        job = Job(evaluator=frozen, calls=crystals, limits=self._limits, seconds=_JOB_SECONDS)
        future: Future[Report] = self._kernel.submit(
            run_job, app_args=(job,), executors=["workers"], cache=False, ignore_for_cache=[], app_kwargs={}
        )
        return future

    def _collect(self, calls: Calls, future: Future[Report]) -> list[Outcome]:
        """The outcomes of a job; what broke a process together is kept for a try alone, what was not begun goes back.

        Raises:
            InputError: misuse.
            ResourceError: there are no workers any more.
        """
        error = future.exception()
        if error is not None:
            return self._lost(calls, error)
        report = future.result()
        if report.misuse:
            raise InputError(report.misuse)
        outcomes: list[Outcome] = []
        for call, answer in zip(calls, report.answers, strict=False):  # the rest was not begun
            outcomes += self._answered(call, answer)
        self._back.extend(task for call in calls[len(report.answers) :] for task in call)
        self._measure(report, sum(map(len, calls[: len(report.answers)])))
        return outcomes

    def _answered(self, call: Sequence[Task], answer: list[Evaluation] | Failure) -> list[Outcome]:
        if not isinstance(answer, Failure):
            return [Outcome(task=task, evaluation=one) for task, one in zip(call, answer, strict=True)]
        if len(call) == 1:
            return [Outcome(task=call[0], evaluation=Evaluation(answer=answer, seconds=answer.seconds))]
        self._alone.extend(call)
        return []

    def _lost(self, calls: Calls, error: BaseException) -> list[Outcome]:
        """What a worker had that died itself; it did not compute, but one task alone may still be why."""
        from parsl.executors.errors import ExecutorError
        from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost

        if isinstance(error, ManagerLost | WorkerLost):
            failure = Failure(reason=f"its worker died ({type(error).__name__})", kind=FailureKind.CRASHED)
            if len(calls) == 1:  # alone, or to be tried alone
                return self._answered(calls[0], failure)
            self._alone.extend(task for call in calls for task in call)
            return []
        if isinstance(error, ExecutorError):
            raise ResourceError(f"the workers cannot be started or kept: {' '.join(str(error).split())}") from error
        raise error

    def _measure(self, report: Report, tasks: int) -> None:
        if tasks:
            latest = report.seconds / tasks
            self._pace = latest if self._pace is None else 0.7 * self._pace + 0.3 * latest


def _config(settings: EngineSettings, folder: Path | None) -> Any:
    from parsl.config import Config
    from parsl.executors import HighThroughputExecutor
    from parsl.jobs.error_handlers import windowed_error_handler

    local = settings.provider is Provider.LOCAL
    period, threshold = _HEARTBEATS[local]
    executor = HighThroughputExecutor(
        label="workers",
        provider=make_provider(settings),
        address="127.0.0.1" if local else settings.address or None,
        max_workers_per_node=settings.workers,
        cores_per_worker=1e-3,  # the user says how many workers; Parsl shall not count cores
        launch_cmd=_launch_command(local=local),
        interchange_launch_cmd=[sys.executable, "-c", _INTERCHANGE],
        heartbeat_period=period,
        heartbeat_threshold=threshold,
        block_error_handler=windowed_error_handler,  # a block that dies is replaced; three in a row are an error
    )
    return Config(
        executors=[executor],
        run_dir=str(folder),
        strategy="simple",
        strategy_period=1,
        initialize_logging=False,
        exit_mode="cleanup",
    )


def _launch_command(*, local: bool) -> str:
    """Parsl's own command; on this machine with this interpreter, which need not be on the path."""
    from parsl.executors.high_throughput.executor import DEFAULT_LAUNCH_CMD

    module = "-m parsl.executors.high_throughput.process_worker_pool"
    interpreter = sys.executable if local else "python3"
    return str(DEFAULT_LAUNCH_CMD).replace("process_worker_pool.py", f"{interpreter} {module}", 1)
