"""`matwright evaluate`: what generated crystals are worth beside a reference set."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matwright.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matwright.api.evaluate.settings import Measure
    from matwright.data.record import RawRow, Rejection

SHIPPED = "shipped"


def evaluate(
    crystals: Annotated[Path, typer.Argument(help="Folder of structure files (for instance cifs/), or a table.")],
    reference: Annotated[
        str, typer.Option(help='Table or folder of the crystals to compare with, or "shipped": known formulas only.')
    ],
    out: Annotated[Path, typer.Option(help="New folder for measures.csv, evaluation.json and evaluation.png.")],
    structure: Annotated[str | None, typer.Option(help="Column of the tables with CIF or POSCAR text.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Column of the tables that names the crystals.")] = None,
    part: Annotated[
        str | None, typer.Option(help='Only reference rows of this part of the split, as column=word: "split=test".')
    ] = None,
    coverage: Annotated[
        str | None, typer.Option(help="Measure COV with the cut-offs of mp-20, perov-5 or carbon-24.")
    ] = None,
    coverage_scale: Annotated[
        str, typer.Option(help="What COV standardises compositions by: published (fixed constants) or reference.")
    ] = "published",
    sample: Annotated[
        int, typer.Option(help="Crystals of each side for COV and the distances, drawn at random.", min=1)
    ] = 1000,
    model: Annotated[
        str | None, typer.Option(help="Compare distributions of what this property model predicts.")
    ] = None,
    paired: Annotated[
        bool,
        typer.Option("--paired", help="Each crystal was made for the reference of its name (or name_K): match rate."),
    ] = False,
    symprec: Annotated[float, typer.Option(help="Tolerance of the space groups in Å.", min=1e-5)] = 0.01,
    sun: Annotated[bool, typer.Option("--sun", help="Relax, and measure the share stable, unique and novel.")] = False,
    potentials: Annotated[
        str, typer.Option(help="Potentials of --sun; the first relaxes, all must agree.")
    ] = "chgnet,sevennet-0",
    workers: Annotated[int, typer.Option(help="Processes that relax.", min=1)] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the samples.", min=0)] = 0,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first crystal that cannot be used.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the interrupted run in --out.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Measure generated crystals: validity, uniqueness, novelty, symmetry, and how they compare with a reference.

    Every number stands beside the settings it depends on; measures.csv, evaluation.json and evaluation.png hold them.
    """
    # heavy: behind their doors
    from matwright.api.evaluate.folder import PICTURE_FILE, TABLE_FILE, evaluate_to_folder
    from matwright.api.evaluate.settings import EvaluationSettings
    from matwright.cli.progress import progress
    from matwright.screening.trials import TrialSettings

    trials = TrialSettings(potentials=_words(potentials), workers=workers) if sun else None
    settings = EvaluationSettings(
        cut_offs=coverage, scaling=coverage_scale, sample=sample, model=model, paired=paired, symprec=symprec,
        trials=trials, seed=seed,
    )  # fmt: skip

    def report(rejection: Rejection) -> None:
        print(f"matwright: {rejection}", file=sys.stderr)

    found = evaluate_to_folder(
        _rows(crystals, structure, id_column, None),
        None if reference == SHIPPED else _rows(Path(reference), structure, id_column, part),
        out,
        settings=settings,
        sources={"crystals": crystals, "reference": reference, "part": part},
        on_reject=report,
        strict=strict,
        resume=resume,
        progress=progress(quiet=quiet),
    )
    typer.echo(_shown(found))
    typer.echo(f"{len(found)} measures in {out / TABLE_FILE}, drawn in {out / PICTURE_FILE}")


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _rows(path: Path, structure: str | None, id_column: str | None, part: str | None) -> Iterator[RawRow]:
    """The rows of a folder or table, of one part of its split where that is asked for.

    Raises:
        InputError: there is nothing at `path`, a column is missing, or `part` cannot be read.
    """
    from matwright.data.sources import open_source

    column, _, word = (part or "").partition("=")
    if part and not (column and word):
        raise InputError(f'--part names a column and a word, for instance "split=test"; found {part!r}')
    inner = path / "cifs" if (path / "cifs").is_dir() else path
    if inner.is_dir() and not column:  # a folder of structure files has no columns
        return open_source(inner).rows()
    source = open_source(inner, structure=structure, id_column=id_column, split_column=column or None)
    return (row for row in source.rows() if not part or row.part == word)


def _shown(found: Sequence[Measure]) -> str:
    """One line a measure: name, value, interval, number, then the setting."""
    lines = []
    for one in found:
        percent = one.unit == "1" and one.interval is not None
        value = (
            f"{100 * one.value:.1f} %" if percent else f"{one.value:.4g}" + ("" if one.unit == "1" else f" {one.unit}")
        )
        spread = f" [{100 * one.interval[0]:.1f}, {100 * one.interval[1]:.1f}]" if one.interval else ""
        lines.append(f"{one.name:32s} {value}{spread}  (n {one.n}; {one.setting})")
    return "\n".join(lines)
