from __future__ import annotations

import os
import threading
import warnings

import pytest

from matwright.materials.silence import quiet_stderr, quiet_warnings


def test_compiled_output_is_dropped_inside_and_only_there(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_stderr():
        os.write(2, b"inside")
    os.write(2, b"outside")
    assert capfd.readouterr().err == "outside"


def test_standard_error_survives_many_threads(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        for _ in range(50):
            with quiet_stderr():
                os.write(2, b"x")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"alive")
    assert capfd.readouterr().err == "alive"


def test_warnings_are_dropped_inside_and_only_there() -> None:
    with quiet_warnings():
        warnings.warn("inside", stacklevel=1)
    with pytest.warns(UserWarning, match="outside"):
        warnings.warn("outside", stacklevel=1)
