"""Progress on stderr: a live bar at a terminal, plain lines with times in a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO, final

from matwright.progress import Progress, silent

if TYPE_CHECKING:
    from rich.progress import TaskID

_LINE_EVERY = 10.0  # seconds between two lines in a log file


def progress(*, quiet: bool = False, stream: TextIO | None = None) -> Progress:
    """Return the listener that suits `stream` (default stderr): a bar, plain lines, or nothing when quiet."""
    if quiet:
        return silent()
    target = sys.stderr if stream is None else stream
    return BarProgress(target) if target.isatty() else LineProgress(target)


@final
class BarProgress:
    """A live bar: percentage, count, rate, elapsed time and time left."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console  # slow to load: only when a bar is shown
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
            console=Console(file=stream),
        )
        self._task: TaskID | None = None

    def start(self, stage: str, total: int | None = None) -> None:
        """Begin a stage with a new bar."""
        self.finish()
        self._bars.start()
        self._task = self._bars.add_task(stage, total=total, rate="", note="")

    def advance(self, n: int = 1) -> None:
        """Move the bar by `n` steps."""
        if self._task is not None:
            self._bars.advance(self._task, n)
            task = next(task for task in self._bars.tasks if task.id == self._task)
            self._bars.update(self._task, rate=_rate(task.completed, task.elapsed or 0.0))

    def note(self, text: str) -> None:
        """Show `text` at the end of the bar."""
        if self._task is not None:
            self._bars.update(self._task, note=text)

    def finish(self) -> None:
        """Leave the bar as it stands and give the terminal back."""
        if self._task is not None:
            self._bars.stop_task(self._task)
            self._bars.stop()
            self._task = None


@final
class LineProgress:
    """One line at the start, at most one every ten seconds, and one at the end of a stage."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock  # seconds
        self._stage: str | None = None
        self._total: int | None = None
        self._done = 0
        self._began = self._last_line = 0.0
        self._note = ""

    def start(self, stage: str, total: int | None = None) -> None:
        """Begin a stage and print its name."""
        self.finish()
        self._stage, self._total, self._done, self._note = stage, total, 0, ""
        self._began = self._last_line = self._clock()
        self._print(f"{stage}: " + ("started" if total is None else f"0 of {total}"))

    def advance(self, n: int = 1) -> None:
        """Count `n` steps; print a line when the last one is ten seconds old."""
        self._done += n
        now = self._clock()
        if self._stage is not None and now - self._last_line >= _LINE_EVERY:
            self._last_line = now
            self._print(self._line(now - self._began))

    def note(self, text: str) -> None:
        """Put `text` at the end of the next line."""
        self._note = text

    def finish(self) -> None:
        """Print the stage's last line."""
        if self._stage is not None:
            self._print(self._line(self._clock() - self._began, ended=True))
            self._stage = None

    def _line(self, elapsed: float, *, ended: bool = False) -> str:
        words = [f"{self._stage}: {self._done}"]
        if self._total:
            words.append(f"of {self._total} ({100 * self._done / self._total:.0f} %)")
        words.append(f"in {duration(elapsed)}")
        if rate := _rate(self._done, elapsed):
            words.append(f"· {rate}")
        if self._total and self._done and not ended:
            words.append(f"· {duration(elapsed / self._done * (self._total - self._done))} left")
        if self._note:
            words.append(f"· {self._note}")
        return " ".join(words)

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


def duration(seconds: float) -> str:
    """Return a time as people write it: 8 s, 2 min 05 s, 1 h 20 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _rate(done: float, elapsed: float) -> str:
    if done <= 0 or elapsed <= 0:
        return ""
    per_second = done / elapsed
    return (
        f"{per_second:.0f}/s"
        if per_second >= 10
        else f"{per_second:.1f}/s"
        if per_second >= 1
        else f"{per_second * 60:.1f}/min"
    )
