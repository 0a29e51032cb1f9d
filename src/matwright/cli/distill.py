"""`matwright distill`: a trained model in a few short formulas."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def distill(
    model: Annotated[str, typer.Argument(help='Name of a shipped model, for instance "mp-crystal", or a run folder.')],
    table: Annotated[Path, typer.Argument(help="Table, folder or database of structures, or table of formulas.")],
    name: Annotated[str, typer.Option("--property", help="The property that the formulas give.")],
    out: Annotated[Path, typer.Option(help="New folder for formulas, picture and report.")],
    structure: Annotated[
        str | None, typer.Option(help="Column with CIF or POSCAR text or paths [default: a usual name].")
    ] = None,
    formula: Annotated[str | None, typer.Option(help="Column with formulas, where there are no structures.")] = None,
    truth: Annotated[
        str | None, typer.Option(help='Column with known values, for instance "K:GPa" [default: the property\'s own].')
    ] = None,
    rows: Annotated[int, typer.Option(help="Rows of the table that are drawn at most.", min=40)] = 2000,
    formulas: Annotated[int, typer.Option(help="Formulas in the list at most.", min=1)] = 8,
    restarts: Annotated[int, typer.Option(help="Searches from different seeds.", min=1)] = 6,
    generations: Annotated[int, typer.Option(help="Generations of each search.", min=1)] = 60,
    population: Annotated[int, typer.Option(help="Formulas that live at a time.", min=10)] = 500,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.", min=0)] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the interrupted run in --out.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Repeat a model's predictions by short formulas of physical descriptors.

    Writes formulas.csv (complexity, error to the model and to known values on held-out rows), formulas.json, front.png
    and report.html into --out.
    """
    from matwright.api.distill import PAGE_FILE, DistillSettings, table_of  # heavy: behind its door
    from matwright.api.distill import distill as run
    from matwright.api.predict import load_predictor
    from matwright.cli.progress import progress
    from matwright.explain.symbolic import SearchSettings

    settings = DistillSettings(
        property=name,
        rows=rows,
        most=formulas,
        restarts=restarts,
        search=SearchSettings(population=population, generations=generations),
        seed=seed,
    )
    predictor = load_predictor(model)
    source = table_of(predictor, table, name, structure=structure, formula=formula, truth=truth)
    result = run(predictor, source, settings, out=out, resume=resume, progress=progress(quiet=quiet))
    unit = "" if result.spec.unit == "1" else f" {result.spec.unit}"
    for one in result.formulas:
        truth_text = "" if one.mae_to_truth is None else f", {one.mae_to_truth:.4g}{unit} to known values"
        typer.echo(f"{one.complexity:3d}  error {one.mae_to_model:.4g}{unit} to the model{truth_text}:  {one.text}")
    if result.model_mae is not None:
        typer.echo(f"     error {result.model_mae:.4g}{unit} of the model itself to the {result.n_truth} known values")
    typer.echo(f"{len(result.formulas)} formulas for {name}: {out / PAGE_FILE}")
