"""What a user says of a table's columns, and the source it means: targets, materials, conditions, steps, groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import final

from matwright.data.cell_values import is_missing
from matwright.data.sources import Source, existing_columns, open_source
from matwright.data.sources.percents import PercentColumns
from matwright.data.sources.reading import Reading
from matwright.data.sources.step_columns import StepColumns, StepField
from matwright.errors import InputError
from matwright.materials.conditions import ConditionColumn, ConditionSchema
from matwright.materials.processing import ProcessStep, StepVocabulary
from matwright.materials.properties import ColumnText, PropertySpec, nearest_hint, parse_target_column
from matwright.physics.elasticity import COMPONENT_NAMES

CLASS = "class"
TENSOR = "elastic_tensor"
MAX_WORDS = 50
"""Classes or categories of one column; more are a sign that the column holds numbers or names."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumns:
    """The columns of a table in the words of a user.

    Attributes:
        targets: "name:unit", "name=column:unit" or "name:class"; "elastic_tensor:GPa" stands for its 21 components.
        logarithms: names of targets that are learned as their decimal logarithm.
        structure: the column with structures or paths.
        structures: folder or ZIP archive of the structures that this column names.
        formula: the column with formulas.
        percents: columns with percents of elements: "wt_*" or "C,Si,Mn".
        percent_unit: "wt%" or "at%".
        balance: symbol of the element that makes up the rest to 100 %.
        rescale: scale percents that do not sum to 100.
        molecule: the two columns "elements,coordinates" (Å).
        conditions: "column:unit" or "name=column:unit" for a number, without unit for a category.
        steps: the column with processing steps.
        keep_doubtful: use numbers of steps that are hard to believe, instead of taking them as missing.
        step_columns: "operation=column {n}:field:unit" for each column of numbered steps.
        id_column, split_column, group_column: names of materials, part of the split, what a split keeps together.
    """

    targets: tuple[str, ...] = ()
    logarithms: tuple[str, ...] = ()
    structure: str | None = None
    structures: Path | None = None
    formula: str | None = None
    percents: str | None = None
    percent_unit: str = "wt%"
    balance: str | None = None
    rescale: bool = False
    molecule: str | None = None
    conditions: tuple[str, ...] = ()
    steps: str | None = None
    step_columns: tuple[str, ...] = ()
    keep_doubtful: bool = False
    id_column: str | None = None
    split_column: str | None = None
    group_column: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", tuple(chain.from_iterable(_expanded(text) for text in self.targets)))

    def open(self, path: Path) -> Source:
        """The source at `path` with these columns; words of classes, categories and steps are looked up in it.

        Raises:
            InputError: something is not as it should be; the message says what.
        """
        said = [ColumnText.parse(text) for text in self.conditions]
        reading = self._reading(existing_columns(path), said)
        found = self._opened(path, reading, self._specs({}), None)  # says what is missing before columns are scanned
        classes = [ColumnText.parse(text).column for text in self.targets if _is_class(text)]
        words = _words(found, [*classes, *(one.column for one in said if not one.unit)])
        schema = _schema(said, words, _vocabulary(found, reading.steps))
        return self._opened(path, reading, self._specs(words), schema)

    @property
    def _molecule(self) -> tuple[str, str] | None:
        if self.molecule is None:
            return None
        names = [name.strip() for name in self.molecule.split(",")]
        if len(names) != 2 or not all(names):
            raise InputError(f"a molecule is read from two columns, elements,coordinates; found {self.molecule!r}")
        return names[0], names[1]

    def _reading(self, existing: list[str], conditions: list[ColumnText]) -> Reading:
        percents = None
        if self.percents is not None:
            percents = PercentColumns.find(
                self.percents, existing, unit=self.percent_unit, balance=self.balance, rescale=self.rescale
            )
        elif self.balance is not None or self.rescale:
            raise InputError("a balance element or rescaling needs the columns of the composition")
        if self.steps is not None and self.step_columns:
            raise InputError("processing steps stand either in one column or in a column for each field, not both")
        steps = None if self.steps is None else StepColumns(text=self.steps, keep_doubtful=self.keep_doubtful)
        if self.step_columns:
            fields = [StepField.parse(text) for text in self.step_columns]
            steps = StepColumns.find(fields, existing, keep_doubtful=self.keep_doubtful)
        return Reading(
            structure=self.structure,
            formula=self.formula,
            percents=percents,
            molecule=self._molecule,
            conditions=tuple((one.name, one.column) for one in conditions),
            steps=steps,
            id_column=self.id_column,
        )

    def _specs(self, words: Mapping[str, tuple[str, ...]]) -> tuple[PropertySpec, ...]:
        """One spec a target; a class has no words yet where its column is not among `words`."""
        specs = []
        for text in self.targets:
            said = ColumnText.parse(text)
            if _is_class(text):
                if said.name in self.logarithms:
                    raise InputError(f"the class {said.name} has no logarithm")
                specs.append(PropertySpec(name=said.name, unit="1", classes=_classes(said.column, words)))
                continue
            spec = parse_target_column(text)
            specs.append(spec.as_logarithm() if spec.name in self.logarithms else spec)
        return tuple(specs)

    def _opened(
        self, path: Path, reading: Reading, specs: tuple[PropertySpec, ...], schema: ConditionSchema | None
    ) -> Source:
        said = [ColumnText.parse(text) for text in self.targets]
        names = [one.name for one in said]
        if wrong := next((name for name in self.logarithms if name not in names), None):
            raise InputError(
                f"there is no target {wrong!r} whose logarithm could be learned{nearest_hint(wrong, names)}"
            )
        return open_source(
            path,
            targets=specs,
            columns={one.name: one.column for one in said if one.column != one.name},
            logarithms=self.logarithms,
            split_column=self.split_column,
            group_column=self.group_column,
            reading=reading,
            schema=schema,
            structures=self.structures,
        )


def _expanded(text: str) -> tuple[str, ...]:
    """One target a component for an elastic tensor, else the target itself."""
    name, _, unit = text.rpartition(":")
    return tuple(f"{one}:{unit.strip()}" for one in COMPONENT_NAMES) if name.strip() == TENSOR else (text,)


def _is_class(text: str) -> bool:
    return text.rpartition(":")[2].strip() == CLASS


def _words(source: Source, columns: list[str]) -> dict[str, tuple[str, ...]]:
    """The different words of some columns, in alphabetical order."""
    seen: dict[str, set[str]] = {column: set() for column in columns}
    for cells in source.cells() if columns else ():
        for column, words in seen.items():
            if not is_missing(cells.get(column)):
                words.add(str(cells[column]).strip())
            if len(words) > MAX_WORDS:
                raise InputError(
                    f"column {column!r} has more than {MAX_WORDS} different values; a number needs its unit"
                )
    return {column: tuple(sorted(words)) for column, words in seen.items()}


def _classes(column: str, words: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    if column not in words:
        return ()
    if len(words[column]) < 2:
        raise InputError(f"column {column!r} has {len(words[column])} different values; classes need at least 2")
    return words[column]


def _schema(
    said: list[ColumnText], words: Mapping[str, tuple[str, ...]], steps: StepVocabulary | None
) -> ConditionSchema | None:
    if not said and steps is None:
        return None
    empty = next((one.column for one in said if not one.unit and not words[one.column]), None)
    if empty is not None:
        raise InputError(f"column {empty!r} is empty: there is no condition in it")
    columns = tuple(
        ConditionColumn(name=one.name, unit=one.unit)
        if one.unit
        else ConditionColumn(name=one.name, categories=words[one.column])
        for one in said
    )
    return ConditionSchema(columns=columns, steps=steps)


def _vocabulary(source: Source, columns: StepColumns | None) -> StepVocabulary | None:
    """The words of all steps that can be read; the others are reported with their rows."""
    if columns is None:
        return None
    steps: set[ProcessStep] = set()
    for cells in source.cells():
        try:
            steps.update(columns.steps(cells))
        except InputError:
            continue
    if not steps:
        raise InputError(f"{source.path} holds no processing step that can be read")
    return StepVocabulary.of(steps)
