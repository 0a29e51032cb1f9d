"""From conditions to one state (h_C of E14-E18): numbers, categories and ordered processing steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence

from matwright.graphs.batch import GraphBatch
from matwright.materials.conditions import ConditionSchema, StepVocabulary

_CENTRES = 8  # Gaussians that resolve a number, so that a sharp change over it can be learned
_RANGE = 5.0  # standard deviations beyond which a number is cut


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionScale:
    """Centre and scale of each number over the training part; 0 and 1 for a category or a constant.

    Attributes:
        centre, scale: (n_conditions,) float64, in the unit of each condition.
    """

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(cls, conditions: NDArray[np.float64], schema: ConditionSchema) -> Self:
        """Measure (n, n_conditions) conditions of the training part, NaN where missing."""
        centre, scale = np.zeros(len(schema.columns)), np.ones(len(schema.columns))
        for index, column in enumerate(schema.columns):
            values = conditions[:, index][~np.isnan(conditions[:, index])]
            if column.is_number and len(values) and np.ptp(values) > 0:
                centre[index], scale[index] = values.mean(), values.std()
        return cls(centre=centre, scale=scale)


@final
class ConditionEncoder(nn.Module):
    """(n_crystals, width) state of the conditions of each material.

    A number enters standardised, resolved by Gaussians and with a flag whether it is known; a category by a learned
    vector, with one of its own for "missing"; the steps, in their order, through a gated recurrent unit. The
    conditions at the places `without` are left out.
    """

    def __init__(
        self, schema: ConditionSchema, width: int, dropout: float, without: frozenset[int] = frozenset()
    ) -> None:
        super().__init__()
        is_number = [column.is_number for column in schema.columns]
        self.n_columns = len(is_number)
        self.numbers = [index for index, yes in enumerate(is_number) if yes and index not in without]
        self.categories = [index for index, yes in enumerate(is_number) if not yes and index not in without]
        small = self.word_width = max(4, width // 4)
        self.words = nn.ModuleList(
            nn.Embedding(len(schema.columns[index].categories) + 1, small) for index in self.categories
        )
        self.steps = None if schema.steps is None else StepEncoder(schema.steps, small, width)
        n_inputs = len(self.numbers) * (_CENTRES + 2) + len(self.categories) * small
        n_inputs += 0 if self.steps is None else width
        self.hidden = nn.Linear(n_inputs, 2 * width)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(2 * width, width)
        self.register_buffer("centre", torch.zeros(len(self.numbers)))
        self.register_buffer("scale", torch.ones(len(self.numbers)))
        self.register_buffer("grid", torch.linspace(-2.5, 2.5, _CENTRES), persistent=False)
        self.centre: Tensor
        self.scale: Tensor
        self.grid: Tensor

    def set_scale(self, scale: ConditionScale) -> None:
        """Standardise by these from now on."""
        self.centre.copy_(torch.tensor(scale.centre[self.numbers], dtype=self.centre.dtype))
        self.scale.copy_(torch.tensor(scale.scale[self.numbers], dtype=self.scale.dtype))

    def forward(self, batch: GraphBatch) -> Tensor:
        """Return the state of the conditions of every structure of the batch."""
        parts = [self.number_features(batch.conditions[:, self.numbers])] if self.numbers else []
        for index, words in zip(self.categories, self.words, strict=True):
            codes = (batch.conditions[:, index].nan_to_num(nan=-1.0) + 1).long()  # 0 is "missing"
            parts.append(words(codes))
        if self.steps is not None:
            parts.append(self.steps(batch))
        hidden = self.dropout(functional.relu(self.hidden(torch.cat(parts, dim=1))))
        state: Tensor = functional.relu(self.out(hidden))
        return state

    def input_columns(self) -> list[int]:
        """Return, for each input of `hidden`, the condition that it comes from; the steps count as one more."""
        columns = [index for index in self.numbers for _ in range(_CENTRES + 2)]
        columns += [index for index in self.categories for _ in range(self.word_width)]
        steps = self.hidden.in_features - len(columns)
        return columns + [self.n_columns] * steps

    def number_features(self, values: Tensor) -> Tensor:
        """(n_crystals, n_numbers · (n_centres + 2)) from (n_crystals, n_numbers) values, NaN where missing."""
        known = ~values.isnan()
        standard = ((values - self.centre) / self.scale).nan_to_num(nan=0.0).clamp(-_RANGE, _RANGE)
        bumps = torch.exp(-2.0 * (standard[:, :, None] - self.grid).clamp(-3.0, 3.0).square())
        features = torch.cat([standard[:, :, None], bumps], dim=2) * known[:, :, None]
        return torch.cat([features, known[:, :, None].to(features.dtype)], dim=2).flatten(1)


@final
class StepEncoder(nn.Module):
    """(n_crystals, width) state of an ordered sequence of processing steps of any length; 0 where there are none."""

    def __init__(self, vocabulary: StepVocabulary, small: int, width: int) -> None:
        super().__init__()
        words = (vocabulary.operations, vocabulary.atmospheres, vocabulary.coolings)
        self.words = nn.ModuleList(nn.Embedding(len(known) + 1, small) for known in words)
        self.recurrent = nn.GRU(3 * small + 6, width, batch_first=True)

    def forward(self, batch: GraphBatch) -> Tensor:
        """Return the state after the last step of every structure."""
        n, width = batch.n_crystals, self.recurrent.hidden_size
        state = batch.conditions.new_zeros(n, width)
        if len(batch.steps) == 0:
            return state
        counts = torch.bincount(batch.step_crystal, minlength=n)
        have = counts.nonzero().squeeze(1)
        features = self.step_features(batch.steps)
        padded = torch.nn.utils.rnn.pad_sequence(list(features.split(counts[have].tolist())), batch_first=True)
        packed = pack_padded_sequence(padded, counts[have].cpu(), batch_first=True, enforce_sorted=False)
        last: Tensor = self.recurrent(packed)[1][0]
        return state.index_copy(0, have, last)

    def step_features(self, steps: Tensor) -> Tensor:
        """(n_steps, 3 · small + 6) from the fields operation, T (K), t (h), atmosphere, p (MPa), cooling."""
        words = [
            embedding((steps[:, field].nan_to_num(nan=-1.0) + 1).long())
            for embedding, field in zip(self.words, (0, 3, 5), strict=True)
        ]
        temperature, time, pressure = steps[:, 1], steps[:, 2], steps[:, 4]
        numbers = torch.stack(
            [(temperature - 1000.0) / 400.0, torch.log10(time.clamp(min=0.0) + 0.1), torch.log10(pressure + 1.0)], dim=1
        )
        known = ~numbers.isnan()
        return torch.cat([*words, numbers.nan_to_num(nan=0.0), known.to(numbers.dtype)], dim=1)
