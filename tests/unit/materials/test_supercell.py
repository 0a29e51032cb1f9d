"""Supercells by volume, neighbours and images; whole atoms by annealing against all arrangements."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from matwright.errors import InputError
from matwright.materials.annealing import annealed
from matwright.materials.crystal import Crystal
from matwright.materials.interop import to_pymatgen
from matwright.materials.supercell import roomy, shortest_translation, supercell

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
SALT = Crystal(lattice=5.6 * FCC, frac_coords=np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), numbers=np.array([11, 17]))


def nearest(crystal: Crystal) -> list[tuple[float, int]]:
    """Distances to all neighbours within 4.5 Å of every atom, with the neighbour's number."""
    return sorted(
        (round(float(one.nn_distance), 6), one.specie.Z)
        for own in to_pymatgen(crystal).get_all_neighbors(4.5)
        for one in own
    )


@pytest.mark.parametrize("matrix", [[[2, 0, 0], [0, 1, 0], [0, 0, 1]], [[-1, 1, 1], [1, -1, 1], [1, 1, -1]]])
def test_a_supercell_is_the_same_crystal(matrix: list[list[int]]) -> None:
    big = supercell(SALT, np.array(matrix))
    times = len(big) // len(SALT)
    assert big.volume == pytest.approx(times * SALT.volume)
    assert nearest(big) == sorted(nearest(SALT) * times)
    with pytest.raises(InputError, match="determinant"):
        supercell(SALT, np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]]))


def test_the_smallest_roomy_cell_is_found() -> None:
    """Translations of the face-centred lattice of 5.6 Å are 3.96, 5.6, 6.86, 7.92, 8.85, … Å long."""
    found = roomy(SALT, 6.5, max_atoms=64)
    assert shortest_translation(found.lattice) > 6.5
    assert nearest(found) == sorted(nearest(SALT) * (len(found) // 2))
    diagonal = [m for m in itertools.product(range(1, 5), repeat=3) if np.prod(m) < len(found) // 2]
    assert all(shortest_translation(np.diag(m) @ SALT.lattice) <= 6.5 for m in diagonal)
    with pytest.raises(InputError, match="at most 10 atoms"):
        roomy(SALT, 10.0, max_atoms=10)


def test_annealing_finds_the_best_of_all_arrangements() -> None:
    """Four of eight cation sites of rock salt filled: 70 arrangements, all of which are computed."""
    from pymatgen.analysis.ewald import EwaldSummation

    cube = supercell(SALT, np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]))
    cube = supercell(cube, np.diag([2, 1, 1]))
    cations = np.flatnonzero(cube.numbers == 11)
    occupancies = tuple(((12, 0.5),) if number == 11 else ((17, 1.0),) for number in cube.numbers)
    partly = Crystal(lattice=cube.lattice, frac_coords=cube.frac_coords, numbers=cube.numbers, occupancies=occupancies)
    charges = {12: 2.0, 17: -1.0}

    def energy(crystal: Crystal) -> float:
        structure = to_pymatgen(crystal)
        structure.add_oxidation_state_by_element({"Mg": 2, "Cl": -1})
        return float(EwaldSummation(structure).total_energy)

    energies = []
    for chosen in itertools.combinations(cations, len(cations) // 2):
        kept = sorted([*chosen, *np.flatnonzero(cube.numbers == 17)])
        numbers = np.where(cube.numbers == 11, 12, 17)[kept]
        energies.append(energy(Crystal(lattice=cube.lattice, frac_coords=cube.frac_coords[kept], numbers=numbers)))
    found = annealed(partly, charges, seed=1)
    assert energy(found) == pytest.approx(min(energies), abs=1e-4)
    assert max(energies) > min(energies) + 0.1
    np.testing.assert_array_equal(annealed(partly, charges, seed=1).frac_coords, found.frac_coords)


def test_occupancies_round_by_largest_remainders_or_not_at_all() -> None:
    def mixed(*shares: float) -> Crystal:
        sites = tuple(((3, share),) if share < 1 else ((17, 1.0),) for share in shares)
        places = np.linspace(0, 1, len(shares), endpoint=False)[:, None] * np.ones(3)
        return Crystal(
            lattice=12.0 * np.eye(3), frac_coords=places, numbers=np.array([3] * len(shares)), occupancies=sites
        )

    found = annealed(mixed(0.4, 0.4, 0.6, 0.6, 1.0, 1.0), {3: 1.0, 17: -1.0})
    assert sorted(found.numbers.tolist()) == [3, 3, 17, 17]
    exchanged = tuple(((16, 0.6), (17, 0.4)) for _ in range(1))
    alone = Crystal(lattice=5 * np.eye(3), frac_coords=np.zeros((1, 3)), numbers=np.array([16]), occupancies=exchanged)
    assert annealed(alone, {16: -2.0, 17: -1.0}).numbers.tolist() == [16]
    halves = (((16, 0.5), (17, 0.5)),)
    half = Crystal(lattice=5 * np.eye(3), frac_coords=np.zeros((1, 3)), numbers=np.array([16]), occupancies=halves)
    with pytest.raises(InputError, match="whole atoms"):
        annealed(half, {16: -2.0, 17: -1.0})
