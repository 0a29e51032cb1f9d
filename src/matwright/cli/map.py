"""`matwright map`: the materials of a table as a model sees them, as an interactive page and a table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matwright.errors import InputError
from matwright.materials.properties import nearest_hint

if TYPE_CHECKING:
    from matwright.data.record import Rejection
    from matwright.explain.maps import Projection


def map(  # noqa: A001 (the name of the command)
    model: Annotated[str, typer.Argument(help='Name of a shipped model, for instance "mp-crystal", or a run folder.')],
    table: Annotated[list[Path], typer.Argument(help="Tables (see --structure), structure files or folders of them.")],
    out: Annotated[Path, typer.Option(help="New folder for map.html, map.csv and run.json.")],
    projection: Annotated[
        str, typer.Option(help='"tsne" keeps neighbours together, "pca" the main directions; pca is quicker.')
    ] = "tsne",
    sample: Annotated[
        int, typer.Option(help="At most this many rows, drawn at random; the page says how many.", min=5)
    ] = 20_000,
    structure: Annotated[
        str | None,
        typer.Option(help="Column with CIF or POSCAR text or paths, for a table unlike the one of the training."),
    ] = None,
    id_column: Annotated[str | None, typer.Option(help="Column of a table that names the materials.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.", min=0)] = 0,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first structure that cannot be used.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Draw the materials of a table as a model sees them: a map with clusters and outliers, coloured by predictions.

    Materials that the model sees alike lie together. Point at one on the page to see its name, formula and predictions.
    """
    # heavy (torch): behind its door
    from matwright.api.inputs import known_inputs, read_inputs
    from matwright.api.map import PAGE_FILE, TABLE_FILE, map_to_folder
    from matwright.cli.progress import progress

    rows = read_inputs(table, known=known_inputs(model), structure=structure, id_column=id_column)

    def report(rejection: Rejection) -> None:
        print(f"matwright: {rejection}", file=sys.stderr)

    mapped = map_to_folder(
        model,
        rows,
        out,
        projection=_projection(projection),
        sample=sample,
        seed=seed,
        settings={"files": table, "structure": structure, "id_column": id_column},
        on_reject=report,
        strict=strict,
        progress=progress(quiet=quiet),
    )
    count = f"{len(mapped.names)} of {mapped.n_rows} rows mapped"
    typer.echo(f"{count}: open {out / PAGE_FILE} in a browser; every number is in {out / TABLE_FILE}")


def _projection(name: str) -> Projection:
    from matwright.explain.maps import Projection  # behind its door: the help needs no numpy

    known = [projection.value for projection in Projection]
    if name not in known:
        raise InputError(f"--projection is one of {', '.join(known)}, found {name!r}{nearest_hint(name, known)}")
    return Projection(name)
