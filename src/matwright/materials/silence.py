"""Keep other libraries quiet at the door to them, for the time of one call only."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = threading.RLock()


@contextmanager
def quiet_warnings() -> Iterator[None]:
    """Python warnings of the calls inside are dropped; the filters outside stay as they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """What compiled code prints to standard error inside is dropped (Python's own `sys.stderr` included).

    One thread at a time: two that exchange the same descriptor at once could leave it closed for good.
    """
    with _STDERR:
        if sys.stderr is not None:
            sys.stderr.flush()
        saved = os.dup(2)
        sink = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(sink, 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(sink)
            os.close(saved)
