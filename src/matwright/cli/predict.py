"""`matwright predict`: properties of structures in files, each with its interval and domain score."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matwright.errors import InputError

if TYPE_CHECKING:
    from matwright.data.record import Rejection


def predict(
    model: Annotated[str, typer.Argument(help='Name of a shipped model, for instance "mp-crystal", or a run folder.')],
    files: Annotated[list[Path], typer.Argument(help="Structure files, folders of them, or tables (see --structure).")],
    out: Annotated[Path | None, typer.Option(help="CSV file for the predictions [default: standard output].")] = None,
    structure: Annotated[
        str | None, typer.Option(help="Column of a table with CIF or POSCAR text or paths; tables need it.")
    ] = None,
    id_column: Annotated[str | None, typer.Option(help="Column of a table that names the materials.")] = None,
    level: Annotated[float, typer.Option(help="Coverage of the intervals, between 0 and 1.")] = 0.9,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace --out if it exists.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first structure that cannot be used.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Predict properties of structure files, each with its interval and domain score.

    Columns: material, property, unit, mean, std, lower, upper, level, domain_score (near 1: unlike the training data).
    Structures that cannot be used are reported on standard error and, with --out, in a file beside it whose name ends
    in .rejected.csv; the others go on.
    """
    # heavy (torch): behind its door
    from matwright.api.predict import load_predictor, predict_to_file, predict_to_stream, read_inputs
    from matwright.cli.progress import progress

    rows = read_inputs(files, structure=structure, id_column=id_column)
    predictor = load_predictor(model, level=level)

    def report(rejection: Rejection) -> None:
        named = rejection.reason.startswith(f"{rejection.file}: ")  # a file of its own: its reason says which
        print(f"matwright: {rejection.reason if named else rejection}", file=sys.stderr)
        if strict:
            raise InputError("stopped at the first structure that cannot be used (--strict)")

    if out is None:
        predict_to_stream(predictor, rows, sys.stdout, on_reject=report)
        return
    count = predict_to_file(
        predictor, rows, out, on_reject=report, overwrite=overwrite, strict=strict, progress=progress(quiet=quiet)
    )
    print(f"{count} materials predicted: {out}", file=sys.stderr)
