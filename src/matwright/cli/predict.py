"""`matwright predict`: properties of materials in files, each with its interval and domain score."""

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
    files: Annotated[
        list[Path] | None, typer.Argument(help="Structure files, folders of them, or tables (see --structure).")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="CSV file for the predictions [default: standard output].")] = None,
    formula: Annotated[
        list[str] | None, typer.Option(help='A composition without a structure, "Li7La3Zr2O12"; may be repeated.')
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(help='A condition of all materials, for instance "temperature=850 degC"; may be repeated.'),
    ] = None,
    steps: Annotated[
        str | None, typer.Option(help='How all materials were processed: "solution 1150 degC 4 h > age 850 degC 24 h".')
    ] = None,
    structure: Annotated[
        str | None,
        typer.Option(
            help="Column of a table with CIF or POSCAR text or paths; needed for a table unlike that of the training."
        ),
    ] = None,
    structures: Annotated[
        Path | None, typer.Option(help="Folder or ZIP of the structure files that a column of a table names.")
    ] = None,
    id_column: Annotated[str | None, typer.Option(help="Column of a table that names the materials.")] = None,
    tensor: Annotated[
        bool, typer.Option("--tensor", help="Also the 21 components of the elastic tensor, in the frame of the cell.")
    ] = False,
    level: Annotated[float, typer.Option(help="Coverage of the intervals, between 0 and 1.")] = 0.9,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace --out if it exists.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first structure that cannot be used.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Predict properties of materials, each with its interval and domain score.

    Columns: material, property, unit, mean, std, lower, upper, level, domain_score (near 1: unlike the training data).
    A table with the columns that the model was trained on is read like that one, its conditions included. Structures
    that cannot be used are reported on standard error and, with --out, in a file beside it whose name ends in
    .rejected.csv; the others go on. Materials and conditions unlike the training data are
    warned of.
    """
    # heavy (torch): behind its door
    from matwright.api.condition_ranges import RangeWatch
    from matwright.api.conditions import conditions_of_words
    from matwright.api.inputs import known_inputs, read_inputs
    from matwright.api.predict import load_predictor
    from matwright.api.predict_files import predict_to_file, predict_to_stream
    from matwright.cli.progress import progress
    from matwright.physics.elasticity import COMPONENT_NAMES

    known = known_inputs(model)
    rows = read_inputs(
        files or [],
        known=known,
        formulas=formula or (),
        structure=structure,
        structures=structures,
        id_column=id_column,
        conditions=conditions_of_words(known.schema, condition or (), steps),
    )
    predictor = load_predictor(model, level=level)
    if tensor and not predictor.gives_tensor:
        raise InputError(f"the model {model} predicts no elastic tensor; the shipped model `elastic` does")
    without = () if tensor else COMPONENT_NAMES
    watch = RangeWatch(predictor.schema, predictor.facts.get("conditions", {}))

    def report(rejection: Rejection) -> None:
        named = rejection.reason.startswith(f"{rejection.file}: ")  # a file of its own: its reason says which
        print(f"matwright: {rejection.reason if named else rejection}", file=sys.stderr)
        if strict:
            raise InputError("stopped at the first structure that cannot be used (--strict)")

    if out is None:
        predict_to_stream(predictor, rows, sys.stdout, on_reject=report, watch=watch, without=without)
    else:
        count = predict_to_file(
            predictor,
            rows,
            out,
            on_reject=report,
            overwrite=overwrite,
            strict=strict,
            watch=watch,
            without=without,
            progress=progress(quiet=quiet),
        )
        print(f"{count} materials predicted: {out}", file=sys.stderr)
    for sentence in watch.sentences():
        print(f"matwright: warning: {sentence}", file=sys.stderr)
