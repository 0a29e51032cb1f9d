"""Symmetry of a crystal through moyopy: space group, Wyckoff letters, standard primitive cell, prototype."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import CalculationError, InputError
from matwright.materials.crystal import Crystal, SiteOccupancy
from matwright.materials.silence import quiet_stderr

if TYPE_CHECKING:
    from moyopy import MoyoDataset

SYMPREC = 1e-2
"""Å; the tolerance within which atoms count as equivalent unless a caller says otherwise."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSymmetry:
    """What the symmetry search says of a crystal, site by site.

    Attributes:
        number: international space-group number 1..230.
        wyckoffs: (n_sites) Wyckoff letters of the input's sites, in the standard setting.
        orbits: (n_sites,) index of the first symmetry-equivalent site of the input cell.
        symprec: the tolerance in Å that the search ended with.
    """

    number: int
    wyckoffs: tuple[str, ...]
    orbits: NDArray[np.int64]
    symprec: float


def site_symmetry(crystal: Crystal, symprec: float = SYMPREC) -> SiteSymmetry:
    """Space group and Wyckoff letters of a crystal that is periodic in three directions.

    Raises:
        InputError: the crystal is a layer or chain.
        CalculationError: no symmetry could be found at this tolerance.
    """
    found = _dataset(crystal, symprec)
    return SiteSymmetry(
        number=found.number,
        wyckoffs=tuple(found.wyckoffs),
        orbits=np.array(found.orbits, dtype=np.int64),
        symprec=found.symprec,
    )


def point_rotations(crystal: Crystal, symprec: float = SYMPREC) -> NDArray[np.float64]:
    """(n_rotations, 3, 3) rotations of the point group that act on Cartesian columns; errors as in `site_symmetry`."""
    found = np.unique(np.array(_dataset(crystal, symprec).operations.rotations, dtype=np.int64), axis=0)
    cell = crystal.lattice.T  # columns are a, b, c
    rotations: NDArray[np.float64] = cell @ found @ np.linalg.inv(cell)
    return rotations


def standard_primitive(crystal: Crystal, symprec: float = SYMPREC) -> Crystal:
    """The standardised, symmetrised primitive cell; errors as in `site_symmetry`."""
    cell = _dataset(crystal, symprec).prim_std_cell
    labels, kinds = _site_labels(crystal)
    number_of = {label: int(number) for label, number in zip(labels, crystal.numbers, strict=True)}
    return Crystal(
        lattice=np.array(cell.basis),
        frac_coords=np.array(cell.positions),
        numbers=np.array([number_of[label] for label in cell.numbers]),
        occupancies=None if crystal.is_ordered else tuple(kinds[label] for label in cell.numbers),
    )


def prototype_key(crystal: Crystal, symprec: float = SYMPREC) -> str:
    """Space group and, element by element, the Wyckoff letters occupied: "225:a|b" for rock salt of any elements.

    Two crystals share the key when they share space group, Wyckoff sequence and anonymised formula. The letters are the
    smallest among the equivalent choices of origin (Euclidean normaliser), so the key does not depend on that choice.
    Errors as in `site_symmetry`.
    """
    found = _dataset(crystal, symprec)
    elements = found.std_cell.numbers
    with quiet_stderr():
        sequences = found.normalizer_wyckoff_positions().coset_representatives
    keys = []
    for _, sequence in sequences:
        occupied: dict[int, Counter[str]] = {}
        for element, position in zip(elements, sequence, strict=True):
            occupied.setdefault(element, Counter())[position.letter] += 1
        multiplicity = {position.letter: position.multiplicity for position in sequence}
        keys.append("|".join(sorted(_letters(counts, multiplicity) for counts in occupied.values())))
    return f"{found.number}:{min(keys)}"


def _letters(counts: Counter[str], multiplicity: dict[str, int]) -> str:
    """One letter an orbit, "aab" for two orbits on a and one on b."""
    return "".join(letter * (counts[letter] // multiplicity[letter]) for letter in sorted(counts))


def _dataset(crystal: Crystal, symprec: float) -> MoyoDataset:
    from moyopy import Cell, MoyoDataset  # heavy: behind its door

    if not all(crystal.pbc):
        raise InputError(f"space groups need a crystal periodic in three directions, found pbc {crystal.pbc}")
    labels, _ = _site_labels(crystal)
    cell = Cell(crystal.lattice.tolist(), crystal.frac_coords.tolist(), labels)
    try:
        with quiet_stderr():
            return MoyoDataset(cell, symprec=symprec)
    except (ValueError, RuntimeError) as problem:
        raise CalculationError(f"no symmetry found at {symprec} Å: {problem}") from problem


def _site_labels(crystal: Crystal) -> tuple[list[int], dict[int, SiteOccupancy]]:
    """One whole number for each kind of site (element, or mixture of elements), and what each number stands for."""
    if crystal.occupancies is None:
        return [int(number) for number in crystal.numbers], {}
    kinds: dict[SiteOccupancy, int] = {}
    labels = [
        kinds.setdefault(tuple((number, round(share, 4)) for number, share in site), len(kinds) + 1)
        for site in crystal.occupancies
    ]
    return labels, {label: kind for kind, label in kinds.items()}
