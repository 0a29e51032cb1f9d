"""`matwright campaign status --watch` in a terminal of its own, beside a campaign that runs."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from campaign_toys import write_campaign

from matwright.api.campaign import load_campaign
from matwright.api.campaign.status import status_of
from matwright.errors import InputError

_PIECE = re.compile(r"\x1b\[(?P<private>\??)(?P<number>\d*)(?P<does>[A-Za-z])|(?P<text>[^\x1b\r\n]+)|(?P<go>[\r\n])")


_COMMAND = """
import fcntl, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # keys pressed there are signals here
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts its background jobs deaf to it
from matwright.cli import main
sys.exit(main(sys.argv[1:]))
"""


class Terminal:
    """A terminal of `columns` and 24 rows in which a command runs, and what stands on its screen.

    The command is a new process: one that is forked from the tests' own inherits the locks of threads it does not have.
    """

    def __init__(self, arguments: list[str], columns: int = 100) -> None:
        self._master, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        plain = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, *arguments],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env=plain | {"TERM": "xterm-256color"},
            start_new_session=True,
        )
        os.close(inside)
        self.columns, self.written = columns, ""

    def read(self, until: str, seconds: float = 30.0) -> None:
        """Read until a text is written after what was read before, or to the end where that is empty."""
        before, end = len(self.written), time.monotonic() + seconds
        while not until or until not in self.written[before:]:
            ready, _, _ = select.select([self._master], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"nothing came: {self.written!r}"
            try:
                data = os.read(self._master, 65536)
            except OSError:  # the other side is closed
                data = b""
            if not data:
                assert not until, self.written
                return
            self.written += data.decode()

    def press(self, key: bytes) -> None:
        os.write(self._master, key)

    def code(self) -> int:
        """Read to the end; the exit code."""
        self.read("")
        os.close(self._master)
        return self._process.wait(60.0)

    @property
    def screen(self) -> list[str]:
        """The rows that a person sees, from the first that is not empty."""
        rows, row, column = [""], 0, 0
        for piece in _PIECE.finditer(self.written):
            if (text := piece["text"]) is not None:
                assert column + len(text) <= self.columns, "a line is longer than the terminal is wide"
                rows[row] = rows[row].ljust(column)[:column] + text + rows[row][column + len(text) :]
                column += len(text)
            elif piece["go"] == "\r":
                column = 0
            elif piece["go"] == "\n":
                row += 1
                rows += [""] * (row == len(rows))
            elif piece["does"] == "A":
                row -= int(piece["number"] or 1)
                assert row >= 0, "the screen is left at its top"
            elif piece["does"] == "K":
                rows[row] = ""
        return [one.rstrip() for one in rows if one.strip()]

    @property
    def cursor_is_there(self) -> bool:
        return self.written.rfind("\x1b[?25h") >= self.written.rfind("\x1b[?25l")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A campaign and the process that works on it, which stands still after two rounds."""
    path = write_campaign(tmp_path, rounds=16)
    settings = load_campaign(path)
    command = [sys.executable, "-m", "matwright.cli", "campaign", "run", str(path), "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 120.0
        while True:
            assert time.monotonic() < end
            assert process.poll() is None
            try:
                if status_of(settings).rounds >= 2:
                    break
            except InputError:  # it has not begun
                time.sleep(0.02)
        process.send_signal(signal.SIGSTOP)
        yield path, process.pid
    finally:
        process.kill()
        process.wait()


def _tables(screen: list[str]) -> int:
    return sum(line.startswith("rung ") for line in screen)


def test_the_table_is_drawn_in_place_until_the_campaign_ends(running: tuple[Path, int]) -> None:
    path, pid = running
    watch = Terminal(["campaign", "status", str(path), "--watch"])
    watch.read("of computing")
    assert _tables(watch.screen) == 1
    watch.read("of computing")  # drawn anew, in the same place
    os.kill(pid, signal.SIGCONT)
    watch.read("ended: 16 rounds done", seconds=60.0)
    assert watch.code() == 0
    assert watch.screen[0] == "salts: ended: 16 rounds done"
    assert _tables(watch.screen) == 1
    for start in ("salts: ", "round ", "best so far"):  # nothing of an earlier drawing is left
        assert sum(line.startswith(start) for line in watch.screen) == 1
    assert watch.cursor_is_there


@pytest.mark.parametrize("columns", [100, 40])
def test_ctrl_c_leaves_a_clean_terminal(running: tuple[Path, int], columns: int) -> None:
    path, _ = running
    watch = Terminal(["campaign", "status", str(path), "--watch"], columns)
    watch.read("of computing" if columns == 100 else "rung")
    assert not watch.cursor_is_there
    watch.press(b"\x03")
    assert watch.code() == 130
    assert watch.cursor_is_there
    assert _tables(watch.screen) == 1
    assert watch.screen[-1] == "matwright: interrupted"
    assert "Traceback" not in watch.written
