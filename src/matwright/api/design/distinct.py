"""Whether a candidate is the same structure as one that was seen before in this run.

Structures are compared by pymatgen's StructureMatcher (default tolerances, primitive cells), and only where formula,
space group and orbits agree. In a crowded group (a fixed formula) a candidate is compared with the nearest few of it,
in the order of a cheap fingerprint, so that the cost per candidate stays bounded.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from matwright.api.design.describe import formula_of
from matwright.errors import CalculationError
from matwright.materials.crystal import Crystal
from matwright.materials.symmetry import site_symmetry

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

SYMPREC = 0.1
"""Å; loose, since neither generated nor relaxed crystals are exact."""
MOST_COMPARED = 6
"""Structures of one group that a candidate is compared with, nearest fingerprint first."""
_NEIGHBOURS = 8

Group = tuple[str, int, tuple[tuple[int, int], ...]]


@final
class Seen:
    """The structures seen so far, grouped; the first of its kind stands for all that follow."""

    def __init__(self) -> None:
        from pymatgen.analysis.structure_matcher import StructureMatcher  # heavy: behind its door

        self._matcher = StructureMatcher()
        self._groups: dict[Group, list[tuple[str, NDArray[np.float64], Structure]]] = {}

    def twin(self, crystal: Crystal, group: Group) -> str | None:
        """The id of a structure seen before that is the same, or None."""
        from matwright.materials.interop import to_pymatgen

        seen = self._groups.get(group, [])
        if not seen:
            return None
        own = fingerprint(crystal)
        nearest = sorted(seen, key=lambda entry: float(np.abs(entry[1] - own).max()))[:MOST_COMPARED]
        structure = to_pymatgen(crystal)
        return next((identity for identity, _, other in nearest if self._matcher.fit(structure, other)), None)

    def add(self, identity: str, crystal: Crystal, group: Group) -> None:
        """Remember a structure."""
        from matwright.materials.interop import to_pymatgen

        self._groups.setdefault(group, []).append((identity, fingerprint(crystal), to_pymatgen(crystal)))


def group_of(crystal: Crystal) -> Group:
    """(reduced formula, space group, (atomic number, orbit size) of every orbit per formula unit, sorted).

    Where no symmetry can be found the space group is 0.
    """
    formula = formula_of(crystal)
    try:
        symmetry = site_symmetry(crystal, SYMPREC)
    except CalculationError:
        return formula, 0, ()
    sizes = Counter(int(orbit) for orbit in symmetry.orbits)
    shares = sorted((int(crystal.numbers[orbit]), round(size * 10080 / len(crystal))) for orbit, size in sizes.items())
    return formula, symmetry.number, tuple(shares)


def fingerprint(crystal: Crystal) -> NDArray[np.float64]:
    """(8,) sorted mean distances to the first neighbours, on the scale of the cell's volume per atom (no unit).

    It does not depend on the cell chosen, on the origin or on the order of atoms.
    """
    shifts = np.stack(np.meshgrid(*3 * [np.arange(-2, 3)], indexing="ij"), axis=-1).reshape(-1, 3)
    difference = crystal.frac_coords[:, None] - crystal.frac_coords[None]
    difference -= np.rint(difference)
    vectors = (difference[:, :, None, :] + shifts) @ crystal.lattice
    distances = np.sort(np.linalg.norm(vectors, axis=-1).reshape(len(crystal), -1), axis=1)
    nearest = distances[:, 1 : 1 + _NEIGHBOURS].mean(axis=0)  # column 0 is the atom itself
    return np.asarray(nearest / np.cbrt(crystal.volume / len(crystal)))
