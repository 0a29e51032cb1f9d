"""What an error means to the person at the command line: one sentence and an exit code."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import typer

from matwright.errors import CalculationError, InputError, ResourceError

WRONG_INPUT = 2
OUR_FAULT = 1

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
# Libraries written in other languages pass the operating system's words on, not its number.
_DISK_FULL_WORDS = ("no space left on device", "disk quota exceeded", "database or disk is full")
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A sentence for stderr, the exit code, and whether the error is one that nobody foresaw."""

    sentence: str
    exit_code: int
    unexpected: bool = False


def explain(error: BaseException) -> Failure:
    """Return the sentence and the exit code for an error that reached the command line."""
    if isinstance(error, InputError | ResourceError):
        return Failure(sentence=_one_line(str(error)), exit_code=WRONG_INPUT)
    if isinstance(error, typer.TyperException):  # a wrong option, argument or command
        return Failure(sentence=_one_line(error.format_message()), exit_code=WRONG_INPUT)
    for cause in _chain(error):
        if sentence := _resource(cause):
            return Failure(sentence=sentence, exit_code=WRONG_INPUT)
    if isinstance(error, CalculationError):
        return Failure(sentence=_one_line(str(error)), exit_code=OUR_FAULT)
    return Failure(
        sentence=f"unexpected {type(error).__name__}: {_one_line(str(error)) or 'no message'} "
        "(run again with --debug for the traceback)",
        exit_code=OUR_FAULT,
        unexpected=True,
    )


def _resource(error: BaseException) -> str | None:
    """Return the sentence for a machine that cannot go on, None for any other error."""
    if isinstance(error, MemoryError):
        return "the machine has no memory left; close other programs or ask for less at a time"
    named = isinstance(error, OSError) and error.filename is not None
    where = f" writing {error.filename}" if named and isinstance(error, OSError) else ""
    if (isinstance(error, OSError) and error.errno in _DISK_FULL) or _says_disk_full(error):
        return f"the disk is full{where}; make room and run the same command again"
    if isinstance(error, OSError) and error.errno in _NOT_ALLOWED and named:
        return f"{error.filename} cannot be opened: {error.strerror}"
    return None


def _says_disk_full(error: BaseException) -> bool:
    text = str(error).lower()
    return any(words in text for words in _DISK_FULL_WORDS)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error, then what caused it, each once."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _one_line(text: str) -> str:
    return " ".join(text.split())
