"""The reflections of a crystal: where its reciprocal lattice scatters and how strongly (kinematic theory)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import CalculationError, InputError
from matwright.materials.crystal import Crystal
from matwright.materials.symmetry import point_rotations
from matwright.physics.diffraction.radiation import scattering_factors

G_MAX = 0.93
"""1/Å; reflections with planes nearer than 1.075 Å are left out unless a caller wants more (2θ = 91.6° for CuKa)."""

WEAKEST = 1e-4
"""Reflections below this share of the strongest one are dropped unless a caller wants them."""

_PHASES_AT_ONCE = 1 << 20
_SAME_LENGTH, _SAME_RESPONSE = 1e-5, 1e-3  # reflections equal to these tolerances move together under any strain
_SQRT2 = np.sqrt(2.0)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reflections:
    """Symmetry-equivalent reflections as one entry, ascending in |g|.

    Attributes:
        g: (n,) float64, |g| = 1/d in 1/Å, without a factor 2π.
        strength: (n,) float64, multiplicity · |F|² in electrons² for one unit cell.
        response: (n, 6) float64, how ln|g| answers a strain that keeps the symmetry: d ln|g| = -response · strain in
            Mandel order (xx, yy, zz, √2 yz, √2 xz, √2 xy).
        volume: Å³ of the cell that `strength` belongs to.
    """

    g: NDArray[np.float64]
    strength: NDArray[np.float64]
    response: NDArray[np.float64]
    volume: float

    def __len__(self) -> int:
        return len(self.g)


def reflections(crystal: Crystal, g_max: float = G_MAX, weakest: float = WEAKEST) -> Reflections:
    """Return what a crystal reflects up to `g_max`.

    F(g) = Σ_j o_j f_j(|g|/2) exp(2πi g·r_j) with occupancies o_j, atoms at rest (no Debye-Waller factor), real f_j.

    Args:
        crystal: ordered or disordered, periodic in three directions.
        g_max: 1/Å, largest |g| = 2 sin θ / λ.
        weakest: share of the strongest strength·|g|⁻², about the strongest peak, below which a reflection is dropped.

    Raises:
        InputError: a layer or molecule, an element without scattering factors, or no reflection within `g_max`.
    """
    if not all(crystal.pbc):
        raise InputError(f"a powder pattern needs a crystal periodic in three directions, found pbc {crystal.pbc}")
    hkl = _half_sphere(crystal.lattice, g_max)
    if len(hkl) == 0:
        raise InputError(f"the crystal has no reflection with |g| up to {g_max:g} 1/Å")
    vectors = hkl @ np.linalg.inv(crystal.lattice).T
    g = np.linalg.norm(vectors, axis=1)
    strength = 2.0 * np.abs(_structure_factors(crystal, hkl, g)) ** 2  # 2: the half space left out
    peak = strength / (g * g)
    kept = peak > weakest * peak.max()
    response = mandel_squares(vectors[kept] / g[kept, None]) @ _symmetric_projector(crystal).T
    return _merged(g[kept], strength[kept], response, crystal.volume)


def mandel_squares(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 6) tensors u uᵀ of unit vectors (n, 3), in Mandel order, so that a dot product is a double contraction."""
    x, y, z = directions.T
    return np.stack([x * x, y * y, z * z, _SQRT2 * y * z, _SQRT2 * x * z, _SQRT2 * x * y], axis=1)


def _half_sphere(lattice: NDArray[np.float64], g_max: float) -> NDArray[np.int64]:
    """(n, 3) indices of the reciprocal points with 0 < |g| <= g_max, one of each Friedel pair."""
    most = np.floor(np.linalg.norm(lattice, axis=1) * g_max + 1e-9).astype(int)
    ranges = (np.arange(0, most[0] + 1), *(np.arange(-n, n + 1) for n in most[1:]))
    hkl = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3)
    h, k, ell = hkl.T
    hkl = hkl[(h > 0) | (k > 0) | ((k == 0) & (ell > 0))]
    length = np.linalg.norm(hkl @ np.linalg.inv(lattice).T, axis=1)
    return np.asarray(hkl[length <= g_max], dtype=np.int64)


def _structure_factors(crystal: Crystal, hkl: NDArray[np.int64], g: NDArray[np.float64]) -> NDArray[np.complex128]:
    """(n,) F(g) in electrons, in pieces of bounded memory."""
    sites, numbers, shares = _scatterers(crystal)
    elements, element_of = np.unique(numbers, return_inverse=True)
    weights = np.zeros((len(crystal), len(elements)))
    np.add.at(weights, (sites, element_of), shares)
    result = np.empty(len(hkl), dtype=np.complex128)
    step = max(1, _PHASES_AT_ONCE // len(crystal))
    for start in range(0, len(hkl), step):
        part = slice(start, start + step)
        angle = 2 * np.pi * (hkl[part] @ crystal.frac_coords.T)
        sums = np.cos(angle) @ weights + 1j * (np.sin(angle) @ weights)  # (n_part, n_elements)
        result[part] = np.einsum("ge,eg->g", sums, scattering_factors(elements, g[part] / 2))
    return result


def _scatterers(crystal: Crystal) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """(site, atomic number, occupancy) of everything that scatters."""
    if crystal.occupancies is None:
        return np.arange(len(crystal)), crystal.numbers, np.ones(len(crystal))
    rows = [(site, number, share) for site, held in enumerate(crystal.occupancies) for number, share in held]
    sites, numbers, shares = zip(*rows, strict=True)
    return np.array(sites), np.array(numbers), np.array(shares, dtype=np.float64)


def _symmetric_projector(crystal: Crystal) -> NDArray[np.float64]:
    """(6, 6) mean over the point group of the rotation of tensors in Mandel order; the identity without symmetry."""
    try:
        rotations = point_rotations(crystal)
    except CalculationError:  # no symmetry found: every strain is allowed
        return np.eye(6)
    basis = np.eye(6)
    basis[3:] /= _SQRT2
    xx, yy, zz, yz, xz, xy = basis
    tensors = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]).transpose(2, 0, 1)  # tensor i is Mandel unit i
    turned = np.einsum("rab,ibc,rdc->iad", rotations, tensors, rotations) / len(rotations)
    a, b, c = (turned[:, i, i] for i in range(3))
    off = [_SQRT2 * turned[:, i, j] for i, j in ((1, 2), (0, 2), (0, 1))]
    return np.stack([a, b, c, *off])  # column i is the image of unit i


def _merged(
    g: NDArray[np.float64], strength: NDArray[np.float64], response: NDArray[np.float64], volume: float
) -> Reflections:
    """Reflections of equal length and equal response as one."""
    keys = np.column_stack([np.rint(np.log(g) / _SAME_LENGTH), np.rint(response / _SAME_RESPONSE)])
    _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    sums = np.asarray(np.bincount(group.ravel(), weights=strength), dtype=np.float64)
    order = np.argsort(g[first], kind="stable")
    return Reflections(g=g[first][order], strength=sums[order], response=response[first][order], volume=volume)
