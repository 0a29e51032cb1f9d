"""A batch as a plain table: composition, volume, conditions and processing steps in a column each, as trees like it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from matwright.elements import ATOMIC_MASS, COVALENT_RADIUS, ELEMENT_FEATURES
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
        geometry: whether the trees see how densely and how closely the atoms stand.
    """

    schema: ConditionSchema | None
    repeats: int
    geometry: bool = False

    @classmethod
    def of(cls, schema: ConditionSchema | None, source: GraphSource, indices: NDArray[np.int64]) -> FlatLayout:
        """The layout for the records at `indices`, of which none loses a step; with geometry where there are atoms."""
        stepped = schema is not None and schema.steps is not None
        geometry, most = False, -1
        for batch in _batches(source, indices):
            geometry = geometry or not bool(_formulas(batch).all())
            if stepped:
                most = max(most, int(_occurrences(batch)[1].max(initial=-1)))
            elif geometry:  # nothing further to learn
                break
        return cls(schema=schema, repeats=most + 1, geometry=geometry)

    def rows(self, source: GraphSource, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, n_columns) of the records at `indices`, NaN where something is missing or was not done."""
        return np.concatenate([self.of_batch(batch) for batch in _batches(source, indices)])

    def of_batch(self, batch: GraphBatch) -> NDArray[np.float32]:
        """(n_crystals, n_columns): statistics of the composition, Å³ an atom, geometry, conditions, steps."""
        parts = [
            composition_statistics(batch, torch.tensor(ELEMENT_FEATURES, device=batch.weights.device)),
            (torch.linalg.det(batch.lattices).abs() / batch.counts)[:, None],
        ]
        if self.geometry:
            parts.append(geometry(batch))
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


def _formulas(batch: GraphBatch) -> Tensor:
    """(n_crystals,) bool, whether a structure is a composition: its cell is a cube of 1 Å, too small for an atom."""
    cube: Tensor = (torch.linalg.det(batch.lattices).abs() - 1.0).abs() < 1e-6
    return cube


def geometry(batch: GraphBatch) -> Tensor:
    """(n_crystals, 14) how densely and closely atoms stand; NaN where no atom has a neighbour, and for compositions.

    Density in u/Å³, share of the volume in covalent spheres, number of atoms; then mean, spread, least and largest over
    the atoms of the distance to the nearest neighbour (Å) and of the same in units of the two covalent radii, and mean,
    spread and range of the number of neighbours, each counted by its smooth weight.
    """
    n, owner = batch.n_crystals, batch.crystal
    volume = torch.linalg.det(batch.lattices).abs()
    radius = torch.tensor(COVALENT_RADIUS).to(batch.distances).nan_to_num(nan=1.5)
    mass = torch.tensor(ATOMIC_MASS).to(batch.distances).nan_to_num()
    own = radius[batch.numbers]
    zero = batch.distances.new_zeros(n)
    density = zero.index_add(0, owner, mass[batch.numbers] * batch.weights) / volume
    packing = zero.index_add(0, owner, 4 / 3 * torch.pi * own**3 * batch.weights) / volume
    there = batch.envelope > 0
    distances = batch.distances.masked_fill(~there, torch.inf)
    scaled = distances / (own[batch.rows][:, None] + own[batch.neighbours])
    lonely = own.new_full((len(owner),), torch.inf)
    nearest = [lonely.scatter_reduce(0, batch.rows, one.amin(dim=1), "amin") for one in (distances, scaled)]
    weight = torch.zeros_like(own).index_add(0, batch.rows, batch.envelope.sum(dim=1))
    columns = [
        density,
        packing,
        batch.counts.to(density),
        *_spread(nearest[0], owner, n),
        *_spread(nearest[1], owner, n),
    ]
    mean, spread, least, largest = _spread(weight, owner, n)
    found = torch.stack([*columns, mean, spread, largest - least], dim=1)
    return found.where(found.isfinite() & ~_formulas(batch)[:, None], torch.nan)


def _spread(values: Tensor, owner: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(n,) each: mean, standard deviation, least and largest of the values (n_atoms,) of each crystal."""
    count = torch.bincount(owner, minlength=n)
    mean = values.new_zeros(n).index_add(0, owner, values) / count
    square = values.new_zeros(n).index_add(0, owner, (values - mean[owner]).square()) / count
    least = values.new_full((n,), torch.inf).scatter_reduce(0, owner, values, "amin")
    largest = values.new_full((n,), -torch.inf).scatter_reduce(0, owner, values, "amax")
    return mean, square.sqrt(), least, largest


def _batches(source: GraphSource, indices: NDArray[np.int64]) -> Iterator[GraphBatch]:
    """One after the other, so that no more than one is held."""
    return (source.batch(indices[start : start + BATCH]) for start in range(0, len(indices), BATCH))


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
