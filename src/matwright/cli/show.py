"""`matwright show`: what a store knows of one candidate, rung by rung."""

from __future__ import annotations

from typing import Annotated

import typer

Store = Annotated[str, typer.Option(help="Path of a campaign's store, or postgresql://user@host:5432/name.")]


def show(
    candidate: Annotated[str, typer.Argument(help="Formula, or the first digits of a structure's address.")],
    store: Store,
) -> None:
    """Print the record of a candidate: each rung with its numbers, units, code, version, settings and time."""
    # heavy (SQLAlchemy): behind its door
    from matwright.api.campaign.candidate import find_candidates, listing
    from matwright.campaign.store.store import Store as Opened

    with Opened.open(store, create=False) as opened:
        found = find_candidates(opened, candidate)
    for line in found[0].lines() if len(found) == 1 else listing(found):
        typer.echo(line)
