"""A process that ends when the one that started it does, however that one ended."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # of prctl(2)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent is gone; only Linux can promise it."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before the promise
        os.kill(os.getpid(), signal.SIGKILL)
