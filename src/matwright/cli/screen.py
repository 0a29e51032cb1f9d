"""`matwright screen`: crystals up the cascade from cheap rules to interatomic potentials."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matwright.cli import demand_options as options

if TYPE_CHECKING:
    from matwright.api.screen.result import ScreenResult
    from matwright.data.record import Rejection


def screen(
    files: Annotated[list[Path], typer.Argument(help="Structure files, folders or archives of them, tables.")],
    out: Annotated[Path, typer.Option(help="New folder for the results.")],
    thresholds: options.Thresholds = None,
    until: Annotated[str, typer.Option(help="The last rung: density … hull … phonon, conduction.")] = "hull",
    skip: Annotated[list[str] | None, typer.Option(help="A rung that is left out; may be repeated.")] = None,
    target: options.Target = None,
    model: options.Model = None,
    condition: options.Condition = None,
    steps: options.Steps = None,
    potential: Annotated[str, typer.Option(help="Interatomic potential.")] = "chgnet",
    structure: Annotated[str | None, typer.Option(help="Column of a table that holds the structures.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Column of a table that names the materials.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that compute with the potential [default: one a CPU].", min=1)
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first row that cannot be used.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the interrupted run in --out.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Send crystals up one cascade of physics, from cheap rules to potentials, and keep every verdict.

    Writes verdicts.csv (every candidate, every verdict with residual, threshold, reason and cost), candidates.csv, the
    survivors as cifs/, run.json and report.html into --out. configs/filter.toml holds every threshold with its default.
    """
    # heavy: behind its door
    from matwright.api.screen import Inputs, ScreenSettings
    from matwright.api.screen import screen as run
    from matwright.cli.progress import progress
    from matwright.materials.target import parse_target
    from matwright.screening.thresholds import Thresholds, load_thresholds

    settings = ScreenSettings(
        thresholds=load_thresholds(thresholds) if thresholds is not None else Thresholds(),
        until=until,
        skip=tuple(skip or ()),
        targets=tuple(parse_target(text) for text in target or ()),
        models=tuple(model or ["mp-crystal"]),
        conditions=options.stated_conditions(condition, steps),
        potential=potential,
    )
    inputs = Inputs(paths=tuple(files), structure=structure, id_column=id_column, strict=strict)
    if "surrogate" in settings.rungs:
        options.tell_remarks(settings.models, settings.targets, settings.conditions)
    result = run(
        inputs,
        settings,
        out,
        resume=resume,
        workers=workers or os.cpu_count() or 1,
        progress=progress(quiet=quiet),
        on_reject=_tell_rejection,
    )
    _tell(result, out)


def _tell_rejection(rejection: Rejection) -> None:
    print(f"left out: {rejection}", file=sys.stderr)


def _tell(result: ScreenResult, out: Path) -> None:
    """One line a rung: what came, what went on, what stopped the others, what it cost."""
    for count in result.counts():
        stopped = ", ".join(f"{number} {rule}" for rule, number in count.stopped_by[:3])
        cost = f"{1e3 * count.seconds / count.entered:.3g} ms each"
        print(f"{count.rung:<18}{count.passed:>6} of {count.entered:<6} {cost:<16} {stopped}".rstrip())
    left = len(result.survivors)
    print(f"{left} survivor{'' if left == 1 else 's'} of {len(result.records)} candidates: {out / 'report.html'}")
