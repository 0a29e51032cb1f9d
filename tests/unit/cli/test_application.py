from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import pytest
import typer

from matwright import __version__
from matwright.cli import main
from matwright.cli.commands import COMMANDS


def test_no_argument_shows_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert all(command.name in shown for command in COMMANDS)


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"matwright {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], "No such command 'trian'. Did you mean 'train'?"),
        (["--nonsense"], "No such option: --nonsense"),
        (["design", "--nonsense"], "No such option: --nonsense"),
        (["generate", "mp-generator", "-n", "many", "--out", "x"], "Invalid value for '-n'"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("matwright: ")
    assert words in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("joined", [True, False])
def test_an_interruption_says_resume_only_where_there_is_a_run(
    joined: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*, out: Annotated[Path, typer.Option()]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("matwright.cli.design.design", interrupted)
    command = ["design", f"--out={tmp_path}"] if joined else ["design", "--out", str(tmp_path)]
    assert main(command) == 130
    assert "starts anew" in capsys.readouterr().err
    (tmp_path / "run.json").write_text("{}")
    assert main(command) == 130
    assert "--resume goes on" in capsys.readouterr().err


def test_an_unexpected_error_is_short_and_debug_shows_where(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matwright.cli.info", None)  # an installation with a missing file
    assert main(["info"]) == 1
    short = capsys.readouterr().err
    assert short.count("\n") == 1
    assert "--debug" in short
    assert main(["info", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err
