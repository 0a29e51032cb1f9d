"""`matwright info`: which models ship with the package, and what one model is and was tested on."""

from __future__ import annotations

from typing import Annotated

import typer


def info(
    model: Annotated[str | None, typer.Argument(help="Name of a shipped model or a run folder.")] = None,
) -> None:
    """List the shipped models, one a line, or show the card of one model."""
    from matwright.api.info import card, shipped_summaries  # behind its door: a command loads when it is called

    if model is not None:
        typer.echo(card(model), nl=False)
        return
    for name, summary in shipped_summaries():
        typer.echo(f"{name}: {summary}")
