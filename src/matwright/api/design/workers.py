"""Relaxations in worker processes: results come back one by one, and a dead worker costs one candidate.

Each worker is a fresh process with one thread, which loads the potential once and relaxes task after task. A task is
a fixed group of crystals that advance together, so that a result depends on the task alone and not on the number of
workers. When a worker dies inside a task, the crystals it had not finished are tried again one by one; the one that
kills its worker then is that crystal's failure.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import final

from matwright.errors import CalculationError, InputError, MatwrightError
from matwright.materials.crystal import Crystal
from matwright.screening.potential import Failure, FailureKind, Potential
from matwright.screening.relax import Outcome, RelaxationSettings

Task = tuple[tuple[str, Crystal], ...]
"""(candidate id, crystal) of the crystals that are relaxed together."""

_READY, _ONE, _END, _BROKEN = "ready", "one", "end", "broken"


@final
@dataclass(slots=True, kw_only=True)
class _Worker:
    """A process with its pipe, the task it works on, and the ids of it that are not finished."""

    process: BaseProcess
    pipe: Connection
    task: Task = ()
    open_ids: set[str] = field(default_factory=set)


def relax_in_workers(
    tasks: Sequence[Task],
    *,
    potential: str,
    settings: RelaxationSettings,
    workers: int,
    on_done: Callable[[str, Outcome], None],
) -> None:
    """Relax every crystal of every task; `on_done(id, outcome)` is called in this process as each one ends.

    Whatever interrupts the caller (KeyboardInterrupt, an error in `on_done`) ends the workers at once.

    Raises:
        InputError: the potential cannot be loaded.
        CalculationError: workers die even before they have taken a task.
    """
    waiting = deque(tasks)
    crew = [_start(potential, settings) for _ in range(min(workers, len(tasks)))]
    early_deaths = 0
    try:
        while crew:
            wait([worker.pipe for worker in crew])
            for worker in [worker for worker in crew if worker.pipe.poll()]:
                if _listen(worker, waiting, on_done):
                    continue
                crew.remove(worker)
                early_deaths += not worker.task and bool(waiting)
                if early_deaths > workers:
                    raise CalculationError(f"worker processes for {potential} die as soon as they start")
                _bury(worker, waiting, on_done)
                if waiting:
                    crew.append(_start(potential, settings))
    finally:
        for worker in crew:
            worker.process.kill()
        for worker in crew:
            worker.process.join()
            worker.pipe.close()


def _listen(worker: _Worker, waiting: deque[Task], on_done: Callable[[str, Outcome], None]) -> bool:
    """Take one message; False when the worker is gone."""
    try:
        kind, content = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        return False
    if kind == _BROKEN:
        raise content
    if kind == _ONE:
        identity, outcome = content
        worker.open_ids.discard(identity)
        on_done(identity, outcome)
        return True
    if not waiting:
        worker.task = ()
        worker.open_ids = set()
        worker.pipe.close()
        worker.process.join()
        return False
    worker.task = waiting.popleft()
    worker.open_ids = {identity for identity, _ in worker.task}
    try:
        worker.pipe.send(worker.task)
    except BrokenPipeError:
        return False
    return True


def _bury(worker: _Worker, waiting: deque[Task], on_done: Callable[[str, Outcome], None]) -> None:
    """What a dead worker left unfinished goes back one by one; a lone crystal is given up."""
    worker.process.join()
    left = [entry for entry in worker.task if entry[0] in worker.open_ids]
    if len(worker.task) == 1 and left:
        code = worker.process.exitcode
        reason = f"the process that relaxed it died (exit code {code})"
        on_done(left[0][0], Failure(reason=reason, kind=FailureKind.CRASHED))
        return
    waiting.extendleft((entry,) for entry in reversed(left))


def _start(potential: str, settings: RelaxationSettings) -> _Worker:
    context = multiprocessing.get_context("spawn")  # torch and threads do not survive a fork
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, potential, settings), daemon=True)
    with interrupts_held():
        process.start()
    theirs.close()
    return _Worker(process=process, pipe=ours)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Processes started inside never see Ctrl-C: the parent alone decides, and ends them."""
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # it would unblock the signal when it is started by the first process
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, potential: str, settings: RelaxationSettings) -> None:
    """The life of a worker: load, then relax tasks until the parent closes the pipe or dies."""
    import torch  # heavy: behind its door

    from matwright.screening.potential import load_potential

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        loaded = load_potential(potential)
    except MatwrightError as error:
        pipe.send((_BROKEN, error))
        return
    except ImportError as error:
        pipe.send((_BROKEN, InputError(f"the potential {potential} is not installed: {error}")))
        return
    try:
        pipe.send((_READY, None))
        while True:
            _relax_task(pipe.recv(), loaded, settings, pipe)
            pipe.send((_END, None))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _relax_task(task: Task, potential: Potential, settings: RelaxationSettings, pipe: Connection) -> None:
    from matwright.screening.relax import relax  # heavy: behind its door

    def report(index: int, outcome: Outcome) -> None:
        pipe.send((_ONE, (task[index][0], outcome)))

    relax([crystal for _, crystal in task], potential, settings=settings, on_done=report)
