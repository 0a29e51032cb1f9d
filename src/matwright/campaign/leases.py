"""Keeps a process's claims alive while it works."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self, final

from matwright.campaign.store.work import WorkQueue
from matwright.errors import MatwrightError


@final
class Leases:
    """Renews every claim of a queue's owner three times within a lease, and gives back what is left at the end.

    A renewal that fails (a full disk, a server that restarts) is tried again at the next beat: until the lease has run
    out nothing is lost, and afterwards the work is merely free for others.
    """

    def __init__(self, queue: WorkQueue, lease: float) -> None:
        self._queue, self._every = queue, lease / 3.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="leases", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        try:
            self._queue.release()
        except MatwrightError:
            if error is None:  # else the error under way says more, and the leases run out by themselves
                raise

    def _beat(self) -> None:
        while not self._ended.wait(self._every):
            try:
                self._queue.renew()
            except MatwrightError:
                continue
