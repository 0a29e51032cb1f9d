"""One number for each part of a material, gathered from what enters a network through its channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from matwright.elements import SYMBOLS
from matwright.explain.bonds import Bonds
from matwright.explain.probe import Channel
from matwright.models.gem_ppm import GemPpm

Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contributions:
    """Numbers in one unit, one a part; an array is empty where the model takes no such input.

    Attributes:
        atoms: (n_atoms,) what stands at each site.
        bonds: (n_bonds,) that two atoms see each other.
        fractions: (119,) how much of each element there is in the composition, absent elements included.
        statistics: (n_statistics,) statistics of the properties of the elements.
        conditions: (n_conditions,) in the order of the schema, the processing steps last where there are any.
    """

    atoms: Floats
    bonds: Floats
    fractions: Floats
    statistics: Floats
    conditions: Floats

    @property
    def total(self) -> float:
        """The sum of all."""
        return float(sum(values.sum() for values in self.arrays()))

    def arrays(self) -> tuple[Floats, ...]:
        """All fields, in their order."""
        return self.atoms, self.bonds, self.fractions, self.statistics, self.conditions

    @classmethod
    def mean(cls, members: list[Self]) -> Self:
        """The mean over the members of an ensemble."""
        atoms, bonds, fractions, statistics, conditions = (
            np.mean(arrays, axis=0) for arrays in zip(*(member.arrays() for member in members), strict=True)
        )
        return cls(atoms=atoms, bonds=bonds, fractions=fractions, statistics=statistics, conditions=conditions)

    @classmethod
    def gathered(cls, channels: Mapping[Channel, Tensor], network: GemPpm, bonds: Bonds, *, power: int = 1) -> Self:
        """Gather what belongs to one part over the features of each channel.

        Args:
            channels: one tensor for one material (see `Channel`).
            network: which the channels lead into.
            bonds: of the material.
            power: 1 sums, 2 takes the root of the sum of squares (a bond: the size of the sum over its two ends).
        """
        values = {channel: tensor[0].detach().numpy() for channel, tensor in channels.items()}
        fractions, statistics = _composition_sums(values.get(Channel.COMPOSITION, np.zeros(0)) ** power, network)
        of_bonds = bonds.gathered(values[Channel.WEIGHTS].reshape(-1))
        return cls(
            atoms=_root((values[Channel.NODES] ** power).sum(axis=1), power),
            bonds=of_bonds if power == 1 else np.abs(of_bonds),
            fractions=_root(fractions, power),
            statistics=_root(statistics, power),
            conditions=_root(_condition_sums({name: value**power for name, value in values.items()}, network), power),
        )


def _root(values: Floats, power: int) -> Floats:
    return values if power == 1 else np.sqrt(values)


def statistic_names(network: GemPpm) -> tuple[str, ...]:
    """Return the names of `Contributions.statistics`, none where the network reads nothing from the formula."""
    names = [] if network.composition is None else network.composition.input_names()
    return tuple(name for name in names if name not in SYMBOLS)


def _composition_sums(values: Floats, network: GemPpm) -> tuple[Floats, Floats]:
    """(119,) sums over what says how much of an element there is, and (n_statistics,) the rest; empty for no input."""
    if network.composition is None:
        return np.zeros(0), np.zeros(0)
    place = {name: number for number, name in enumerate(SYMBOLS)}
    owners = np.array([place.get(name, -1) for name in network.composition.input_names()])
    is_element = owners >= 0
    sums = np.bincount(owners[is_element], weights=values[is_element], minlength=len(SYMBOLS))
    return sums.astype(np.float64), values[~is_element]


def _condition_sums(values: Mapping[Channel, Floats], network: GemPpm) -> Floats:
    """(n_conditions,) sums over the inputs of each condition; the temperature of a law also enters there."""
    schema = network.config.conditions
    if schema is None or not {Channel.CONDITIONS, Channel.TEMPERATURE} & set(values):
        return np.zeros(0)
    sums = np.zeros(len(schema.columns) + (schema.steps is not None))
    if Channel.CONDITIONS in values and network.conditions is not None:
        owners = network.conditions.input_columns()
        sums += np.bincount(owners, weights=values[Channel.CONDITIONS], minlength=len(sums))
    if Channel.TEMPERATURE in values:
        for law, value in zip(network.temperature.laws, values[Channel.TEMPERATURE], strict=True):
            if law is not None:
                sums[law[0]] += value
    return sums
