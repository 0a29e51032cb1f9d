"""A material as a model sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch

from matwright.graphs.batch import GraphBatch, collate
from matwright.graphs.builder import Graph
from matwright.graphs.ragged import Labels
from matwright.materials.conditions import ConditionSchema


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """A graph, its (n_conditions,) conditions and its processing steps, as the model's schema encodes them."""

    graph: Graph
    conditions: tuple[float, ...] = ()
    steps: tuple[tuple[float, ...], ...] = ()

    def batch(self, copies: int = 1) -> GraphBatch:
        """The same material several times, in double precision."""
        return batch_of([self] * copies, torch.float64)

    def bare(self) -> Subject:
        """The material under conditions of which nothing is known."""
        return replace(self, conditions=(np.nan,) * len(self.conditions), steps=())


def batch_of(subjects: Sequence[Subject], dtype: torch.dtype = torch.float32) -> GraphBatch:
    """Return some materials as one batch."""
    conditions = np.array([subject.conditions for subject in subjects], dtype=np.float64)
    labels = Labels.of_conditions(conditions, steps=[subject.steps for subject in subjects])
    return collate([subject.graph for subject in subjects], labels).to(dtype=dtype)


def unknown_conditions(schema: ConditionSchema | None) -> tuple[float, ...]:
    """Return the conditions of which nothing is known."""
    return (np.nan,) * (0 if schema is None else len(schema.columns))
