"""A batch as a plain table: composition, volume, conditions and processing steps in a column each, as trees like it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from matwright.elements import ELEMENT_FEATURES
from matwright.graphs.batch import GraphBatch
from matwright.graphs.interface import GraphSource
from matwright.materials.conditions import ConditionSchema
from matwright.models.composition import composition_statistics

BATCH = 256
_FIELDS = (1, 2, 4, 5)  # temperature, time, pressure and cooling among the fields of a step


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FlatLayout:
    """Which columns there are.

    Attributes:
        schema: the conditions, None where there are none.
        repeats: how often one operation may stand in the steps of a material; later repetitions are not seen.
    """

    schema: ConditionSchema | None
    repeats: int

    @classmethod
    def of(cls, schema: ConditionSchema | None, source: GraphSource, indices: NDArray[np.int64]) -> FlatLayout:
        """The layout for the records at `indices`, of which none loses a step."""
        if schema is None or schema.steps is None:
            return cls(schema=schema, repeats=0)
        most = max((int(_occurrences(batch)[1].max(initial=-1)) for batch in _batches(source, indices)), default=-1)
        return cls(schema=schema, repeats=most + 1)

    def rows(self, source: GraphSource, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, n_columns) of the records at `indices`, NaN where something is missing or was not done."""
        return np.concatenate([self.of_batch(batch) for batch in _batches(source, indices)])

    def of_batch(self, batch: GraphBatch) -> NDArray[np.float32]:
        """(n_crystals, n_columns): statistics of the composition, Å³ an atom, conditions, steps."""
        parts = [
            composition_statistics(batch, torch.tensor(ELEMENT_FEATURES, device=batch.weights.device)),
            (torch.linalg.det(batch.lattices).abs() / batch.counts)[:, None],
        ]
        columns = () if self.schema is None else self.schema.columns
        for place, column in enumerate(columns):
            given = batch.conditions[:, place]
            parts.append(given[:, None] if column.is_number else _one_hot(given, len(column.categories)))
        if self.schema is not None and self.schema.steps is not None:
            parts.append(self._steps(batch, len(self.schema.steps.operations)))
        return torch.cat([part.float() for part in parts], dim=1).cpu().numpy()

    def _steps(self, batch: GraphBatch, operations: int) -> Tensor:
        """(n_crystals, 1 + places · (1 + fields)): how many steps; by operation and repetition if done, and how."""
        codes, repetition = _occurrences(batch)
        n, crystal = batch.n_crystals, batch.step_crystal
        done = batch.conditions.new_zeros(n, operations, self.repeats, 1)
        how = batch.conditions.new_full((n, operations, self.repeats, len(_FIELDS)), torch.nan)
        fits = torch.from_numpy((repetition < self.repeats) & (codes >= 0) & (codes < operations))
        at = (crystal[fits], torch.from_numpy(codes)[fits], torch.from_numpy(repetition)[fits])
        done[at] = 1.0
        how[at] = batch.steps[fits][:, _FIELDS]
        count = torch.bincount(crystal, minlength=n)[:, None].to(done.dtype)
        return torch.cat([count, torch.cat([done, how], dim=3).flatten(1)], dim=1)


def _batches(source: GraphSource, indices: NDArray[np.int64]) -> list[GraphBatch]:
    return [source.batch(indices[start : start + BATCH]) for start in range(0, len(indices), BATCH)]


def _one_hot(codes: Tensor, categories: int) -> Tensor:
    return codes[:, None] == torch.arange(categories, device=codes.device)


def _occurrences(batch: GraphBatch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(n_steps,) each: the code of the operation, -1 where unknown, and how often it stood before in the same steps."""
    codes = batch.steps[:, 0].nan_to_num(nan=-1.0).long().cpu().numpy()
    before: dict[tuple[int, int], int] = {}
    repetition = np.zeros(len(codes), dtype=np.int64)
    for place, key in enumerate(zip(batch.step_crystal.tolist(), codes.tolist(), strict=True)):
        repetition[place] = before.get(key, 0)
        before[key] = before.get(key, 0) + 1
    return codes, repetition
