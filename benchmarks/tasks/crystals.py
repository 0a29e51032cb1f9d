"""What tasks on crystals share: a table of crystals with cheap structural numbers for the classical baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from matwright.elements import ATOMIC_MASS, COVALENT_RADIUS
from matwright.errors import CalculationError
from matwright.materials.crystal import Crystal
from matwright.materials.interop import reduced_formula
from matwright.materials.symmetry import site_symmetry
from tasks.table import Target, TaskTable

NUMBER_NAMES = ("volume_per_atom", "density", "packing", "atoms", "space_group")


def crystal_table(
    name: str, targets: tuple[Target, ...], crystals: Sequence[Crystal], values: NDArray[np.float64], note: str = ""
) -> TaskTable:
    """A task on crystals, grouped by reduced formula."""
    return TaskTable(
        name=name,
        targets=targets,
        structures=tuple(crystals),
        values=values,
        groups=tuple(reduced_formula(crystal) for crystal in crystals),
        grouping="reduced formula",
        numbers=np.array([structure_numbers(crystal) for crystal in crystals]),
        number_names=NUMBER_NAMES,
        note=note,
    )


def structure_numbers(crystal: Crystal) -> tuple[float, ...]:
    """Volume per atom (Å³), density (u/Å³), packing fraction of covalent spheres, atoms, space group number."""
    volume = abs(float(np.linalg.det(crystal.lattice)))
    numbers = crystal.numbers
    spheres = 4 / 3 * np.pi * np.nansum(COVALENT_RADIUS[numbers] ** 3)
    return (
        volume / len(numbers),
        float(ATOMIC_MASS[numbers].sum()) / volume,
        float(spheres) / volume,
        float(len(numbers)),
        _space_group(crystal),
    )


def _space_group(crystal: Crystal) -> float:
    """International number; that of the periodically repeated cell for a layer, NaN where none is found."""
    try:
        return float(site_symmetry(replace(crystal, pbc=(True, True, True))).number)
    except CalculationError:
        return float("nan")
