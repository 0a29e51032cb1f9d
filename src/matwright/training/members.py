"""Ensemble members, each in its own process with one thread: the parallelism that pays on small graphs."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, final

from matwright.errors import MatwrightError, ResourceError
from matwright.progress import Progress

Job = TypeVar("Job")
Result = TypeVar("Result")
Work = Callable[[Job, Progress, Callable[[], bool]], Result]
"""(job, progress, keep_going) → result; a function of a module, and job and result can be pickled."""

POLL_SECONDS = 0.2
PATIENCE_SECONDS = 20.0  # for members that were told to stop, to save where they stand
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def default_at_once() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # absent on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_members(
    work: Work[Job, Result], jobs: Sequence[Job], *, progress: Progress, at_once: int | None = None
) -> list[Result]:
    """Do all jobs, each in a fresh process, at most `at_once` together, and return their results in order.

    When one fails, or this process is interrupted, the others are told to stop (their `keep_going` answers False)
    and are waited for. A member never outlives this process, not even when it is killed.

    Args:
        work: what a member does; it should ask `keep_going` often.
        jobs: one a member.
        progress: told the sum over all members.
        at_once: how many run together; by default one a processor.

    Raises:
        MatwrightError: a member raised one; it is raised again here.
        ResourceError: a member was killed from outside.
        RuntimeError: a member failed in another way; its traceback is in the message.
    """
    crew = _Crew(work, jobs, progress)
    try:
        while crew.results_missing():
            crew.start_up_to(at_once or default_at_once())
            crew.listen()
    except BaseException:
        crew.stop()
        raise
    progress.finish()
    return crew.results()


@final
class _Crew(Generic[Job, Result]):
    """The running members and what they have said so far."""

    def __init__(self, work: Work[Job, Result], jobs: Sequence[Job], progress: Progress) -> None:
        self._context = multiprocessing.get_context("spawn")  # a fork would copy locked thread pools
        self._work, self._jobs, self._progress = work, jobs, progress
        self._channel: Any = self._context.Queue()
        self._running: dict[int, Any] = {}
        self._results: dict[int, Result] = {}
        self._next, self._total, self._started = 0, 0, False

    def results_missing(self) -> bool:
        return len(self._results) < len(self._jobs)

    def results(self) -> list[Result]:
        return [self._results[index] for index in range(len(self._jobs))]

    def start_up_to(self, limit: int) -> None:
        while self._next < len(self._jobs) and len(self._running) < limit:
            arguments = (self._work, self._jobs[self._next], self._next, self._channel, os.getpid())
            process = self._context.Process(target=_member, args=arguments, daemon=False)
            with _one_thread_environment():
                process.start()
            self._running[self._next] = process
            self._next += 1

    def listen(self) -> None:
        """Handle one message, or look after the members when there is none for a while."""
        try:
            index, word, value = self._channel.get(timeout=POLL_SECONDS)
        except queue.Empty:
            self._check_alive()
            return
        if word == "total":
            self._grow(value)
        elif word == "advance":
            self._progress.advance(value)
        elif word == "note":
            self._progress.note(value if len(self._jobs) == 1 else f"member {index}: {value}")
        elif word == "done":
            self._results[index] = value
            self._running.pop(index).join()
        elif word == "failed":
            raise value

    def _grow(self, total: int) -> None:
        """Members are alike: the first to know its total knows everyone's."""
        if not self._started:
            self._started = True
            self._progress.start(f"training {len(self._jobs)} members", total * len(self._jobs))

    def _check_alive(self) -> None:
        for index, process in self._running.items():
            if not process.is_alive() and self._channel.empty():
                raise ResourceError(
                    f"the process of member {index} was ended from outside (exit code {process.exitcode}), "
                    "perhaps for lack of memory; train fewer members at once"
                )

    def stop(self) -> None:
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.join(PATIENCE_SECONDS)
            if process.is_alive():
                process.kill()
        self._channel.cancel_join_thread()


@final
@dataclass(frozen=True, slots=True)
class _Relay:
    """A progress listener in a member's process that passes everything on."""

    channel: Any
    index: int

    def start(self, stage: str, total: int | None = None) -> None:  # noqa: ARG002 (the parent names the stage)
        self.channel.put((self.index, "total", total or 0))

    def advance(self, n: int = 1) -> None:
        self.channel.put((self.index, "advance", n))

    def note(self, text: str) -> None:
        self.channel.put((self.index, "note", text))

    def finish(self) -> None:
        """Say nothing: the parent ends the stage when all members are done."""


def _member(work: Work[Job, Result], job: Job, index: int, channel: Any, parent: int) -> None:
    """Run in the member's process."""
    told_to_stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, lambda *_: told_to_stop.set())

    def keep_going() -> bool:
        if os.getppid() != parent:
            raise SystemExit(1)  # the parent was killed: leave everything as it was saved last
        return not told_to_stop.is_set()

    try:
        result = work(job, _Relay(channel, index), keep_going)
    except InterruptedError:
        return
    except MatwrightError as error:
        channel.put((index, "failed", error))
    except Exception as error:  # noqa: BLE001 (the parent raises it)
        import traceback

        channel.put((index, "failed", RuntimeError(f"member {index} failed: {error}\n{traceback.format_exc()}")))
    else:
        channel.put((index, "done", result))


@contextmanager
def _one_thread_environment() -> Iterator[None]:
    """Let processes that start meanwhile load their libraries with one thread (read when a library loads)."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Yield a `keep_going` that answers False after Ctrl-C, so that a fit in this process can save where it stands.

    A second Ctrl-C interrupts at once. Outside the main thread, which receives the signals, it always answers True.
    """
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield lambda: True
        return

    def note(number: int, frame: Any) -> None:  # noqa: ARG001 (the signature of a signal handler)
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: not interrupted.is_set()
    except InterruptedError as error:
        raise KeyboardInterrupt from error
    finally:
        signal.signal(signal.SIGINT, before)
