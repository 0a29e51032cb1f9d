"""The temperature of each material as a law needs it: 1000 K (1/T - 1/T_0)."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from matwright.graphs.batch import GraphBatch
from matwright.models.config import GemPpmConfig
from matwright.units import convert

REFERENCE_TEMPERATURE = 300.0
"""K, T_0: where the first output of an Arrhenius head is the value itself."""

BOLTZMANN = 8.617333262e-5
"""eV/K (CODATA 2018)."""


@final
class InverseTemperature(nn.Module):
    """(n_crystals, n_heads): 1000 K (1/T - 1/T_0) for each Arrhenius head, 0 for the others, NaN where T is missing."""

    def __init__(self, config: GemPpmConfig) -> None:
        super().__init__()
        columns = () if config.conditions is None else config.conditions.columns
        units = {column.name: (place, column.unit or "K") for place, column in enumerate(columns)}
        named = [units.get(head.temperature) for head in config.heads]
        self.laws = [None if found is None else (found[0], *affine(found[1], "K")) for found in named]

    def forward(self, batch: GraphBatch) -> Tensor | None:
        """Return the reduced inverse temperatures, None where no head has such a law."""
        if all(law is None for law in self.laws):
            return None
        none = batch.conditions.new_zeros(batch.n_crystals)
        return torch.stack([none if law is None else _reduced(batch.conditions, *law) for law in self.laws], dim=1)


def activation_energy(slope: Tensor, scale: Tensor) -> Tensor:
    """E_a in eV from the slope of an Arrhenius head (standardised log10 a unit of 1000 K/T) and the target's scale.

    log10 σ = log10 σ_0 - E_a / (k_B T ln 10), so that E_a = slope · scale · 1000 K · k_B ln 10.
    """
    return slope * scale * (1000.0 * BOLTZMANN * math.log(10.0))


def _reduced(conditions: Tensor, place: int, factor: float, offset: float) -> Tensor:
    kelvin = conditions[:, place] * factor + offset
    return 1000.0 * (1.0 / kelvin - 1.0 / REFERENCE_TEMPERATURE)


def affine(source: str, target: str) -> tuple[float, float]:
    """(factor, offset) of the conversion of units, value · factor + offset."""
    offset = convert(0.0, source, target)
    return convert(1.0, source, target) - offset, offset
