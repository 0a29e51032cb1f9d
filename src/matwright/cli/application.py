"""Builds the typer application for one call and turns errors into one sentence and an exit code."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer

from matwright import __version__
from matwright.cli.commands import COMMANDS, Command
from matwright.cli.failures import explain

DEBUG = "--debug"
INTERRUPTED = 130  # 128 + SIGINT, as shells count


def run(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code (0 done, 2 wrong input, 1 our fault, 130 interrupted)."""
    arguments = [argument for argument in argv if argument != DEBUG] or ["--help"]
    called = _called(arguments)
    try:
        code = build(called)(arguments, prog_name="matwright", standalone_mode=False)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:  # the last door: whatever comes out becomes a sentence and an exit code
        return _report(error, debug=DEBUG in argv)
    if code == INTERRUPTED:
        _say(f"interrupted{_how_to_go_on(called, arguments)}")
    return code if isinstance(code, int) else 0


def build(called: Command | None) -> typer.Typer:
    """Return the application in which only the called command is loaded and the others are names with a summary."""
    app = typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    app.callback()(_program)
    for command in COMMANDS:
        function = _load(command) if command == called else _not_loaded
        # \b keeps the example on its own line in the help text
        epilog = f"\b\nExample:\n  {command.example}"
        app.command(command.name, short_help=command.summary, epilog=epilog)(function)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"matwright {__version__}")
        raise typer.Exit


def _program(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
    debug: Annotated[bool, typer.Option(DEBUG, help="Show the traceback of an unexpected error.")] = False,
) -> None:
    """From wanted properties to a short list of candidate materials, each with its evidence.

    Exit codes: 0 done, 2 the input is wrong, 1 an error of the program, 130 interrupted.
    """


def _called(arguments: Sequence[str]) -> Command | None:
    """Return the command that the first word names, None where there is none of that name."""
    word = next((argument for argument in arguments if not argument.startswith("-")), None)
    return next((command for command in COMMANDS if command.name == word), None)


def _how_to_go_on(called: Command | None, arguments: Sequence[str]) -> str:
    """Return what a person who interrupted the command may do, "" where there is nothing to go on with."""
    if called is None or not called.resumes:
        return ""
    from matwright.runs import RUN_FILE  # loads numpy, which the help of a command can do without

    joined = [argument.removeprefix("--out=") for argument in arguments if argument.startswith("--out=")]
    apart = [after for option, after in pairwise(arguments) if option == "--out"]
    if any((Path(folder) / RUN_FILE).is_file() for folder in (*joined, *apart)):
        return "; the same command with --resume goes on from here"
    return " before there was anything to save; the same command starts anew"


def _load(command: Command) -> Callable[..., object]:
    module = importlib.import_module(f"matwright.cli.{command.name}")
    function: Callable[..., object] = getattr(module, command.name)
    return function


def _not_loaded() -> None:
    """Stand in for a command that this call does not run."""


def _report(error: Exception, *, debug: bool) -> int:
    if isinstance(error, BrokenPipeError):  # the reader of our output, for instance `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains once more at exit
        return 0
    failure = explain(error)
    if debug:
        traceback.print_exception(error)
    _say(failure.sentence)
    return failure.exit_code


def _say(sentence: str) -> None:
    print(f"matwright: {sentence}", file=sys.stderr)
