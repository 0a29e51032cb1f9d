"""The command line: one file per command on top of `matwright.api`, loaded only when it is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 done, 2 wrong input, 1 our fault, 130 interrupted.

    Args:
        argv: arguments without the program's name; None takes those of the process.
    """
    # Small graphs run fastest on one thread a process, and the libraries read this once, when they load.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from matwright.cli.application import run  # typer is not needed to import this package

    return run(sys.argv[1:] if argv is None else argv)
