"""`matwright readiness`: is a target within what the models know, before a design run is started?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def readiness(
    target: Annotated[
        list[str] | None,
        typer.Option(help='A demand, for instance "bulk_modulus>=200 GPa" or "band_gap=1.5±0.3 eV"; may be repeated.'),
    ] = None,
    minimise: Annotated[
        list[str] | None, typer.Option("--minimise", "--minimize", help="A property to bring down; may be repeated.")
    ] = None,
    maximise: Annotated[
        list[str] | None, typer.Option("--maximise", "--maximize", help="A property to bring up; may be repeated.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Shipped property model or run folder; may be repeated [default: mp-crystal]."),
    ] = None,
    elements: Annotated[str | None, typer.Option(help='Only these elements, for instance "Li,P,S,O".')] = None,
    require: Annotated[str | None, typer.Option(help="Elements that every candidate must hold.")] = None,
    exclude: Annotated[str | None, typer.Option(help='Never these elements, for instance "Pb,Cd,Hg".')] = None,
    known: Annotated[
        Path | None, typer.Option(help="Folder or file of known structures, to count those predicted to meet all.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="New folder for readiness.json and readiness.html.")] = None,
) -> None:
    """Say in three sentences what the models know of a target, how accurate they are there, and what is known nearby.

    `matwright design` does the same before it starts.
    """
    from matwright.api.readiness import assess_readiness, knowing_models, known_near, write_readiness  # heavy (torch)
    from matwright.cli.design import wanted_targets
    from matwright.materials.constraints import Constraints
    from matwright.materials.target import parse_elements

    targets = wanted_targets(target, minimise, maximise)
    names = tuple(model or ["mp-crystal"])
    constraints = Constraints(
        allowed=parse_elements(elements) if elements else frozenset(),
        required=parse_elements(require) if require else frozenset(),
        forbidden=parse_elements(exclude) if exclude else frozenset(),
    )
    given = None if known is None else known_near(known, names, targets)
    ready = assess_readiness(targets, knowing_models(names), constraints=constraints, given=given)
    for sentence in ready.sentences:
        typer.echo(sentence)
    if out is not None:
        write_readiness(ready, out, models=names, constraints=constraints, known=known)
        typer.echo(f"picture and numbers: {out / 'readiness.html'}", err=True)
