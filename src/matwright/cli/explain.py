"""`matwright explain`: what the predictions for structures in files rest on, as one page and a table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from matwright.data.record import Rejection


def explain(
    model: Annotated[str, typer.Argument(help='Name of a shipped model, for instance "mp-crystal", or a run folder.')],
    out: Annotated[Path, typer.Option(help="New folder for explanation.html, attributions.csv and run.json.")],
    files: Annotated[
        list[Path] | None, typer.Argument(help="Structure files, folders of them, or tables (see --structure).")
    ] = None,
    formula: Annotated[
        list[str] | None, typer.Option(help='A composition without a structure, "Li7La3Zr2O12"; may be repeated.')
    ] = None,
    properties: Annotated[
        list[str] | None, typer.Option("--property", help="Explain this property; may be repeated [default: all].")
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
        typer.Option(help="Column with CIF or POSCAR text or paths, for a table unlike the one of the training."),
    ] = None,
    id_column: Annotated[str | None, typer.Option(help="Column of a table that names the materials.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first structure that cannot be used.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Say what predictions rest on: contributions of every atom, bond, element and condition.

    The contributions are integrated gradients: they have the unit of the property and sum to the prediction minus that
    for a material of no particular element, without bonds and known conditions. Saliency and attention stand beside
    them, with how far the methods agree.
    """
    # heavy (torch): behind its door
    from matwright.api.condition_ranges import RangeWatch
    from matwright.api.conditions import conditions_of_words
    from matwright.api.explain import PAGE_FILE, TABLE_FILE, explain_to_folder, load_explainer
    from matwright.api.inputs import known_inputs, read_inputs
    from matwright.cli.progress import progress

    known = known_inputs(model)
    rows = read_inputs(
        files or [],
        known=known,
        formulas=formula or (),
        structure=structure,
        id_column=id_column,
        conditions=conditions_of_words(known.schema, condition or (), steps),
    )
    explainer = load_explainer(model)
    watch = RangeWatch(explainer.schema, explainer.facts.get("conditions", {}))

    def report(rejection: Rejection) -> None:
        print(f"matwright: {rejection}", file=sys.stderr)

    count = explain_to_folder(
        explainer,
        rows,
        out,
        properties=properties,
        settings={
            "files": files,
            "formulas": formula,
            "conditions": condition,
            "steps": steps,
            "structure": structure,
            "id_column": id_column,
        },
        on_reject=report,
        strict=strict,
        watch=watch,
        progress=progress(quiet=quiet),
    )
    for sentence in watch.sentences():
        print(f"matwright: warning: {sentence}", file=sys.stderr)
    materials = "1 material" if count == 1 else f"{count} materials"
    typer.echo(f"{materials} explained: open {out / PAGE_FILE} in a browser; every number is in {out / TABLE_FILE}")
