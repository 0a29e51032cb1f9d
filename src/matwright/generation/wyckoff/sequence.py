"""The symmetry-true sequence: a crystal written as space group, occupied Wyckoff positions and lattice parameters."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import final

from matwright.errors import InputError
from matwright.generation.wyckoff.tables import LETTERS, space_group
from matwright.materials.crystal import MAX_ATOMIC_NUMBER


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Orbit:
    """One set of symmetry-equivalent atoms.

    Attributes:
        number: atomic number.
        letter: Wyckoff letter.
        free: free coordinates of the position's representative, each in [0, 1); as many as the position has.
    """

    number: int
    letter: str
    free: tuple[float, ...] = ()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SymmetrySequence:
    """A crystal as a sequence that has its symmetry by construction.

    Attributes:
        space_group: number, 1..230, in the standard setting of `tables`.
        orbits: occupied positions. In canonical order: by letter, then atomic number, then free coordinates (those
            along a polar axis first; the first orbit has 0 there).
        lattice: free lattice parameters of the crystal system in the order a, b, c (Å), alpha, beta, gamma (degrees),
            for the conventional cell; see `tables.lattice_parameters`.

    Raises:
        InputError: at construction, when group, letter, number of free coordinates or of lattice parameters do not
            fit, a value is out of range, or a position without freedom is occupied twice.
    """

    space_group: int
    orbits: tuple[Orbit, ...]
    lattice: tuple[float, ...]

    def __post_init__(self) -> None:
        group = space_group(self.space_group)
        if len(self.lattice) != group.lattice_dof:
            raise InputError(
                f"space group {group.number} has the lattice parameters {', '.join(group.lattice_parameters)}, "
                f"found {len(self.lattice)} values"
            )
        for name, value in zip(group.lattice_parameters, self.lattice, strict=True):
            if not (0 < value < 180 if len(name) > 1 else 0 < value < math.inf):
                raise InputError(f"lattice parameter {name} cannot be {value}")
        if not self.orbits:
            raise InputError("a sequence needs at least one orbit")
        taken = set()
        for orbit in self.orbits:
            position = group.position(orbit.letter)
            _check_orbit(orbit, position.dof)
            if position.dof == 0 and orbit.letter in taken:
                raise InputError(f"position {orbit.letter} of space group {group.number} holds one atom only")
            taken.add(orbit.letter)

    @property
    def n_atoms(self) -> int:
        """Number of atoms in the primitive cell."""
        return sum(self.composition.values())

    @property
    def composition(self) -> dict[int, int]:
        """Atomic number → number of atoms in the primitive cell."""
        group = space_group(self.space_group)
        counts: Counter[int] = Counter()
        for orbit in self.orbits:
            counts[orbit.number] += group.position(orbit.letter).n_atoms
        return dict(counts)

    @property
    def skeleton(self) -> tuple[int, tuple[tuple[str, int], ...]]:
        """The discrete part: (space group, ((letter, atomic number), …)) in the order of the orbits."""
        return self.space_group, tuple((orbit.letter, orbit.number) for orbit in self.orbits)

    def distance(self, other: SymmetrySequence) -> float:
        """Largest difference between the continuous parts, infinite when the discrete parts differ.

        Coordinates count as fractions on the circle (0.999 is 0.002 from 0.001), lengths as parts of the longer one,
        angles as parts of 90 degrees.
        """
        if self.skeleton != other.skeleton:
            return math.inf
        names = space_group(self.space_group).lattice_parameters
        gaps = [
            abs(ours - theirs) / (90.0 if len(name) > 1 else max(ours, theirs))
            for name, ours, theirs in zip(names, self.lattice, other.lattice, strict=True)
        ]
        for mine, its in zip(self.orbits, other.orbits, strict=True):
            for ours, theirs in zip(mine.free, its.free, strict=True):
                gap = abs(ours - theirs)
                gaps.append(min(gap, 1.0 - gap))
        return max(gaps)


def letter_index(letter: str) -> int:
    """Place of a Wyckoff letter in its group's list, 0 for a."""
    return LETTERS.index(letter)


def _check_orbit(orbit: Orbit, dof: int) -> None:
    if not 1 <= orbit.number <= MAX_ATOMIC_NUMBER:
        raise InputError(f"atomic numbers lie in 1..{MAX_ATOMIC_NUMBER}, found {orbit.number}")
    if len(orbit.free) != dof:
        raise InputError(f"position {orbit.letter} has {dof} free coordinates, found {len(orbit.free)}")
    if any(not 0.0 <= value < 1.0 for value in orbit.free):
        raise InputError(f"free coordinates lie in [0, 1), found {orbit.free}")
