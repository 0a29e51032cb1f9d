"""Whole atoms on partly occupied sites of a large cell: the arrangement of low electrostatic energy, by annealing.

Where a cell has too many arrangements to rank them, occupancies are rounded to whole atoms within each kind of site,
and simulated annealing with exchanges inside each kind lowers the Ewald energy of the point charges.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.materials.crystal import Crystal, SiteOccupancy
from matwright.materials.interop import to_pymatgen

_ROUNDS = 200
_HOT, _COLD = 2.0, 0.02
"""eV, first and last temperature."""
_ALONE = 1e-6


def annealed(crystal: Crystal, charges: Mapping[int, float], *, seed: int = 0) -> Crystal:
    """The crystal with whole atoms in the cell that it has.

    Args:
        crystal: with partly occupied sites; sites of equal occupancies are of one kind.
        charges: elementary charges of each element.
        seed: of the annealing.

    Raises:
        InputError: the occupancies cannot be rounded to whole atoms in this cell.
    """
    if crystal.occupancies is None:
        return crystal
    kinds = _kinds(crystal.occupancies)
    rng = np.random.default_rng(seed)
    numbers = np.zeros(len(crystal), dtype=np.int64)
    for occupancy, whole in zip(kinds, _rounded(kinds), strict=True):
        atoms = np.repeat(list(whole), list(whole.values()))
        sites = kinds[occupancy]
        filled = np.zeros(len(sites), dtype=np.int64)  # 0 stays empty
        filled[: len(atoms)] = atoms
        numbers[sites] = rng.permutation(filled)
    electrostatics = _Electrostatics(crystal)
    values = np.zeros(max(charges) + 1)  # an empty site is neutral
    values[list(charges)] = list(charges.values())
    numbers = _lowered(numbers, values, list(kinds.values()), electrostatics, rng)
    kept = np.flatnonzero(numbers)
    return Crystal(
        lattice=crystal.lattice, frac_coords=crystal.frac_coords[kept], numbers=numbers[kept], pbc=crystal.pbc
    )


def _kinds(occupancies: tuple[SiteOccupancy, ...]) -> dict[SiteOccupancy, NDArray[np.int64]]:
    found: dict[SiteOccupancy, list[int]] = {}
    for site, occupancy in enumerate(occupancies):
        found.setdefault(tuple((number, round(share, 6)) for number, share in occupancy), []).append(site)
    return {occupancy: np.array(sites) for occupancy, sites in found.items()}


def _rounded(kinds: Mapping[SiteOccupancy, NDArray[np.int64]]) -> list[dict[int, int]]:
    """Whole atoms of each element on each kind of site, by largest remainders; the amounts of elements are kept."""
    amounts = [{n: share * len(sites) for n, share in occupancy} for occupancy, sites in kinds.items()]
    whole = [{n: int(amount + _ALONE) for n, amount in one.items()} for one in amounts]
    for element in {n for one in amounts for n in one}:
        total = round(sum(one.get(element, 0.0) for one in amounts))
        missing = total - sum(one.get(element, 0) for one in whole)
        places = [place for place, one in enumerate(amounts) if element in one]
        places.sort(key=lambda place: amounts[place][element] - whole[place][element], reverse=True)
        for place in places[:missing]:
            whole[place][element] += 1
    for one, (occupancy, sites) in zip(whole, kinds.items(), strict=True):
        full = sum(share for _, share in occupancy) > 1.0 - _ALONE
        if sum(one.values()) > len(sites) or (full and sum(one.values()) < len(sites)):
            raise InputError("the occupancies of the material do not round to whole atoms in this cell; take another")
    return whole


@final
class _Electrostatics:
    """Energies of unit charges on all sites: (n_sites, n_sites) eV, diagonal with each site's own images."""

    def __init__(self, crystal: Crystal) -> None:
        from pymatgen.analysis.ewald import EwaldSummation  # heavy: behind its door

        structure: Any = to_pymatgen(crystal)
        for site in range(len(structure)):
            structure.replace(site, "H+")  # any ion of charge 1: the matrix is multiplied by the charges
        summation: Any = EwaldSummation  # not typed
        self.matrix = np.array(summation(structure, compute_forces=False).total_energy_matrix)


def _lowered(
    numbers: NDArray[np.int64],
    charges: NDArray[np.float64],
    kinds: list[NDArray[np.int64]],
    electrostatics: _Electrostatics,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    numbers = numbers.copy()
    matrix, values = electrostatics.matrix, charges[numbers]
    field = matrix @ values
    mixed = [sites for sites in kinds if len(set(numbers[sites].tolist())) > 1]
    if not mixed:
        return numbers
    weights = np.array([len(sites) for sites in mixed]) / sum(len(sites) for sites in mixed)
    best, energy, lowest = numbers.copy(), 0.0, 0.0
    for temperature in np.geomspace(_HOT, _COLD, _ROUNDS):
        for _ in range(4 * sum(len(sites) for sites in mixed)):
            sites = mixed[rng.choice(len(mixed), p=weights)]
            one, other = rng.choice(sites, 2, replace=False)
            change = values[other] - values[one]
            if numbers[one] == numbers[other]:
                continue
            own = matrix[one, one] + matrix[other, other] - 2 * matrix[one, other]
            rise = 2 * change * (field[one] - field[other]) + change**2 * own
            if rise > 0 and rng.random() >= np.exp(-rise / temperature):
                continue
            numbers[[one, other]] = numbers[[other, one]]
            values[one] += change
            values[other] -= change
            field += change * (matrix[:, one] - matrix[:, other])
            energy += rise
            if energy < lowest - 1e-9:
                lowest, best = energy, numbers.copy()
    return best
