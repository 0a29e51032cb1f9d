from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from matwright.cli import main
from matwright.cli.application import build
from matwright.cli.commands import COMMANDS, Command

DOCUMENTS = ("README.md", "docs", "src/matwright/shipped")
FENCE = re.compile(r"^```(?:bash|console|sh)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def parse(arguments: list[str]) -> Any:
    """Return the context that the arguments of one command parse to; nothing is run."""
    command = next(command for command in COMMANDS if command.name == arguments[0])
    group: Any = typer.main.get_command(build(command))
    return group.get_command(None, command.name).make_context(command.name, list(arguments[1:]))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_help_ends_with_an_example_that_parses(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command.name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.rstrip().splitlines()[-1].strip() == command.example
    program, *arguments = shlex.split(command.example)
    assert program == "matwright"
    parse(arguments)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_resume_option_is_where_the_table_says(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    main([command.name, "--help"])
    assert ("--resume" in capsys.readouterr().out) == command.resumes


def documented_calls(root: Path) -> list[list[str]]:
    """Return every `matwright …` line of the documents' shell blocks, split into words."""
    files = [path for name in DOCUMENTS for path in [root / name] if path.is_file()]
    files += [path for name in DOCUMENTS for path in (root / name).rglob("*.md")]
    blocks = [block for path in files for block in FENCE.findall(path.read_text(encoding="utf-8"))]
    lines = [line.removeprefix("$ ").strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("matwright ")]


def test_every_call_in_the_documents_parses(root: Path) -> None:
    calls = documented_calls(root)
    assert len(calls) >= len(COMMANDS)
    for arguments in calls:
        if not arguments[0].startswith("-"):
            parse(arguments)
