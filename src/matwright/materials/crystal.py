"""The crystal: a frozen value for ordered and disordered structures in any periodicity."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError

SiteOccupancy = tuple[tuple[int, float], ...]
"""(atomic number, occupancy) pairs of one site; occupancies in (0, 1], their sum at most 1."""

MAX_ATOMIC_NUMBER = 118


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crystal:
    """A periodic arrangement of atoms.

    Attributes:
        lattice: (3, 3) float64, rows are the cell vectors a, b, c in Å (right- or left-handed, volume > 0).
        frac_coords: (n_sites, 3) float64, fractional coordinates, wrapped into [0, 1) along periodic directions.
        numbers: (n_sites,) int64, atomic number of each site (of its majority element where the site is disordered).
        occupancies: None for an ordered crystal; else one `SiteOccupancy` a site.
        pbc: which of a, b, c are periodic; (True, True, False) is a layer.

    Raises:
        InputError: at construction, when a shape, a value (NaN, infinity), the volume or an occupancy is impossible.
    """

    lattice: NDArray[np.float64]
    frac_coords: NDArray[np.float64]
    numbers: NDArray[np.int64]
    occupancies: tuple[SiteOccupancy, ...] | None = None
    pbc: tuple[bool, bool, bool] = (True, True, True)

    def __post_init__(self) -> None:
        lattice = np.array(self.lattice, dtype=np.float64)
        coords = np.array(self.frac_coords, dtype=np.float64)
        numbers = np.array(self.numbers, dtype=np.int64)
        if lattice.shape != (3, 3):
            raise InputError(f"a lattice has shape (3, 3), found {lattice.shape}")
        if numbers.ndim != 1 or len(numbers) == 0:
            raise InputError(f"a crystal needs at least one site, found numbers of shape {numbers.shape}")
        if coords.shape != (len(numbers), 3):
            raise InputError(f"coordinates need shape ({len(numbers)}, 3), found {coords.shape}")
        if not np.isfinite(lattice).all() or not np.isfinite(coords).all():
            raise InputError("the lattice or a coordinate is not a finite number")
        if abs(np.linalg.det(lattice)) < 1e-3:
            raise InputError("the cell has no volume (its vectors are linearly dependent)")
        if numbers.min() < 1 or numbers.max() > MAX_ATOMIC_NUMBER:
            raise InputError(f"atomic numbers lie in 1..{MAX_ATOMIC_NUMBER}, found {numbers.min()}..{numbers.max()}")
        if self.occupancies is not None:
            _check_occupancies(self.occupancies, len(numbers))
        periodic = np.array(self.pbc)
        coords = np.where(periodic, coords - np.floor(coords), coords)
        coords = np.where(periodic & (coords >= 1.0), 0.0, coords)
        for name, array in (("lattice", lattice), ("frac_coords", coords), ("numbers", numbers)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def is_ordered(self) -> bool:
        """Whether every site holds exactly one element at occupancy 1."""
        return self.occupancies is None

    @property
    def volume(self) -> float:
        """Cell volume in Å³."""
        return float(abs(np.linalg.det(self.lattice)))

    @property
    def cart_coords(self) -> NDArray[np.float64]:
        """(n_sites, 3) Cartesian coordinates in Å."""
        return self.frac_coords @ self.lattice

    def content_hash(self) -> str:
        """A hex digest of the exact stored numbers (not of the symmetry-equivalent class)."""
        digest = hashlib.sha256()
        for array in (self.lattice, self.frac_coords, self.numbers):
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(repr((self.occupancies, self.pbc)).encode())
        return digest.hexdigest()


def _check_occupancies(occupancies: tuple[SiteOccupancy, ...], n_sites: int) -> None:
    if len(occupancies) != n_sites:
        raise InputError(f"{n_sites} sites need {n_sites} occupancies, found {len(occupancies)}")
    for site in occupancies:
        total = sum(share for _, share in site)
        if not site or any(not 0 < share <= 1 for _, share in site) or total > 1 + 1e-6:
            raise InputError(f"occupancies of a site lie in (0, 1] and sum to at most 1, found {site}")
