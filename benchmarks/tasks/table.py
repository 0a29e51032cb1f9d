"""The table of a task: structures, conditions, processing steps, targets, groups and folds, read from a raw file."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.materials.conditions import ConditionColumn, ConditionSchema, ProcessStep, StepVocabulary
from matwright.materials.material import Structure

DATA = Path(os.environ.get("MATWRIGHT_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
FOLDS = 5
OFFICIAL_SEED = 18012019
"""Seed of the Matbench folds."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is predicted: a number with a unit.

    Attributes:
        name: for instance "yield_strength".
        unit: unit in which values stand and errors are reported.
        log: whether models learn log10 of the value, for positive values over decades (errors stay in `unit`).
        extensive: whether the value grows with the number of atoms.
    """

    name: str
    unit: str
    log: bool = False
    extensive: bool = False


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTable:
    """A task as read; row i of every field belongs to the same material.

    Attributes:
        name: as on the command line.
        targets: what is predicted.
        structures: (n,) composition, molecule or crystal.
        values: (n, n_targets), NaN where not known.
        groups: (n,) rows of one group never stand on both sides of a split.
        grouping: the words that state it.
        censored: (n, n_targets) -1 where the true value lies below the one given, +1 above, 0 exact.
        columns: the condition columns.
        conditions: (n, n_columns) numbers in the column's unit or the code of a category, NaN where missing.
        steps: (n,) processing steps in their order.
        numbers: (n, n_numbers) further raw numbers for the classical baselines alone, where our model reads the same
            from the structure (volume, space group) or the steps; names in `number_names`.
        ordered_folds: whether folds are those of Matbench (rows in order) instead of groups.
        companions: rows at the end that are learned from and never tested (a cheaper method's values); a training part
            holds those of them whose group is not in its test part.
        note: what else has to be said beside the numbers.
    """

    name: str
    targets: tuple[Target, ...]
    structures: tuple[Structure, ...]
    values: NDArray[np.float64]
    groups: tuple[str, ...]
    grouping: str
    censored: NDArray[np.int8] | None = None
    columns: tuple[ConditionColumn, ...] = ()
    conditions: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    steps: tuple[tuple[ProcessStep, ...], ...] = ()
    numbers: NDArray[np.float64] | None = None
    number_names: tuple[str, ...] = ()
    ordered_folds: bool = False
    companions: int = 0
    note: str = ""

    def __len__(self) -> int:
        return len(self.structures)

    @property
    def bounds(self) -> NDArray[np.int8]:
        """(n, n_targets) `censored`, zeros where the table has no censored values."""
        return np.zeros(self.values.shape, dtype=np.int8) if self.censored is None else self.censored

    @property
    def schema(self) -> ConditionSchema | None:
        """The conditions as a model declares them, None where there are none."""
        if not self.columns and not self.steps:
            return None
        steps = StepVocabulary.of(step for row in self.steps for step in row) if self.steps else None
        return ConditionSchema(columns=self.columns, steps=steps)

    def step_rows(self) -> list[tuple[tuple[float, ...], ...]]:
        """(n) the steps of each row as the numbers of `schema`."""
        schema = self.schema
        if schema is None or schema.steps is None:
            return [()] * len(self)
        vocabulary = schema.steps
        return [tuple(vocabulary.encode(step) for step in row) for row in self.steps]


def folds(table: TaskTable, seed: int = 0) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Five (train, test) pairs of row indices: the official ones of Matbench, else groups dealt at random.

    Groups are shuffled by the seed and each given to the fold that holds the fewest rows, so that folds are about
    equal and no group stands in two.
    """
    if table.ordered_folds:
        from sklearn.model_selection import KFold

        tested = len(table) - table.companions
        split = KFold(FOLDS, shuffle=True, random_state=OFFICIAL_SEED).split(np.arange(tested))
        return [(_accompanied(table, train, test), test.astype(np.int64)) for train, test in split]
    fold = group_folds(table.groups, seed)
    return [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(FOLDS)]


def _accompanied(table: TaskTable, train: NDArray[np.int64], test: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows of `train`, and the companions of which no group stands in `test`."""
    first, groups = len(table) - table.companions, np.array(table.groups)
    allowed = ~np.isin(groups[first:], groups[test])
    return np.concatenate([train, first + np.flatnonzero(allowed)]).astype(np.int64)


def group_folds(groups: Sequence[str], seed: int, count: int = FOLDS) -> NDArray[np.int64]:
    """(n,) the fold of each row, 0..count-1, rows of a group together."""
    names, place, sizes = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    filled, fold_of_group = [0] * count, np.empty(len(names), dtype=np.int64)
    for group in np.random.default_rng(seed).permutation(len(names)):
        smallest = int(np.argmin(filled))
        fold_of_group[group] = smallest
        filled[smallest] += int(sizes[group])
    return fold_of_group[place]


def codes(words: Sequence[object], categories: Sequence[str]) -> NDArray[np.float64]:
    """(n,) the place of each word among the categories, NaN where it is none of them."""
    known = {category: float(place) for place, category in enumerate(categories)}
    return np.array([known.get(str(word), math.nan) for word in words])


def rounded_key(fractions: Sequence[tuple[int, float]], digits: int) -> str:
    """A group name from element → share, shares rounded, zeros left out."""
    kept = [(number, round(share, digits)) for number, share in fractions]
    return " ".join(f"{number}:{share:g}" for number, share in sorted(kept) if share > 0)
