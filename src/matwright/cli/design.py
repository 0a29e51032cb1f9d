"""`matwright design`: from wanted properties to a ranked short list of candidates with evidence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matwright.cli import demand_options as options

if TYPE_CHECKING:
    from matwright.api.design import DesignResult
    from matwright.api.readiness import Readiness
    from matwright.screening.rung import Measurement
    from matwright.screening.thresholds import Thresholds


def design(
    out: Annotated[Path, typer.Option(help="New folder for the results.")],
    target: options.Target = None,
    minimise: options.Minimise = None,
    maximise: options.Maximise = None,
    elements: options.Elements = None,
    require: options.Require = None,
    exclude: options.Exclude = None,
    formula: options.Formula = None,
    space_group: options.SpaceGroup = None,
    max_atoms: options.MaxAtoms = 20,
    budget: Annotated[int, typer.Option(help="Candidates that are relaxed, the dear step.", min=1)] = 200,
    pool: Annotated[
        int | None,
        typer.Option(help="Candidates that are generated [default: 50 per relaxed one, 2000 to 20000].", min=1),
    ] = None,
    stability: Annotated[
        float | None, typer.Option(help="Largest energy above the hull of a survivor, eV/atom [default: 0.1].")
    ] = None,
    per_formula: Annotated[int, typer.Option(help="Structures of one formula that are relaxed.", min=1)] = 3,
    thresholds: options.Thresholds = None,
    generator: Annotated[
        str, typer.Option(help='Shipped generator, run folder, "random" or "ion-exchange".')
    ] = "mp-generator",
    model: options.Model = None,
    condition: options.Condition = None,
    steps: options.Steps = None,
    potential: Annotated[str, typer.Option(help="Interatomic potential.")] = "chgnet",
    known: Annotated[
        Path | None, typer.Option(help="Folder or file of further known structures; equal candidates are dropped.")
    ] = None,
    new_compositions: Annotated[
        bool, typer.Option("--new-compositions", help="Drop candidates whose formula is known, whatever the structure.")
    ] = False,
    workers: Annotated[int | None, typer.Option(help="Processes that relax [default: one a CPU].", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.", min=0)] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the interrupted run in --out.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Go from wanted properties to a ranked short list of relaxed candidates with evidence.

    First says in three sentences what the models know of the targets. Writes candidates.csv (every candidate with every
    verdict), cifs/ of the survivors, readiness.json, run.json and report.html into --out.
    """
    from matwright.api.design import DesignSettings  # heavy: behind its door
    from matwright.api.design import design as run_design
    from matwright.cli.progress import progress

    wanted = options.wanted_targets(target, minimise, maximise)
    limits = _thresholds(thresholds, stability)
    constraints = options.stated_constraints(
        elements=elements,
        require=require,
        exclude=exclude,
        formula=formula,
        space_groups=space_group,
        n_atoms=(1, max_atoms),
    )
    settings = DesignSettings(
        targets=wanted,
        constraints=constraints,
        budget=budget,
        pool=pool,
        generator=generator,
        models=tuple(model or ["mp-crystal"]),
        conditions=options.stated_conditions(condition, steps),
        potential=potential,
        known=None if known is None else str(known),
        new_compositions=new_compositions,
        thresholds=limits,
        max_steps=limits.relaxation.max_steps,
        per_formula=per_formula,
        seed=seed,
    )
    outcome = run_design(
        settings, out, resume=resume, workers=workers, progress=progress(quiet=quiet), on_ready=_tell_ready
    )
    _tell(outcome, out)


def _tell_ready(ready: Readiness) -> None:
    """The three sentences and what holds for single models, before anything is generated."""
    for sentence in (*ready.sentences, *ready.remarks):
        typer.echo(sentence)


def _thresholds(path: Path | None, stability: float | None) -> Thresholds:
    from dataclasses import replace

    from matwright.screening.limits import HullLimits
    from matwright.screening.thresholds import Thresholds, load_thresholds

    chosen = load_thresholds(path) if path is not None else Thresholds()
    return chosen if stability is None else replace(chosen, hull=HullLimits(max_e_above_hull=stability))


def _tell(outcome: DesignResult, out: Path) -> None:
    """The short list on stdout: what a person wants to see first."""
    from matwright.api.design.describe import formula_of, space_group_number

    for note in outcome.notes:
        typer.echo(note)
    if not outcome.ranked:
        typer.echo(f"No candidate passed every rung; {out / 'report.html'} shows what stopped them.")
        return
    for rank, record in enumerate(outcome.survivors[:10], start=1):
        hull, score = record.measured("e_above_hull"), record.measured("score")
        parts = [f"{rank:3d}  {formula_of(record.crystal):<16} space group {space_group_number(record) or 0:3d}"]
        if score is not None and score.value is not None:
            parts.append(f"score {score.value:.3f}")
        if hull is not None and hull.value is not None:
            parts.append(f"{hull.value:+.3f} eV/atom above hull")
        for wanted in outcome.targets:
            measured = record.measured(wanted.name)
            if measured is not None and measured.value is not None and wanted.name != "e_above_hull":
                parts.append(_with_interval(measured))
        typer.echo("  ".join(parts))
    count = len(outcome.ranked)
    typer.echo(
        f"{count} survivor{'s' if count > 1 else ''} of {len(outcome.records)} candidates: {out / 'report.html'}"
    )


def _with_interval(measured: Measurement) -> str:
    """The value, and the interval that decides whether a candidate survives: it may reach where the value does not."""
    said = f"{measured.name} {measured.value:.3g} {measured.unit}".removesuffix(" 1")
    if measured.lower is None or measured.upper is None:
        return said
    return f"{said} ({measured.lower:.3g} to {measured.upper:.3g})"
