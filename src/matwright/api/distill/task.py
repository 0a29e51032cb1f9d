"""The numbers of a distillation: descriptors, predictions and known values, and which rows the search may see."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from matwright.api.distill.result import LEAST_ROWS
from matwright.api.sample import Sample
from matwright.data.groups import GroupKind, group_key
from matwright.data.splits import assign_parts
from matwright.errors import InputError
from matwright.explain.descriptors import DESCRIPTORS, Descriptor, describe
from matwright.materials.conditions import ConditionSchema
from matwright.materials.properties import PropertySpec
from matwright.progress import Progress

if TYPE_CHECKING:
    from matwright.api.predict import Predictor

HELD_OUT = 0.25
"""Share of the rows, by formula, that the search never sees."""
MOST_MISSING = 0.05
"""Share of rows up to which a descriptor may be unknown: those rows are left out, else the descriptor is."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """Descriptors (n,) by name, predictions (n,), known values (n,) or NaN, and which rows the search may see."""

    descriptors: tuple[Descriptor, ...]
    values: Mapping[str, NDArray[np.float64]]
    wanted: NDArray[np.float64]
    truth: NDArray[np.float64]
    train: NDArray[np.bool_]
    notes: tuple[str, ...]

    def part(self, chosen: NDArray[np.bool_]) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64]]:
        """Descriptors and predictions of some rows."""
        return {name: values[chosen] for name, values in self.values.items()}, self.wanted[chosen]


def make_task(
    sample: Sample,
    schema: ConditionSchema | None,
    spec: PropertySpec,
    predictor: Predictor,
    seed: int,
    progress: Progress,
) -> Task:
    """Predict and describe the sample, leave out what is not known, and hold a quarter of the formulas out.

    Args:
        sample: of the table.
        schema: of its conditions.
        spec: the property.
        predictor: the model.
        seed: decides which formulas are held out.
        progress: told of each material predicted.

    Raises:
        InputError: nothing is left to search, or all rows have one formula.
    """
    progress.start("predicting", len(sample.structures))
    wanted = predictor.predict_store(sample.store, progress=progress)[spec.name].mean
    progress.finish()
    columns = _described(sample, schema)
    usable = {one: column for one, column in columns.items() if _is_usable(column)}
    if not usable:
        raise InputError("every descriptor is unknown or equal for all rows; formulas need materials that differ")
    whole = np.isfinite(np.column_stack(list(usable.values()))).all(axis=1) & np.isfinite(wanted)
    if whole.sum() < LEAST_ROWS:
        raise InputError(f"{int(whole.sum())} rows have all descriptors; a formula needs at least {LEAST_ROWS}")
    keys = [group_key(structure, GroupKind.FORMULA) for structure in sample.structures]
    parts = assign_parts(
        [key for key, keep in zip(keys, whole.tolist(), strict=True) if keep],
        fractions=(1.0 - HELD_OUT, 0.0, HELD_OUT),
        seed=seed,
    )
    if len(set(parts.tolist())) < 2:
        raise InputError("all rows have one formula; the errors need rows of other formulas than the search")
    truth = sample.truth[:, 0] if sample.truth.shape[1] else np.full(len(wanted), np.nan)
    return Task(
        descriptors=tuple(usable),
        values={one.name: column[whole] for one, column in usable.items()},
        wanted=wanted[whole],
        truth=truth[whole],
        train=parts == "train",
        notes=_left_out([one.name for one in columns if one not in usable], int((~whole).sum())),
    )


def _described(sample: Sample, schema: ConditionSchema | None) -> dict[Descriptor, NDArray[np.float64]]:
    """(n,) of each descriptor of the structures, and of each condition that is a number."""
    table = np.array([describe(structure) for structure in sample.structures])
    columns = dict(zip(DESCRIPTORS, table.T, strict=True))
    for place, column in enumerate(schema.columns if schema is not None else ()):
        if column.unit is not None:
            word = re.sub(r"\W+", "_", column.name).strip("_")
            one = Descriptor(name=f"condition_{word}", unit=column.unit, meaning=f"the condition {column.name}")
            columns[one] = sample.store.conditions[:, place]
    return columns


def _left_out(names: Sequence[str], n_rows: int) -> tuple[str, ...]:
    notes = []
    if names:
        notes.append(f"Not used, because unknown for many rows or equal for all: {', '.join(sorted(names))}.")
    if n_rows:
        notes.append(f"{n_rows} rows were left out because a descriptor is unknown for them.")
    return tuple(notes)


def _is_usable(column: NDArray[np.float64]) -> bool:
    known = column[np.isfinite(column)]
    return len(known) >= (1.0 - MOST_MISSING) * len(column) and bool(np.ptp(known) > 0)
