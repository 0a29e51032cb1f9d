"""`matwright compress`: a trained model in one smaller network, with what that costs and what it saves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from matwright.errors import InputError


def compress(
    model: Annotated[
        str, typer.Argument(help='The teacher: a shipped model, for instance "mp-crystal", or a run folder.')
    ],
    table: Annotated[Path, typer.Argument(help="Table of materials with known values, best the teacher's own.")],
    out: Annotated[Path, typer.Option(help="New folder for the student.")],
    structure: Annotated[
        str | None, typer.Option(help="Column with CIF or POSCAR text or paths [default: that of the training].")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="Column of known values as property=column, where the names differ; may be repeated."),
    ] = None,
    split_column: Annotated[
        str | None, typer.Option(help="Column that says train, val or test for each row: the teacher's own split.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Rule to divide the rows otherwise: random, formula, system or prototype.")
    ] = None,
    width: Annotated[int, typer.Option(help="Width of the student's network.", min=1)] = 48,
    layers: Annotated[int, typer.Option(help="Layers of the student's network.", min=1)] = 2,
    minutes: Annotated[float | None, typer.Option(help="CPU minutes of training.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data.")] = None,
    half: Annotated[
        bool, typer.Option("--half/--single", help="Keep the weights in half precision where that costs nothing.")
    ] = True,
    workers: Annotated[
        int | None, typer.Option(help="Processes that read structures [default: one a CPU].", min=1)
    ] = None,
    save_every: Annotated[float, typer.Option(help="Seconds between two saved states, for --resume.", min=0)] = 20.0,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.", min=0)] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the interrupted run in --out.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Train a smaller student on a model's predictions, and measure what it costs and saves.

    The folder --out is a model like any other, with compression.csv: errors, time and size of the teacher and of the
    student as trained, with halved, brain-float, eight-bit and pruned weights, each with a verdict.
    """
    # heavy (torch): behind its door
    from matwright.api.compress import TABLE_FILE, CompressSettings
    from matwright.api.compress import compress as run
    from matwright.api.parts import split_settings
    from matwright.api.predict import load_predictor
    from matwright.cli.progress import progress
    from matwright.training.settings import protocol

    columns = dict(_pair(text) for text in column or ())
    how = protocol("default", epochs=epochs, minutes=minutes)
    settings = CompressSettings(
        split=split_settings(split, split_column),
        how=replace(how, settings=replace(how.settings, save_seconds=save_every)),
        width=width,
        layers=layers,
        half=half,
        seed=seed,
    )
    result = run(
        load_predictor(model),
        table,
        settings,
        out=out,
        structure=structure,
        columns=columns,
        resume=resume,
        workers=workers,
        progress=progress(quiet=quiet),
    )
    for note in result.notes:
        typer.echo(f"matwright: warning: {note}", err=True)
    for form in result.forms:
        errors = ", ".join(f"{name} {value:.4g}" for name, value in form.errors.items())
        measured = f"{form.ms:7.2f} ms  {form.per_second:7.0f}/s  {form.kilobytes:7.0f} kB"
        typer.echo(f"{form.name:<9} {measured}  {errors}: {form.verdict}")
    typer.echo(f"student, weights as {result.kept}: {out}; the comparison: {out / TABLE_FILE}")


def _pair(text: str) -> tuple[str, str]:
    name, equals, column = (part.strip() for part in text.partition("="))
    if not equals or not name or not column:
        raise InputError(f"a column is named as property=column, found {text!r}")
    return name, column
