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
    files: Annotated[list[Path], typer.Argument(help="Structure files, folders of them, or tables (see --structure).")],
    out: Annotated[Path, typer.Option(help="New folder for explanation.html, attributions.csv and run.json.")],
    properties: Annotated[
        list[str] | None, typer.Option("--property", help="Explain this property; may be repeated [default: all].")
    ] = None,
    structure: Annotated[
        str | None, typer.Option(help="Column of a table with CIF or POSCAR text or paths; tables need it.")
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
    from matwright.api.explain import PAGE_FILE, TABLE_FILE, explain_to_folder, load_explainer
    from matwright.api.predict import read_inputs
    from matwright.cli.progress import progress

    rows = read_inputs(files, structure=structure, id_column=id_column)

    def report(rejection: Rejection) -> None:
        print(f"matwright: {rejection}", file=sys.stderr)

    count = explain_to_folder(
        load_explainer(model),
        rows,
        out,
        properties=properties,
        settings={"files": files, "structure": structure, "id_column": id_column},
        on_reject=report,
        strict=strict,
        progress=progress(quiet=quiet),
    )
    materials = "1 material" if count == 1 else f"{count} materials"
    typer.echo(f"{materials} explained: open {out / PAGE_FILE} in a browser; every number is in {out / TABLE_FILE}")
