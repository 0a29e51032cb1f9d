"""`matwright match`: which crystals explain a measured powder pattern, and how much of each there is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from matwright.data.record import Rejection


def match(
    pattern: Annotated[
        Path, typer.Argument(help="Measured powder pattern: two columns (.xy, .txt, .dat, .csv) or .xrdml; also .gz.")
    ],
    out: Annotated[Path, typer.Option(help="New folder for the results.")],
    library: Annotated[
        str,
        typer.Option(help="Folder of structure files, table, prepared library (.npz), or the shipped one."),
    ] = "shipped",
    structure: Annotated[
        str | None, typer.Option(help="Column of a table with CIF or POSCAR text or paths [default: a usual name].")
    ] = None,
    wavelength: Annotated[
        str | None,
        typer.Option(help="Line such as CuKa, CuKa1, MoKa, CoKa, or a number in Å [default: the file's, else CuKa]."),
    ] = None,
    elements: Annotated[
        str | None, typer.Option(help='Only crystals of these elements, for instance "Li,P,O".')
    ] = None,
    require: Annotated[str | None, typer.Option(help="Elements that every match must hold.")] = None,
    top: Annotated[int, typer.Option(help="Matches written to the table.", min=1)] = 20,
    phases: Annotated[int, typer.Option(help="Most phases that together may explain the pattern.", min=1, max=6)] = 3,
    shortlist: Annotated[int, typer.Option(help="Crystals that are fitted, picked by the embedding.", min=1)] = 100,
    max_strain: Annotated[float, typer.Option(help="Largest strain of a fitted cell in percent.")] = 2.0,
    max_zero: Annotated[float, typer.Option(help="Largest zero shift of a fitted pattern in degrees.")] = 0.15,
    model: Annotated[str, typer.Option(help="Shipped matcher, or the folder of a trained one.")] = "mp-matcher",
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Rank the crystals of a library by how well they explain a measured powder pattern.

    The folder --out receives report.html, overlay.png, matches.csv, phases.csv (fractions by weight), pattern.csv, the
    best structures in cifs/ and run.json. A library made from structure files is kept there as library.npz: give that
    file as --library to spare the work next time.
    """
    # heavy (torch): behind its door
    from matwright.api.match.run import MatchSettings, match_to_folder
    from matwright.api.match.search import SearchSettings
    from matwright.cli.progress import progress
    from matwright.materials.target import parse_elements
    from matwright.physics.diffraction.fit import FitSettings

    settings = MatchSettings(
        library=library,
        structure=structure,
        wavelength=wavelength,
        model=model,
        search=SearchSettings(
            shortlist=shortlist,
            allowed=parse_elements(elements) if elements else frozenset(),
            required=parse_elements(require) if require else frozenset(),
            fit=FitSettings(max_strain=max_strain / 100, max_zero=max_zero),
        ),
        top=top,
        phases=phases,
    )

    def report(rejection: Rejection) -> None:
        print(f"matwright: {rejection}", file=sys.stderr)

    result = match_to_folder(pattern, settings, out=out, on_reject=report, progress=progress(quiet=quiet))
    best = result.matches[0]
    typer.echo(f"best match: {result.library.names[best.index]}, similarity {best.similarity:.3f}")
    typer.echo(f"ranked list, phase fractions and overlay: {out / 'report.html'}")
