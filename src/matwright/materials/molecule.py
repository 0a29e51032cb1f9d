"""The molecule: atoms in space without periodicity."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.elements import MAX_ATOMIC_NUMBER
from matwright.errors import InputError
from matwright.materials.formula import formula_text
from matwright.materials.overlap import MIN_DISTANCE

Bond = tuple[int, int, float]
"""(atom, atom, bond order), atoms counted from 0, the first below the second."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Molecule:
    """Atoms with Cartesian coordinates.

    Attributes:
        numbers: (n_atoms,) int64 atomic numbers.
        coords: (n_atoms, 3) float64, Å.
        bonds: bonds with their order, None where they are not known.
        charge: total charge in units of e.

    Raises:
        InputError: at construction, when a shape or value is impossible, two atoms are nearer than 0.5 Å, or a bond
            names atoms that do not exist.
    """

    numbers: NDArray[np.int64]
    coords: NDArray[np.float64]
    bonds: tuple[Bond, ...] | None = None
    charge: int = 0

    def __post_init__(self) -> None:
        numbers = np.array(self.numbers, dtype=np.int64)
        coords = np.array(self.coords, dtype=np.float64)
        if numbers.ndim != 1 or len(numbers) == 0:
            raise InputError(f"a molecule needs at least one atom, found numbers of shape {numbers.shape}")
        if coords.shape != (len(numbers), 3):
            raise InputError(f"coordinates need shape ({len(numbers)}, 3), found {coords.shape}")
        if not np.isfinite(coords).all():
            raise InputError("a coordinate is not a finite number")
        if numbers.min() < 1 or numbers.max() > MAX_ATOMIC_NUMBER:
            raise InputError(f"atomic numbers lie in 1..{MAX_ATOMIC_NUMBER}, found {numbers.min()}..{numbers.max()}")
        _check_distances(coords)
        if self.bonds is not None:
            object.__setattr__(self, "bonds", _ordered_bonds(self.bonds, len(numbers)))
        for name, array in (("numbers", numbers), ("coords", coords)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def formula(self) -> str:
        """The formula of the molecule, not reduced: "C2H4" is written as "H4C2" (by rising electronegativity)."""
        numbers, counts = np.unique(self.numbers, return_counts=True)
        return formula_text(dict(zip(numbers.tolist(), counts.tolist(), strict=True)), reduce=False)

    def content_hash(self) -> str:
        """A hex digest of the exact stored numbers."""
        digest = hashlib.sha256(b"molecule")
        for array in (self.numbers, self.coords):
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(repr((self.bonds, self.charge)).encode())
        return digest.hexdigest()


def _check_distances(coords: NDArray[np.float64]) -> None:
    distances = np.linalg.norm(coords[:, None] - coords[None, :], axis=-1)
    np.fill_diagonal(distances, np.inf)
    if distances.min() < MIN_DISTANCE:
        first, second = np.unravel_index(np.argmin(distances), distances.shape)
        raise InputError(
            f"atoms {first + 1} and {second + 1} overlap: {distances.min():.3f} Å apart, the least is {MIN_DISTANCE} Å"
        )


def _ordered_bonds(bonds: tuple[Bond, ...], n_atoms: int) -> tuple[Bond, ...]:
    for first, second, order in bonds:
        if first == second or not (0 <= first < n_atoms and 0 <= second < n_atoms):
            raise InputError(f"a bond joins two different atoms of 0..{n_atoms - 1}, found {first} and {second}")
        if not 0 < order <= 4:
            raise InputError(f"a bond order lies in (0, 4], found {order}")
    ordered = tuple(sorted((min(a, b), max(a, b), float(order)) for a, b, order in bonds))
    if len({bond[:2] for bond in ordered}) != len(ordered):
        raise InputError("a bond is named twice")
    return ordered
