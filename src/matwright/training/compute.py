"""The computing mode of small-graph work: one thread, no denormals, memory kept for the next step."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of mallopt(3) in the GNU C library
_NEVER = 2**31 - 1
_LARGEST_BLOCK = 2**25  # bytes; the most the library accepts


@contextmanager
def fast_mode(threads: int = 1) -> Iterator[None]:
    """Compute with few intra-op threads and denormals flushed to zero, and restore the caller's state afterwards.

    Two threads on small graphs are slower than one, and Gaussian features that underflow to denormals cost
    a factor of six; parallelism comes from processes instead. Freed memory is kept from then on.
    """
    keep_freed_memory()
    before, flushed = torch.get_num_threads(), _flushes_denormals()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_flush_denormal(flushed)


def keep_freed_memory() -> None:
    """Ask the C library to keep freed blocks of memory for this process, where it is the GNU one.

    By default large blocks go back to the system when a step is over and come back page by page, zeroed, in the next:
    a tenth of the time of a training step. Nothing but the resident size between steps changes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library: it has its own habits
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGEST_BLOCK)
    mallopt(_M_TRIM_THRESHOLD, _NEVER)


def _flushes_denormals() -> bool:
    tiny = torch.tensor([2.0**-126], dtype=torch.float32) * 0.5
    return bool((tiny == 0).item())
