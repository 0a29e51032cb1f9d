"""`matwright store`: what is in a campaign's store, and its records in the formats that others read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matwright.errors import InputError
from matwright.materials.properties import nearest_hint

if TYPE_CHECKING:
    from matwright.campaign.store.store import Store

ACTIONS = ("info", "export")


def store(
    action: Annotated[str, typer.Argument(help='"info" says what is in it, "export" writes its records to --out.')],
    address: Annotated[str, typer.Argument(help="Path of a store, or postgresql://user@host:5432/name.")],
    kind: Annotated[
        str | None, typer.Option("--format", help="csv, parquet, extxyz, ase (a database) or optimade (JSON lines).")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="New file for the records.")] = None,
    campaign: Annotated[str | None, typer.Option(help="Only records of this campaign's candidates.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Say what is in a store, or write its records for others: tables, structures, OPTIMADE.

    Every record is one row or structure, failures with their reason included; the unit stands beside each quantity.
    """
    from matwright.campaign.store.store import Store  # heavy (SQLAlchemy): behind its door

    if action not in ACTIONS:
        raise InputError(f"store does {' or '.join(ACTIONS)}, found {action!r}{nearest_hint(action, ACTIONS)}")
    with Store.open(address, create=False) as opened:
        if action == "export":
            _export(opened, kind, out, campaign, quiet=quiet)
            return
        from matwright.campaign.overview import overview

        for line in overview(opened).lines():
            typer.echo(line)


def _export(opened: Store, kind: str | None, out: Path | None, campaign: str | None, *, quiet: bool) -> None:
    from matwright.campaign.export.formats import Format, export  # behind its door: only an export needs it
    from matwright.cli.progress import progress

    known = [one.value for one in Format]
    if kind not in known:
        hint = nearest_hint(kind, known) if kind else ""
        raise InputError(f"--format is one of {', '.join(known)}, found {kind!r}{hint}")
    if out is None:
        raise InputError("--out names the new file for the records")
    done = export(opened, Format(kind), out, campaign=campaign, progress=progress(quiet=quiet))
    for key, reason in done.skipped:
        print(f"matwright: {key} was left out: {reason}", file=sys.stderr)
    typer.echo(f"{done.written} records: {out}")
