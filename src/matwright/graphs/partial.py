"""Folders that are whole or absent: written under another name, which they lose only when they are finished."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape as glob_escape
from pathlib import Path


@contextmanager
def partial_folder(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` to be filled and then given to `take_place`; removed when the block fails.

    What killed processes of this machine left behind there is removed first.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    partial = folder.with_name(f"{_prefix(folder)}{os.getpid()}-{secrets.token_hex(4)}")
    partial.mkdir()
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def take_place(partial: Path, folder: Path) -> None:
    """Rename the finished `partial` to `folder`; what stood there goes away whole."""
    if folder.exists():
        old = folder.with_name(f"{_prefix(folder)}{os.getpid()}-{secrets.token_hex(4)}")
        folder.rename(old)
        partial.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    else:
        partial.rename(folder)


def _prefix(folder: Path) -> str:
    return f".{folder.name}.partial-{socket.gethostname()}-"


def _remove_leftovers(folder: Path) -> None:
    prefix = _prefix(folder)
    for leftover in folder.parent.glob(f"{glob_escape(prefix)}*"):
        process = leftover.name.removeprefix(prefix).split("-")[0]
        if process.isdigit() and not _is_running(int(process)):
            shutil.rmtree(leftover, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs, under another user
        return True
    return True
