"""`matwright reproduce`: compute a recorded number again from its store, and compare."""

from __future__ import annotations

from typing import Annotated

import typer

from matwright.cli.show import Store
from matwright.errors import InputError

DIFFERENT = 1


def reproduce(
    candidate: Annotated[str, typer.Argument(help="Formula, or the first digits of a structure's address.")],
    rung: Annotated[str, typer.Argument(help="Name of the evaluator, for instance chgnet-stability or stability.")],
    store: Store,
) -> None:
    """Compute one rung of a candidate again from the store alone, and say whether it comes out equal.

    Exit code 0 where it does, 1 where it does not.
    """
    # heavy: behind its door
    from matwright.api.campaign.candidate import find_candidates
    from matwright.api.campaign.reproduce import reproduce as run
    from matwright.campaign.store.store import Store as Opened

    with Opened.open(store, create=False) as opened:
        found = find_candidates(opened, candidate)
        if len(found) > 1:
            raise InputError(
                f"{len(found)} candidates are called {candidate!r}; `matwright show` lists their addresses"
            )
        result = run(opened, found[0], rung)
    for line in result.lines():
        typer.echo(line)
    if not result.equal:
        raise typer.Exit(DIFFERENT)
