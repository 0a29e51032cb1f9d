from __future__ import annotations

import io

import pytest

from matwright.cli.progress import BarProgress, LineProgress, duration, progress
from matwright.progress import silent


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_listener_suits_the_stream() -> None:
    assert isinstance(progress(stream=Terminal()), BarProgress)
    assert isinstance(progress(stream=io.StringIO()), LineProgress)
    assert type(progress(quiet=True)) is type(silent())


def test_lines_name_the_stage_its_size_and_its_end() -> None:
    stream = io.StringIO()
    listener = progress(stream=stream)
    listener.start("relaxing", 4)
    listener.advance(3)
    listener.note("1 failed")
    listener.start("ranking")  # ends the stage before
    listener.finish()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "relaxing: 0 of 4"
    assert lines[1].startswith("relaxing: 3 of 4 (75 %) in 0 s")
    assert lines[1].endswith("1 failed")
    assert lines[2] == "ranking: started"
    assert len(lines) == 4


def test_a_slow_stage_shows_the_time_left() -> None:
    times = iter([0.0, 60.0])
    stream = io.StringIO()
    listener = LineProgress(stream, clock=lambda: next(times))
    listener.start("training", 4)
    listener.advance()
    assert stream.getvalue().splitlines()[1] == "training: 1 of 4 (25 %) in 1 min 00 s · 1.0/min · 3 min 00 s left"


def test_the_bar_shows_count_rate_and_note() -> None:
    stream = Terminal()
    listener = BarProgress(stream)
    listener.advance()  # before any stage: nothing to move
    listener.start("relaxing", 4)
    listener.advance(3)
    listener.note("1 failed")
    listener.finish()
    text = stream.getvalue()
    assert "relaxing" in text
    assert "75%" in text
    assert "3/4" in text
    assert "1 failed" in text


def test_silence_takes_every_call() -> None:
    listener = silent()
    listener.start("a", 1)
    listener.advance()
    listener.note("b")
    listener.finish()


@pytest.mark.parametrize(("seconds", "text"), [(8.2, "8 s"), (125, "2 min 05 s"), (4800, "1 h 20 min"), (-1, "0 s")])
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text
