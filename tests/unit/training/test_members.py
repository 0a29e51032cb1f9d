"""Members in processes of their own: results in order, failures told, nobody left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from member_work import Heard, work

from matwright.errors import InputError, ResourceError
from matwright.progress import Progress
from matwright.training.members import run_members, stop_on_interrupt


def test_results_come_in_order_and_progress_is_summed() -> None:
    heard = Heard()
    assert run_members(work, [("square", 3), ("square", 2), ("square", 1)], progress=heard, at_once=2) == [9, 4, 1]
    assert heard.total == 30
    assert heard.done == 30
    assert heard.finished


def test_failures_are_raised_here() -> None:
    with pytest.raises(InputError, match="no such thing"):
        run_members(work, [("wrong", 1)], progress=Heard())
    with pytest.raises(ResourceError, match="ended from outside"):
        run_members(work, [("killed", 1)], progress=Heard())
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        run_members(work, [("broken", 1)], progress=Heard())


def test_no_member_outlives_its_parent(tmp_path: Path) -> None:
    script = Path(__file__).with_name("member_work.py")
    parent = subprocess.Popen([sys.executable, str(script), str(tmp_path / "pid")])
    deadline = time.monotonic() + 30
    while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    member = int((tmp_path / "pid").read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while time.monotonic() < deadline and is_running(member):
        time.sleep(0.02)
    assert not is_running(member)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3]


def test_interrupt_is_noticed_between_steps() -> None:
    steps = 0

    def until_told(keep_going: Callable[[], bool]) -> None:
        nonlocal steps
        while keep_going():
            steps += 1
            if steps == 3:
                signal.raise_signal(signal.SIGINT)
        raise InterruptedError

    with pytest.raises(KeyboardInterrupt), stop_on_interrupt() as keep_going:
        until_told(keep_going)
    assert steps == 3


def test_heard_is_a_progress() -> None:
    listener: Progress = Heard()
    listener.start("x", 1)
