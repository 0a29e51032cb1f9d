"""Generated sequences and disguises: what the tests of the sequences draw from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.generation.wyckoff import Orbit, SpaceGroup, SymmetrySequence, decode, space_group
from matwright.materials.crystal import Crystal

LATTICE = {"a": 7.0, "b": 8.1, "c": 9.3, "alpha": 80.0, "beta": 101.0, "gamma": 95.0}
TIED_LENGTHS = (5.0, 6.0, 7.0)
TIED_ANGLES = (60.0, 75.0, 90.0, 100.0, float(np.degrees(np.arccos(-5 / 12))))


def all_positions(group: SpaceGroup, rng: np.random.Generator) -> SymmetrySequence:
    """Every position of a group held once, each by its own element, and two more general orbits."""
    orbits = [
        Orbit(number=position.index + 1, letter=position.letter, free=tuple(rng.random(position.dof)))
        for position in group.positions
    ]
    general = group.positions[-1].letter
    orbits += [Orbit(number=number, letter=general, free=tuple(rng.random(3))) for number in (40, 41)]
    lattice = tuple(LATTICE[name] * (3 if len(name) == 1 else 1) for name in group.lattice_parameters)
    return SymmetrySequence(space_group=group.number, orbits=tuple(orbits), lattice=lattice)


def random_crystal(rng: np.random.Generator, *, ties: bool) -> Crystal:
    """A crystal of one to four orbits in any group; with ties, lengths, angles and coordinates often coincide."""
    while True:
        number = int(rng.integers(1, 231) if rng.random() < 0.6 else rng.integers(1, 75))
        try:
            crystal = decode(_random_sequence(space_group(number), rng, ties=ties))
        except InputError:  # the angles do not close, or a position without freedom was drawn twice
            continue
        if len(crystal) <= 48 and closest(crystal) > 0.5:
            return crystal


def _random_sequence(group: SpaceGroup, rng: np.random.Generator, *, ties: bool) -> SymmetrySequence:
    orbits = []
    for _ in range(rng.integers(1, 5)):
        position = group.positions[rng.integers(len(group.positions))]
        free = rng.random(position.dof)
        if ties:
            free = np.floor(free * 10) / 10 + rng.choice([0.0, 0.03])
        orbits.append(Orbit(number=int(rng.integers(3, 6)), letter=position.letter, free=tuple(free)))
    lattice = [
        (rng.choice(TIED_LENGTHS) if ties else rng.uniform(3, 9))
        if len(name) == 1
        else (rng.choice(TIED_ANGLES) if ties else rng.uniform(65, 115))
        for name in group.lattice_parameters
    ]
    return SymmetrySequence(space_group=group.number, orbits=tuple(orbits), lattice=tuple(map(float, lattice)))


def closest(crystal: Crystal) -> float:
    """Smallest distance between different atoms in Å (nearest images by rounding: good enough to keep them apart)."""
    difference = crystal.frac_coords[:, None] - crystal.frac_coords
    distance = np.linalg.norm((difference - np.rint(difference)) @ crystal.lattice, axis=2)
    return float((distance + 10.0 * np.eye(len(crystal))).min())


def disguised(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    """The same crystal in another cell (volume once or twice), with another origin, orientation and order of atoms."""
    while True:
        change = rng.integers(-1, 2, (3, 3))
        volume = round(abs(np.linalg.det(change)))
        if volume in {1, 2}:
            break
    shifts = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3), axis=-1).reshape(-1, 3)
    images = (crystal.frac_coords[:, None] + shifts).reshape(-1, 3) @ np.linalg.inv(change) + rng.random(3)
    inside = ((images >= 0) & (images < 1)).all(axis=1)
    coords, numbers = images[inside], np.repeat(crystal.numbers, len(shifts))[inside]
    order = rng.permutation(len(numbers))
    return Crystal(lattice=change @ crystal.lattice @ rotation(rng), frac_coords=coords[order], numbers=numbers[order])


def rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """A random proper rotation, (3, 3)."""
    matrix: NDArray[np.float64] = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return matrix * np.sign(np.linalg.det(matrix))


def mirrored(crystal: Crystal) -> Crystal:
    """The mirror image of a crystal."""
    return Crystal(
        lattice=crystal.lattice @ np.diag([1.0, 1.0, -1.0]), frac_coords=crystal.frac_coords, numbers=crystal.numbers
    )
