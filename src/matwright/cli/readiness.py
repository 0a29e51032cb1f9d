"""`matwright readiness`: is a target within what the models know, before a design run is started?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from matwright.cli import demand_options as options


def readiness(
    target: options.Target = None,
    minimise: options.Minimise = None,
    maximise: options.Maximise = None,
    model: options.Model = None,
    condition: options.Condition = None,
    steps: options.Steps = None,
    elements: options.Elements = None,
    require: options.Require = None,
    exclude: options.Exclude = None,
    known: Annotated[
        Path | None, typer.Option(help="Folder or file of known structures, to count those predicted to meet all.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="New folder for readiness.json and readiness.html.")] = None,
) -> None:
    """Say in three sentences what the models know of a target, how accurate they are there, and what is known nearby.

    `matwright design` does the same before it starts.
    """
    from matwright.api.readiness import assess_readiness, knowing_models, known_near, write_readiness  # heavy (torch)

    targets = options.wanted_targets(target, minimise, maximise)
    names = tuple(model or ["mp-crystal"])
    constraints = options.stated_constraints(elements=elements, require=require, exclude=exclude)
    stated = options.stated_conditions(condition, steps)
    given = None if known is None else known_near(known, names, targets, stated)
    ready = assess_readiness(targets, knowing_models(names), constraints=constraints, conditions=stated, given=given)
    for sentence in (*ready.sentences, *ready.remarks):
        typer.echo(sentence)
    if out is not None:
        write_readiness(ready, out, models=names, conditions=stated, constraints=constraints, known=known)
        typer.echo(f"picture and numbers: {out / 'readiness.html'}", err=True)
