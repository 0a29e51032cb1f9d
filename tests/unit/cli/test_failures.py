from __future__ import annotations

import errno
from pathlib import Path

import pytest

from matwright.cli.failures import explain
from matwright.errors import CalculationError, InputError, ResourceError


def wrapped(inner: Exception) -> Exception:
    outer = RuntimeError("writing failed")
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InputError("no column 'cif'; the table has a, b"), 2, "no column 'cif'; the table has a, b"),
        (ResourceError("the GPU is gone"), 2, "the GPU is gone"),
        (OSError(errno.ENOSPC, "No space left on device", "out.csv"), 2, "disk is full writing out.csv"),
        (wrapped(OSError(errno.EDQUOT, "quota")), 2, "disk is full"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), 2, "disk is full"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), 2, "/x/y cannot be opened: Permission denied"),
        (MemoryError(), 2, "no memory left"),
        (CalculationError("did not converge"), 1, "did not converge"),
        (FileNotFoundError(errno.ENOENT, "No such file", "internal"), 1, "unexpected FileNotFoundError"),
        (ValueError("two\nlines"), 1, "unexpected ValueError: two lines"),
        (KeyError(), 1, "no message"),
    ],
)
def test_each_error_is_one_sentence_with_its_exit_code(error: Exception, code: int, words: str) -> None:
    failure = explain(error)
    assert failure.exit_code == code
    assert words in failure.sentence
    assert "\n" not in failure.sentence
    assert failure.unexpected == ("unexpected" in words or "no message" in words)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device that is always full exists on Linux only")
def test_a_really_full_disk_is_named() -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is what `explain` looks at
        Path("/dev/full").write_bytes(b"x")
    assert explain(caught.value).exit_code == 2
    assert "disk is full" in explain(caught.value).sentence
