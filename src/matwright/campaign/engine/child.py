"""The process in which evaluations happen: it may crash, hang or eat memory, and only it dies of that."""

from __future__ import annotations

import os
import signal
import time
import traceback
from multiprocessing.connection import Connection, Pipe
from typing import Any, final

from matwright.campaign.engine.calling import call
from matwright.campaign.engine.interface import GIB, Limits
from matwright.campaign.engine.orphan import die_with_parent
from matwright.campaign.evaluator import Evaluation, Evaluator
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.screening.potential import Failure, FailureKind

Call = tuple[Crystal, ...]
"""Structures that one call of the evaluator takes."""


@final
class Child:
    """A fork of this process, in which everything is loaded already: a new one costs milliseconds.

    Args:
        evaluator: ready to evaluate.
        limits: of each structure, and of the process.
    """

    def __init__(self, evaluator: Evaluator, limits: Limits) -> None:
        self._limits = limits
        self._tasks = 0
        self._pipe, theirs = Pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _live(evaluator, limits, theirs)
        theirs.close()

    @property
    def spent(self) -> bool:
        """Whether it has done what one process may do."""
        return self._tasks >= self._limits.tasks_per_process

    def call(self, crystals: Call) -> list[Evaluation] | Failure:
        """The evaluations; or the failure that cost the process its life, after which `end` is all that is left to do.

        Raises:
            InputError: misuse, as the evaluator says.
        """
        self._tasks += len(crystals)
        seconds = self._limits.seconds * len(crystals)
        start = time.perf_counter()
        try:
            self._pipe.send(crystals)
            answer: Any = self._pipe.recv() if self._pipe.poll(seconds) else None
        except (EOFError, ConnectionResetError, BrokenPipeError):
            _, status = os.waitpid(self._pid, 0)
            self._pid = 0
            return _death(os.waitstatus_to_exitcode(status), time.perf_counter() - start)
        if answer is None:
            reason = f"took longer than its {seconds:g} s"
            return Failure(reason=reason, seconds=time.perf_counter() - start, kind=FailureKind.TIMED_OUT)
        if isinstance(answer, InputError):
            raise answer
        found: list[Evaluation] = answer
        return found

    def end(self) -> None:
        """Kill the process, whatever it does."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0
        self._pipe.close()


def _live(evaluator: Evaluator, limits: Limits, pipe: Connection) -> None:
    """The life of the fork: answer calls until the pipe closes; it never returns."""
    code = 1
    try:
        die_with_parent()
        if limits.memory is not None:
            _bound_memory(int(limits.memory * GIB))
        while True:
            crystals = pipe.recv()
            try:
                pipe.send(call(evaluator, crystals))
            except InputError as misuse:
                pipe.send(misuse)
    except EOFError:
        code = 0
    except BaseException:  # noqa: BLE001 (whatever it was, this process must not go on as its parent would)
        traceback.print_exc()
    finally:
        os._exit(code)


def _bound_memory(size: int) -> None:
    """Allocations beyond `size` bytes fail, in Python as MemoryError; mapped files do not count."""
    import resource  # absent on Windows, where workers do not run

    resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def _death(code: int, seconds: float) -> Failure:
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return Failure(reason=f"the process {how}", seconds=seconds, kind=FailureKind.CRASHED)
