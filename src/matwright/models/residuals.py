"""Physics residuals of predictions in the loss (E19): each by name, each with its own weight, each reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from matwright.elements import ATOMIC_MASS
from matwright.errors import InputError
from matwright.graphs.batch import GraphBatch
from matwright.materials.conditions import ConditionSchema
from matwright.materials.properties import PropertySpec
from matwright.models.temperature import affine
from matwright.physics import laws

_LEAST_MODULUS = 1.0  # GPa; a smaller modulus is outside of what the laws below are for
_MASSES = torch.tensor(np.nan_to_num(ATOMIC_MASS), dtype=torch.float32)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """What a residual sees of a batch.

    Attributes:
        values: predicted means by property, (n_crystals,) each, in the units of `RESIDUALS`' entry.
        temperature: (n_crystals,) in K, NaN where missing; None where no condition is one.
        batch: the structures.
    """

    values: Mapping[str, Tensor]
    temperature: Tensor | None
    batch: GraphBatch


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualKind:
    """One residual.

    Attributes:
        needs: property → unit in which it enters.
        compute: (n_crystals,) residuals without unit, NaN where the law says nothing.
        law: the law in words, with its source.
    """

    needs: Mapping[str, str]
    compute: Callable[[Predicted], Tensor]
    law: str


def _zt(seen: Predicted) -> Tensor:
    values = seen.values
    if seen.temperature is None:
        raise InputError("the residual 'zt' needs a condition named temperature")
    product = laws.figure_of_merit(
        values["seebeck_coefficient"],
        values["electrical_conductivity"],
        values["thermal_conductivity"].clamp(min=0.05),
        seen.temperature,
    )
    residual: Tensor = values["zt"] - product.clamp(max=5.0)
    return residual


def _debye(seen: Predicted) -> Tensor:
    batch, values = seen.batch, seen.values
    volume = torch.linalg.det(batch.lattices).abs() / batch.counts
    masses = _MASSES.to(batch.weights.device).index_select(0, batch.numbers)
    mass = torch.zeros_like(volume).index_add(0, batch.crystal, masses) / batch.counts
    bulk, shear = (values[name].clamp(min=_LEAST_MODULUS) for name in ("bulk_modulus", "shear_modulus"))
    law = laws.debye_temperature(bulk, shear, volume, mass)
    residual: Tensor = values["debye_temperature"].clamp(min=1.0).log() - law.log()
    return residual


def _young(seen: Predicted) -> Tensor:
    bulk, shear = (seen.values[name].clamp(min=_LEAST_MODULUS) for name in ("bulk_modulus", "shear_modulus"))
    residual: Tensor = (
        seen.values["young_modulus"].clamp(min=_LEAST_MODULUS).log() - laws.young_modulus(bulk, shear).log()
    )
    return residual


def _elements(seen: Predicted) -> Tensor:
    batch = seen.batch
    first = torch.cumsum(batch.counts, 0) - batch.counts
    other = batch.numbers != batch.numbers.index_select(0, first).index_select(0, batch.crystal)
    mixed = torch.zeros_like(batch.counts).index_add(0, batch.crystal, other.long()) > 0
    energy = seen.values["formation_energy_per_atom"]
    return torch.relu(-energy).masked_fill(mixed, torch.nan)


RESIDUALS: Mapping[str, ResidualKind] = {
    "zt": ResidualKind(
        needs={
            "zt": "1",
            "seebeck_coefficient": "V/K",
            "electrical_conductivity": "S/m",
            "thermal_conductivity": "W/(m*K)",
        },
        compute=_zt,
        law="ZT = S² σ T / κ",
    ),
    "debye": ResidualKind(
        needs={"bulk_modulus": "GPa", "shear_modulus": "GPa", "debye_temperature": "K"},
        compute=_debye,
        law="the Debye temperature follows from K, G and density (Anderson 1963), compared as logarithms",
    ),
    "young": ResidualKind(
        needs={"bulk_modulus": "GPa", "shear_modulus": "GPa", "young_modulus": "GPa"},
        compute=_young,
        law="E = 9 K G / (3 K + G), compared as logarithms",
    ),
    "elements": ResidualKind(
        needs={"formation_energy_per_atom": "eV/atom"},
        compute=_elements,
        law="no form of a pure element lies below its reference: formation energy >= 0",
    ),
}
"""The residuals of several properties; "bounds" (below) is of every property by itself."""

BOUNDS = "bounds"
RESIDUAL_NAMES = (BOUNDS, *RESIDUALS)
"""Every residual that can be asked for."""


@final
class PhysicsResiduals:
    """The residuals a model is trained with, bound to its properties.

    Raises:
        InputError: a residual is unknown, or needs a property that the model does not predict.
    """

    def __init__(
        self, weights: Mapping[str, float], specs: Sequence[PropertySpec], schema: ConditionSchema | None
    ) -> None:
        self._weights, self._specs = dict(weights), tuple(specs)
        names = [spec.name for spec in specs]
        for name in weights:
            if name not in RESIDUAL_NAMES:
                raise InputError(f"there is no physics residual {name!r}; known are {', '.join(RESIDUAL_NAMES)}")
            lacking = [need for need in RESIDUALS[name].needs if need not in names] if name != BOUNDS else []
            if lacking:
                raise InputError(f"the residual {name!r} needs the target {lacking[0]}, which is not learned")
        columns = () if schema is None else schema.columns
        self._temperature = next(
            ((place, *affine(column.unit, "K")) for place, column in enumerate(columns)
             if column.unit is not None and column.name == "temperature"),
            None,
        )  # fmt: skip

    def __call__(self, means: Tensor, scale: Tensor, batch: GraphBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return Σ λ_i s_i mean(c_i²) and each mean(c_i²) by name.

        A mean is over the structures that the law speaks of, and s_i their share of the batch, so that one lone element
        does not pull as hard as all labels.

        Args:
            means: (n_crystals, n_targets) in the targets' units.
            scale: (n_targets,) standard deviations of the targets, by which violated bounds are measured.
            batch: the structures.
        """
        total, terms = means.new_zeros(()), {}
        for name, weight in self._weights.items():
            residual = self._bounds(means, scale) if name == BOUNDS else self._of_law(name, means, batch)
            known = ~residual.isnan()
            square = torch.where(known, residual, 0.0).square().sum()
            terms[f"residual_{name}"] = square / known.sum().clamp(min=1)
            total = total + weight * square / known.numel()
        return total, terms

    def _bounds(self, means: Tensor, scale: Tensor) -> Tensor:
        beyond = torch.zeros_like(means)
        for column, spec in enumerate(self._specs):
            if spec.lower is not None:
                beyond[:, column] += torch.relu(spec.lower - means[:, column]) / scale[column]
            if spec.upper is not None:
                beyond[:, column] += torch.relu(means[:, column] - spec.upper) / scale[column]
        return beyond

    def _of_law(self, name: str, means: Tensor, batch: GraphBatch) -> Tensor:
        kind = RESIDUALS[name]
        values = {
            spec.name: _in_unit(means[:, column], spec, kind.needs[spec.name])
            for column, spec in enumerate(self._specs)
            if spec.name in kind.needs
        }
        temperature = None
        if self._temperature is not None:
            place, factor, offset = self._temperature
            temperature = batch.conditions[:, place] * factor + offset
        return kind.compute(Predicted(values=values, temperature=temperature, batch=batch))


def _in_unit(values: Tensor, spec: PropertySpec, unit: str) -> Tensor:
    """The values in a linear unit; a property learned as log10 is raised again."""
    if spec.unit.startswith("log10("):
        values = 10.0 ** values.clamp(-30.0, 30.0)
        factor, offset = affine(spec.unit.removeprefix("log10(").removesuffix(")"), unit)
    else:
        factor, offset = affine(spec.unit, unit)
    return values * factor + offset
