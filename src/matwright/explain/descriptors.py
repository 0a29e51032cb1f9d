"""Physical descriptors of a material: the words, with units, in which a formula may speak of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.elements import (
    ATOMIC_MASS,
    COVALENT_RADIUS,
    ELECTRON_AFFINITY,
    ELECTRONEGATIVITY,
    GROUP,
    IONISATION_ENERGY,
    MELTING_POINT,
    MOLAR_VOLUME,
    PERIOD,
)
from matwright.errors import InputError
from matwright.graphs.neighbours import find_neighbours
from matwright.graphs.settings import GraphSettings
from matwright.materials.crystal import Crystal
from matwright.materials.material import Structure, amounts_of
from matwright.physics.geometry import density
from matwright.physics.rules.coordination import effective_weights

ATOMIC_VOLUME = MOLAR_VOLUME / 0.602214076
"""(119,) Å³ an atom takes in its element."""
_ELEMENTAL: Mapping[str, tuple[NDArray[np.float64], str, str]] = MappingProxyType(
    {
        "electronegativity": (ELECTRONEGATIVITY, "1", "electronegativity (Pauling)"),
        "covalent_radius": (COVALENT_RADIUS, "Å", "covalent radius"),
        "ionisation_energy": (IONISATION_ENERGY, "eV", "first ionisation energy"),
        "electron_affinity": (ELECTRON_AFFINITY, "eV", "electron affinity"),
        "mass": (ATOMIC_MASS, "u", "atomic mass"),
        "valence_electrons": (np.where(GROUP > 12, GROUP - 10, GROUP), "1", "valence electrons, by group"),
        "melting_point": (MELTING_POINT, "K", "melting point of the element"),
        "period": (PERIOD, "1", "row of the periodic table"),
    }
)
_NEAR = GraphSettings(cutoff=6.0, k=14, stretch=1.3)
_SHELL = 1.2
"""Neighbours up to this share of the shortest distance of an atom count as nearest."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """One number about a material.

    Attributes:
        name: as it stands in formulas, for instance "mean_electronegativity".
        unit: "1" for a pure number.
        meaning: in a few words.
        structural: whether it needs a crystal; the others need a composition only.
    """

    name: str
    unit: str
    meaning: str
    structural: bool = False


def _of_elements() -> tuple[Descriptor, ...]:
    words = (("mean", "mean over the atoms of the"), ("spread", "mean deviation over the atoms of the"))
    return tuple(
        Descriptor(name=f"{short}_{name}", unit=unit, meaning=f"{long} {meaning}")
        for name, (_, unit, meaning) in _ELEMENTAL.items()
        for short, long in words
    )


_STRUCTURAL = (
    Descriptor(name="density", unit="g/cm³", meaning="mass density", structural=True),
    Descriptor(name="volume_per_atom", unit="Å³", meaning="cell volume an atom", structural=True),
    Descriptor(name="volume_ratio", unit="1", meaning="volume an atom over its mean in the elements", structural=True),
    Descriptor(name="packing", unit="1", meaning="share of the cell in spheres of the covalent radii", structural=True),
    Descriptor(name="nearest_distance", unit="Å", meaning="mean distance to the nearest atom", structural=True),
    Descriptor(
        name="bond_ratio",
        unit="1",
        meaning="mean over the nearest pairs of distance over sum of covalent radii",
        structural=True,
    ),
    Descriptor(name="coordination", unit="1", meaning="mean effective coordination number (Hoppe)", structural=True),
)
DESCRIPTORS: tuple[Descriptor, ...] = (
    *_of_elements(),
    Descriptor(name="n_elements", unit="1", meaning="number of elements"),
    *_STRUCTURAL,
)
"""All of them, in the order of `describe`."""


def describe(structure: Structure) -> NDArray[np.float64]:
    """(n_descriptors,) in the order of `DESCRIPTORS`; NaN where one is not known or does not apply."""
    numbers, fractions = _fractions(structure)
    values = []
    for table, _, _ in _ELEMENTAL.values():
        own = table[numbers]
        mean = float(fractions @ own)
        values += [mean, float(fractions @ np.abs(own - mean))]
    values.append(float(len(numbers)))
    structural = _surroundings(structure, numbers, fractions) if isinstance(structure, Crystal) else {}
    values += [structural.get(descriptor.name, float("nan")) for descriptor in _STRUCTURAL]
    return np.array(values)


def _fractions(structure: Structure) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    found = amounts_of(structure)
    shares = np.array(list(found.values()))
    return np.array(list(found), dtype=np.int64), shares / shares.sum()


def _surroundings(crystal: Crystal, numbers: NDArray[np.int64], fractions: NDArray[np.float64]) -> dict[str, float]:
    """The structural descriptors by name; those of the volume are left out for a layer, whose cell holds vacuum."""
    found = _of_volume(crystal, numbers, fractions) if all(crystal.pbc) else {}
    try:
        near = find_neighbours(crystal.lattice, crystal.frac_coords, crystal.pbc, _NEAR)
    except InputError:  # two atoms on one place
        return found
    if (near.counts == 0).any():
        return found
    lengths = np.split(np.linalg.norm(near.vectors, axis=1), np.cumsum(near.counts)[:-1])
    others = np.split(near.neighbours, np.cumsum(near.counts)[:-1])
    radii = COVALENT_RADIUS[crystal.numbers]
    shortest = np.array([own.min() for own in lengths])
    ratios = [
        own[own <= _SHELL * least] / (radii[site] + radii[other[own <= _SHELL * least]])
        for site, (own, other, least) in enumerate(zip(lengths, others, shortest, strict=True))
    ]
    return found | {
        "nearest_distance": float(shortest.mean()),
        "bond_ratio": float(np.concatenate(ratios).mean()),
        "coordination": float(np.mean([effective_weights(own).sum() for own in lengths])),
    }


def _of_volume(crystal: Crystal, numbers: NDArray[np.int64], fractions: NDArray[np.float64]) -> dict[str, float]:
    atoms = sum(amounts_of(crystal).values())
    volume = crystal.volume / atoms
    spheres = float(fractions @ (4.0 / 3.0 * np.pi * COVALENT_RADIUS[numbers] ** 3))
    return {
        "density": density(crystal),
        "volume_per_atom": volume,
        "volume_ratio": volume / float(fractions @ ATOMIC_VOLUME[numbers]),
        "packing": spheres / volume,
    }
