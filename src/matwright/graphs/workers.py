"""Work spread over processes, results in the order of the input, a bounded number of items under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

from matwright.errors import ResourceError

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 3  # items a worker has waiting, so that it never idles while results are written


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Generator[tuple[Item, Result], None, None]:
    """(item, function(item)) in the order of the items, computed by `workers` processes.

    Items are taken only as results leave, so that memory does not grow with their number. The processes are started
    from a clean interpreter, never forked from one that has threads; they end with their parent, however it ends.

    Args:
        function: of a module, since the processes import it.
        items: sent to the processes by pickle.
        workers: 1 works in this process.

    Raises:
        ResourceError: when a process is ended from outside.
    """
    if workers <= 1:
        for item in items:
            yield item, function(item)
        return
    import multiprocessing  # these are needed for parallel work alone
    from concurrent.futures import Future, ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    context = multiprocessing.get_context("spawn")
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent)
    try:
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) >= _AHEAD * workers:
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()
    except BrokenProcessPool:
        raise ResourceError("a worker process was ended from outside, often because memory ran out") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """A worker waiting for work would not notice that its parent was killed, and stay for ever.

    Ctrl-C is the parent's to answer: it reaches every process of the terminal at once.
    """
    import multiprocessing
    import os
    import signal
    import threading

    signal.signal(signal.SIGINT, signal.SIG_IGN)

    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
