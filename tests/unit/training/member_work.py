"""What the members of the tests do; a module of its own because their processes import it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from matwright.errors import InputError
from matwright.progress import Progress
from matwright.training.members import run_members


class Heard:
    """A progress listener that remembers."""

    def __init__(self) -> None:
        self.total, self.done, self.finished = 0, 0, False
        self.stages: list[str] = []

    def start(self, stage: str, total: int | None = None) -> None:
        self.stages.append(stage)
        self.total += total or 0

    def advance(self, n: int = 1) -> None:
        self.done += n

    def note(self, text: str) -> None:
        pass

    def finish(self) -> None:
        self.finished = True


def work(job: tuple[str, int], progress: Progress, keep_going: Callable[[], bool]) -> int:
    kind, value = job
    if kind == "wrong":
        raise InputError("there is no such thing")
    if kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "broken":
        return value // 0
    if kind == "endless":
        Path(sys.argv[1]).write_text(str(os.getpid()))
        while keep_going():
            time.sleep(0.01)
    progress.start("work", 10)
    progress.advance(10)
    return value**2


if __name__ == "__main__":
    run_members(work, [("endless", 0)], progress=Heard())
