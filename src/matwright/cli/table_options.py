"""Options that name the columns of a table and what is learned from them: the same for every command that trains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Table = Annotated[
    Path,
    typer.Argument(
        help="CSV, Parquet, Excel or JSON table, folder or ZIP of structure files, extxyz file or ASE database."
    ),
]
Target = Annotated[
    list[str],
    typer.Option(
        help='Column to learn as name:unit, for instance "band_gap:eV", as "name=column:unit", or name:class; '
        "may be repeated. A cell such as <1E-10 is a bound of the value."
    ),
]
Structure = Annotated[
    str | None,
    typer.Option(help="Column with CIF, POSCAR, XYZ or MOL text or paths [default: a usual name]."),
]
Structures = Annotated[Path | None, typer.Option(help="Folder or ZIP of the structure files that --structure names.")]
Formula = Annotated[
    str | None,
    typer.Option(help="Column with formulas, where there is no structure [default: a usual name]."),
]
CompositionColumns = Annotated[
    str | None, typer.Option(help='Columns with percents of the elements: "wt_*", or a list "C,Si,Mn".')
]
CompositionUnit = Annotated[str, typer.Option(help="Unit of --composition-columns: wt% or at%.")]
Balance = Annotated[str | None, typer.Option(help="Element that makes up the rest to 100 %.")]
Rescale = Annotated[
    bool, typer.Option("--rescale", help="Scale percents to 100 %, instead of rejecting rows that miss it.")
]
MoleculeColumns = Annotated[
    str | None, typer.Option(help='Columns with lists of elements and coordinates (Å): "Elements,XYZ".')
]
Condition = Annotated[
    list[str] | None,
    typer.Option(
        help='Column of a condition as column:unit, for instance "Test Temperature [degC]:degC", no unit for a '
        "category, or name=column:unit; may be repeated."
    ),
]
Steps = Annotated[
    str | None,
    typer.Option(
        help='Column with processing steps: "solution 1150 degC 4 h > age 850 degC 24 h, air", or a JSON list.'
    ),
]
StepColumns = Annotated[
    list[str] | None,
    typer.Option(
        help='Column of one field of numbered steps as operation=column:field:unit, "age=Step {n} [degC]'
        ':temperature:degC"; may be repeated. A 0 there says that there is nothing.'
    ),
]
KeepSuspicious = Annotated[
    bool,
    typer.Option("--keep-suspicious", help="Use numbers of steps that are hard to believe, instead of none."),
]
Log = Annotated[
    list[str] | None, typer.Option(help="Learn and report the decimal logarithm of this target; may be repeated.")
]
IdColumn = Annotated[str | None, typer.Option(help="Column that names the materials.")]
SplitColumn = Annotated[str | None, typer.Option(help="Column that says train, val or test for each row.")]
GroupColumn = Annotated[str | None, typer.Option(help="Column whose equal values stay in one part of the split.")]
Split = Annotated[
    str | None,
    typer.Option(help="Rule to divide the rows: random, formula, system or prototype [default: formula]."),
]
Fusion = Annotated[
    str, typer.Option(help="How conditions join the structure: unified, concat, gated, bilinear or none.")
]
Arrhenius = Annotated[
    list[str] | None, typer.Option(help="Target (a logarithm) that follows Arrhenius' law; may be repeated.")
]
Residual = Annotated[
    list[str] | None,
    typer.Option(help='Physics residual in the loss as name=weight, for instance "zt=0.1"; may be repeated.'),
]
Loss = Annotated[str, typer.Option(help="Loss of numeric targets: mae or gaussian.")]
