"""How a table is read: which columns say what a material is, and under which conditions its values hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self, final

from matwright.data.cell_values import is_missing
from matwright.data.record import StructureKind
from matwright.data.sources.percents import PercentColumns
from matwright.data.sources.step_columns import StepColumns, StepField
from matwright.errors import InputError
from matwright.materials.material import Structure

STRUCTURE_COLUMNS = ("cif", "structure", "poscar", "xyz", "file", "filename", "path")
"""Names under which a structure column is found when nothing is stated."""
FORMULA_COLUMNS = ("formula", "composition", "Formula", "Composition", "reduced_formula", "pretty_formula")
"""Names under which a formula column is found when there is no structure column."""

_BARE_END = re.compile(r"(\d)\.(?![\deE])")
_BARE_START = re.compile(r"(^|[\[,\s+-])\.(?=\d)")

Payload = tuple[StructureKind, str | Structure, str | None]
"""Kind, payload and problem of a `RawRow`."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The columns that are read beside the targets; it is kept with a model, so that it reads such tables again.

    Attributes:
        structure: CIF, POSCAR, XYZ or MOL text, JSON, or paths.
        formula: a formula; used where the structure is missing, when both are stated.
        percents: one column an element.
        molecule: (elements, coordinates in Å), two columns with lists.
        conditions: (condition, column), in the order of the schema's columns.
        steps: processing steps.
        id_column: names the materials.
    """

    structure: str | None = None
    formula: str | None = None
    percents: PercentColumns | None = None
    molecule: tuple[str, str] | None = None
    conditions: tuple[tuple[str, str], ...] = ()
    steps: StepColumns | None = None
    id_column: str | None = None

    def __post_init__(self) -> None:
        stated = [way is not None for way in (self.structure or self.formula, self.percents, self.molecule)]
        if sum(stated) > 1:
            raise InputError(
                "a material is stated by a structure or formula, by percents, or by a molecule: choose one"
            )

    @property
    def says_what(self) -> bool:
        """Whether a column that says what the material is has been named."""
        return any(way is not None for way in (self.structure, self.formula, self.percents, self.molecule))

    def named(self) -> list[str]:
        """Every column that is named."""
        columns = [name for name in (self.structure, self.formula, self.id_column) if name is not None]
        columns += [] if self.percents is None else self.percents.named()
        columns += list(self.molecule or ())
        columns += [column for _, column in self.conditions]
        return columns + ([] if self.steps is None else self.steps.named())

    def completed(self, existing: Iterable[str]) -> Reading:
        """With a structure or formula column of a usual name, where no column says what the material is."""
        there = set(existing)
        if self.says_what:
            return self
        structure = next((name for name in STRUCTURE_COLUMNS if name in there), None)
        formula = next((name for name in FORMULA_COLUMNS if name in there), None)
        return replace(self, structure=structure, formula=None if structure else formula)

    def within(self, existing: Iterable[str]) -> tuple[Reading, list[str]]:
        """Without the conditions and steps whose columns do not exist, and the names of those left out."""
        there = set(existing)
        left_out = [name for name, column in self.conditions if column not in there]
        steps = self.steps
        if steps is not None and not set(steps.named()) <= there:
            left_out.append("processing steps")
            steps = None
        kept = tuple(pair for pair in self.conditions if pair[1] in there)
        name = self.id_column if self.id_column in there else None
        return replace(self, conditions=kept, steps=steps, id_column=name), left_out

    def payload(self, cells: Mapping[str, Any], folder: Path) -> Payload:
        """What the material of a row is, not yet parsed."""
        if self.percents is not None:
            try:
                return StructureKind.READY, self.percents.composition(cells), None
            except InputError as error:
                return StructureKind.READY, "", str(error)
        if self.molecule is not None:
            elements, coords = (_as_json(cells.get(column)) for column in self.molecule)
            problem = None if elements and coords else "the molecule is missing"
            return StructureKind.MOLECULE_JSON, f'{{"elements": {elements}, "coords": {coords}}}', problem
        kind, payload, problem = structure_payload(cells.get(self.structure) if self.structure else None, folder)
        if problem is None or self.formula is None:
            return kind, payload, problem
        cell = cells.get(self.formula)
        if is_missing(cell):
            return StructureKind.FORMULA, "", "structure and formula are missing" if self.structure else "no formula"
        return StructureKind.FORMULA, str(cell).strip(), None

    def describe(self) -> str:
        """What the material is read from, in words, for the card."""
        if self.percents is not None:
            return f"compositions from {self.percents.describe()}"
        if self.molecule is not None:
            return f"molecules from the columns {' and '.join(self.molecule)}"
        places = [f"structures from column {self.structure!r}"] if self.structure else []
        places += [f"compositions from column {self.formula!r}"] if self.formula else []
        return ", else ".join(places) or "structure files"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The reading written by `as_dict`.

        Raises:
            InputError: the values do not describe one.
        """
        try:
            percents, steps, molecule = values["percents"], values["steps"], values["molecule"]
            return cls(
                structure=values["structure"],
                formula=values["formula"],
                percents=None
                if percents is None
                else PercentColumns(**{**percents, "columns": tuple((int(z), str(n)) for z, n in percents["columns"])}),
                molecule=None if molecule is None else (str(molecule[0]), str(molecule[1])),
                conditions=tuple((str(name), str(column)) for name, column in values["conditions"]),
                steps=None
                if steps is None
                else StepColumns(
                    text=steps["text"],
                    columns=tuple(StepField(**entry) for entry in steps["columns"]),
                    numbers=tuple(steps["numbers"]),
                    keep_doubtful=bool(steps["keep_doubtful"]),
                ),
                id_column=values["id_column"],
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError(f"how the model's table is read cannot be understood: {error!r}") from error


def structure_payload(cell: object, folder: Path) -> Payload:
    """Kind and text of a structure cell (text of a structure, or a path relative to `folder`), and a problem."""
    if is_missing(cell):
        return StructureKind.CIF, "", "the structure is missing"
    text = json.dumps(cell) if isinstance(cell, dict) else str(cell)
    stripped = text.strip()
    if stripped.startswith("{"):
        return _json_kind(stripped), text, None
    if "_cell_length" in text or stripped.startswith("data_"):
        return StructureKind.CIF, text, None
    if "\n" in stripped or "\\n" in stripped:
        return _lines_payload(text if "\n" in stripped else text.replace("\\n", "\n"))
    path = folder / stripped
    problem = None if path.is_file() else f"{stripped[:80]!r} is no text of a structure, nor a file in {folder}"
    return StructureKind.PATH, str(path), problem


def _json_kind(text: str) -> StructureKind:
    """Which of the structures that are written as an object this is."""
    for kind, names in _JSON_NAMES.items():
        if all(f'"{name}"' in text for name in names):
            return kind
    return StructureKind.JSON


_JSON_NAMES = {
    StructureKind.MOLECULE_JSON: ("elements", "coords"),
    StructureKind.MICROSTRUCTURE_JSON: ("grid", "phases"),
}


def _lines_payload(text: str) -> Payload:
    """MOL, XYZ or POSCAR: an XYZ text has a number alone in its first line and as many lines as that says."""
    if "V2000" in text:
        return StructureKind.MOLFILE, text, None
    lines = text.strip().splitlines()
    if lines[0].strip().isdigit() and len(lines) >= int(lines[0]) + 2 and not _is_scale(lines[1]):
        return StructureKind.EXTXYZ, text.strip() + "\n", None
    return StructureKind.POSCAR, text, None


def _is_scale(line: str) -> bool:
    """Whether a line is one number alone, which a POSCAR has in its second line."""
    try:
        float(line)
    except ValueError:
        return False
    return True


def _as_json(cell: object) -> str:
    """A list as JSON; one in Python's words has single quotes, and numbers such as "1." and ".5"."""
    if is_missing(cell):
        return ""
    if isinstance(cell, list):
        return json.dumps(cell)
    text = _BARE_END.sub(r"\1.0", str(cell).replace("'", '"'))
    return _BARE_START.sub(r"\g<1>0.", text)
