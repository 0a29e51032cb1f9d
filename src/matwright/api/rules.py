"""Rules: the explained verdicts of the whole rule base on structures and formulas."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import final

from matwright.data.groups import GroupKind, group_key
from matwright.errors import InputError
from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal
from matwright.materials.material import Structure
from matwright.materials.structure_files import read_any
from matwright.physics.rules.base import explained_verdicts
from matwright.physics.rules.verdict import Outcome, Reference, RuleVerdict, not_applicable
from matwright.runs import provenance
from matwright.screening.rules import RULES
from matwright.screening.thresholds import Thresholds
from matwright.screening.verdict import Verdict
from matwright.serialization import atomic_write_text, write_json

COLUMNS = ("material", "formula", "rule", "verdict", "value", "unit", "lower", "upper", "reason", "reference")
_VALIDITY = "T. Xie et al., ICLR 2022 (arXiv:2110.06197), limit of this program or the user's"
_CORDERO = "B. Cordero et al., Dalton Trans. 2832 (2008), limit of this program or the user's"
_RANGE = "range of known solids, limit of this program or the user's"
_GEOMETRY: Mapping[str, Reference] = MappingProxyType(
    {
        reference.rule: reference
        for reference in (
            Reference(rule="min_distance", title="no two atoms on one place", text=_VALIDITY, unit="Å"),
            Reference(
                rule="min_distance_share", title="no two atoms nearer than half of a covalent bond", text=_CORDERO
            ),
            Reference(rule="min_volume_per_atom", title="room for the atoms", text=_RANGE, unit="Å³/atom"),
            Reference(rule="max_volume_per_atom", title="no empty cell", text=_RANGE, unit="Å³/atom"),
            Reference(rule="min_density", title="a density of solids", text=_RANGE, unit="g/cm³"),
            Reference(rule="max_density", title="a density of solids", text=_RANGE, unit="g/cm³"),
        )
    }
)
"""The rules of the cascade about geometry; those about the composition have fuller ones in the rule base."""
_AT_LEAST = frozenset({"min_distance", "min_distance_share", "min_volume_per_atom", "min_density"})
DEFAULT_THRESHOLDS = Thresholds()


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedMaterial:
    """One material with its verdicts.

    Attributes:
        name: of the file, or the formula.
        formula: reduced.
        verdicts: one a rule, in the order of the rule base, those about geometry last.
    """

    name: str
    formula: str
    verdicts: tuple[RuleVerdict, ...]


def judge(name: str, structure: Structure, thresholds: Thresholds = DEFAULT_THRESHOLDS) -> JudgedMaterial:
    """The verdicts of every rule on a structure."""
    geometry = tuple(_geometry(rule, structure, thresholds) for rule in _GEOMETRY)
    return JudgedMaterial(
        name=name,
        formula=group_key(structure, GroupKind.FORMULA),
        verdicts=(*explained_verdicts(structure), *geometry),
    )


def read_materials(words: Sequence[str]) -> Iterator[tuple[str, Structure]]:
    """Name and structure of each word: a structure file where one of that name exists, else a formula.

    Raises:
        InputError: a file cannot be read, or a word is neither a file nor a formula.
    """
    for word in words:
        path = Path(word)
        if path.is_file():
            yield path.name, read_any(path)
            continue
        if path.is_dir():
            raise InputError(f"{word} is a folder; name the structure files in it, for instance {word}/*.cif")
        try:
            yield word, Composition.from_formula(word)
        except InputError as problem:
            raise InputError(f"{word!r} is neither a structure file nor a formula: {problem}") from problem


def verdict_rows(materials: Iterable[JudgedMaterial]) -> Iterator[list[str]]:
    """One row of `COLUMNS` for each material and rule; an unknown number is ""."""
    for material in materials:
        for verdict in material.verdicts:
            numbers = [_text(verdict.value), verdict.reference.unit, _text(verdict.lower), _text(verdict.upper)]
            yield [
                material.name, material.formula, verdict.rule, verdict.outcome.value, *numbers, verdict.reason,
                verdict.reference.text,
            ]  # fmt: skip


def write_verdicts(materials: Sequence[JudgedMaterial], out: Path, *, overwrite: bool = False) -> None:
    """Write the verdicts as a table (.csv) or with what made them (.json).

    Raises:
        InputError: the file exists already, its folder does not, or it is of another kind.
    """
    check_out(out, overwrite=overwrite)
    rows = list(verdict_rows(materials))
    if out.suffix.lower() == ".json":
        verdicts = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        write_json(out, {"made_by": provenance(), "verdicts": verdicts})
        return
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([COLUMNS, *rows])
    atomic_write_text(out, buffer.getvalue())


def check_out(out: Path, *, overwrite: bool) -> None:
    """Raise InputError unless verdicts can be written to the file."""
    if out.suffix.lower() not in (".csv", ".json"):
        raise InputError(f"verdicts are written as .csv or .json, found {str(out)!r}")
    if not out.parent.is_dir():
        raise InputError(f"the folder {out.parent} does not exist")
    if out.exists() and not overwrite:
        raise InputError(f"{out} exists; give another --out, or --overwrite to replace it")


def _geometry(name: str, structure: Structure, thresholds: Thresholds) -> RuleVerdict:
    reference, rule = _GEOMETRY[name], RULES[name]
    if not isinstance(structure, Crystal):
        return not_applicable(reference, "it needs a crystal structure")
    if not all(structure.pbc) and "distance" not in name:
        return not_applicable(reference, "the cell of a layer holds vacuum")
    return _explained(reference, rule(structure, thresholds))


def _explained(reference: Reference, verdict: Verdict) -> RuleVerdict:
    """A verdict of the cascade as one of the rule base."""
    at_least = verdict.rule in _AT_LEAST
    kept = f"{verdict.rule.replace('_', ' ')} is {verdict.value:.4g}"
    return RuleVerdict(
        reference=reference,
        outcome=Outcome.HOLDS if verdict.passed else Outcome.BROKEN,
        value=verdict.value,
        lower=verdict.threshold if at_least else None,
        upper=None if at_least else verdict.threshold,
        reason=verdict.reason or kept,
    )


def _text(number: float | None) -> str:
    return "" if number is None or math.isnan(number) else f"{number:.6g}"
