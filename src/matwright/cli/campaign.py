"""`matwright campaign`: propose, filter, evaluate, record, retrain, for hours or days, from one TOML file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matwright.errors import InputError
from matwright.materials.properties import nearest_hint

if TYPE_CHECKING:
    from matwright.api.campaign.settings import CampaignSettings
    from matwright.data.record import Rejection

_EVERY = 2.0  # s between two looks of a live table


def campaign(
    action: Annotated[str, typer.Argument(help="run, status, pause, resume or report.")],
    file: Annotated[Path, typer.Argument(help="TOML file of the campaign.")],
    out: Annotated[Path | None, typer.Option(help="New HTML file (report).")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show the status until the campaign ends.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Search a pool or a generator for what meets the targets, with evaluators from cheap to dear.

    Everything is kept in the store that the file names. Ctrl-C and kill are safe at any moment: `run` goes on with the
    same round; `resume` also lifts a pause. configs/campaign.toml shows every setting.
    """
    if action not in _ACTIONS:
        hint = nearest_hint(action, _ACTIONS)
        raise InputError(f"campaign does {', '.join(_ACTIONS)}; found {action!r}{hint}")
    if out is not None and action != "report":
        raise InputError("--out belongs to `matwright campaign report`")
    from matwright.api.campaign import load_campaign  # heavy: behind its door

    _ACTIONS[action](load_campaign(file), out, watch, quiet)


def _run(settings: CampaignSettings, _out: Path | None, _watch: bool, quiet: bool, *, resume: bool = False) -> None:
    from matwright.api.campaign import run_campaign
    from matwright.api.campaign.status import status_lines, status_of
    from matwright.cli.progress import progress

    try:
        outcome = run_campaign(
            settings,
            resume=resume,
            progress=progress(quiet=quiet),
            on_reject=_tell_rejection,
            on_remark=typer.echo,
        )
    except KeyboardInterrupt:
        print(f"matwright: everything recorded is in {settings.store}; the same command goes on", file=sys.stderr)
        raise
    for line in status_lines(status_of(settings)):
        typer.echo(line)
    typer.echo(outcome.reason)


def _resume(settings: CampaignSettings, out: Path | None, watch: bool, quiet: bool) -> None:
    _run(settings, out, watch, quiet, resume=True)


def _status(settings: CampaignSettings, _out: Path | None, watch: bool, _quiet: bool) -> None:
    from matwright.api.campaign.status import status_lines, status_of

    if not watch:
        for line in status_lines(status_of(settings)):
            typer.echo(line)
        return
    from rich.live import Live  # slow to load: only where a table is watched
    from rich.text import Text

    with Live(refresh_per_second=4) as live:
        while True:
            status = status_of(settings)
            live.update(Text("\n".join(status_lines(status))))
            if not status.runs:
                return
            time.sleep(_EVERY)


def _pause(settings: CampaignSettings, _out: Path | None, _watch: bool, _quiet: bool) -> None:
    from matwright.api.campaign.run import pause_campaign

    pause_campaign(settings)
    typer.echo(f"{settings.name} is paused: what runs is finished and recorded, then its process ends")


def _report(settings: CampaignSettings, out: Path | None, _watch: bool, _quiet: bool) -> None:
    from matwright.api.campaign.page import write_report

    typer.echo(write_report(settings, out))


_ACTIONS: Mapping[str, Callable[[CampaignSettings, Path | None, bool, bool], None]] = {
    "run": _run,
    "status": _status,
    "pause": _pause,
    "resume": _resume,
    "report": _report,
}


def _tell_rejection(rejection: Rejection) -> None:
    print(f"left out: {rejection}", file=sys.stderr)
