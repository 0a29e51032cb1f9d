"""`matwright rules`: what the rule base says about structures and formulas, verdict by verdict."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from matwright.api.rules import JudgedMaterial
    from matwright.physics.rules.verdict import RuleVerdict


def rules(
    materials: Annotated[list[str], typer.Argument(help="Structure files and formulas, for instance NaCl.cif SrTiO3.")],
    out: Annotated[Path | None, typer.Option(help="File for the verdicts, .csv or .json.")] = None,
    thresholds: Annotated[
        Path | None, typer.Option(help="TOML file with limits; [density] and [geometry] hold.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Also say why the other rules do not apply.")] = False,
    references: Annotated[bool, typer.Option("--references", help="Print where each rule comes from.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace --out if it exists.")] = False,
) -> None:
    """Judge materials by the rules of chemistry: charge, electronegativity, Pauling, perovskites, alloys, geometry.

    Each verdict has its value, its limit and its reason; --out keeps them with the citation of each rule. A broken rule
    is no proof: docs/rules.md says how many known crystals keep each.
    """
    from matwright.api.rules import check_out, judge, read_materials, write_verdicts  # heavy: behind its door
    from matwright.screening.thresholds import Thresholds, load_thresholds

    if out is not None:
        check_out(out, overwrite=overwrite)
    limits = Thresholds() if thresholds is None else load_thresholds(thresholds)
    judged = [judge(name, structure, limits) for name, structure in read_materials(materials)]
    for material in judged:
        _tell(material, every=every)
    if references:
        _cite(judged)
    if out is not None:
        write_verdicts(judged, out, overwrite=overwrite)
        typer.echo(f"verdicts of {len(judged)} material{'s' if len(judged) > 1 else ''}: {out}", err=True)


def _tell(material: JudgedMaterial, *, every: bool) -> None:
    applying = [verdict for verdict in material.verdicts if verdict.applies]
    broken = sum(verdict.outcome.value == "broken" for verdict in applying)
    named = material.name if material.name == material.formula else f"{material.name} ({material.formula})"
    typer.echo(f"{named}: {len(applying)} of {len(material.verdicts)} rules apply, {broken} broken")
    for verdict in material.verdicts if every else applying:
        typer.echo(_line(verdict))


def _line(verdict: RuleVerdict) -> str:
    unit = "" if verdict.reference.unit == "1" else f" {verdict.reference.unit}"
    value = "" if math.isnan(verdict.value) else f"{verdict.value:.4g}{unit}"
    return (
        f"  {verdict.outcome.value:<15}{verdict.rule:<31}{value:>16}  {verdict.limit_text:<15} {verdict.reason}"
    ).rstrip()


def _cite(judged: list[JudgedMaterial]) -> None:
    texts = {v.rule: v.reference.text for material in judged for v in material.verdicts if v.applies}
    for rule, text in texts.items():
        typer.echo(f"  {rule}: {text}")
