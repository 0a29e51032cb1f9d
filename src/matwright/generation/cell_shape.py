"""The free lattice parameters as six standardised numbers: volume relative to its elements, axis ratios, angles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.generation.wyckoff.tables import lattice_parameters

SHAPE_NAMES = ("log_volume", "log_b_over_a", "log_c_over_a", "alpha", "beta", "gamma")
_SIX = ("a", "b", "c", "alpha", "beta", "gamma")
Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CellScaling:
    """What turns raw cell shapes into standardised ones.

    Attributes:
        volumes: (119,) Å³ an atom of each element takes on average; index 0 is unused.
        mean, std: (6,) of log(volume / sum of the elements' volumes), log b/a, log c/a and the angles in degrees.
    """

    volumes: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def standardise(self, raw: Floats) -> Floats:
        """(n, 6) raw to standardised."""
        return np.asarray((raw - np.array(self.mean)) / np.array(self.std))

    def restore(self, standard: Floats) -> Floats:
        """(n, 6) standardised to raw."""
        return np.asarray(standard * np.array(self.std) + np.array(self.mean))


def full_parameters(group: int, free: tuple[float, ...]) -> tuple[float, ...]:
    """a, b, c (Å), α, β, γ (degrees) of the conventional cell from the free parameters of the group."""
    known = dict(zip(lattice_parameters(group), free, strict=True))
    a = known["a"]
    gamma = 120.0 if 143 <= group <= 194 else 90.0
    angles = (known.get("alpha", 90.0), known.get("beta", 90.0), known.get("gamma", gamma))
    return (a, known.get("b", a), known.get("c", a), *angles)


def unit_volume(alpha: Floats, beta: Floats, gamma: Floats) -> Floats:
    """V / (a b c) of cells with these angles in degrees; NaN where the angles close no cell."""
    ca, cb, cg = np.cos(np.radians(alpha)), np.cos(np.radians(beta)), np.cos(np.radians(gamma))
    square = 1 - ca**2 - cb**2 - cg**2 + 2 * ca * cb * cg
    return np.sqrt(np.where(square > 1e-4, square, np.nan))


def raw_shape(group: int, free: tuple[float, ...], expected_volume: float) -> Floats:
    """(6,) raw shape of a conventional cell whose elements' volumes add up to `expected_volume` Å³."""
    a, b, c, alpha, beta, gamma = full_parameters(group, free)
    volume = a * b * c * unit_volume(np.array(alpha), np.array(beta), np.array(gamma))
    return np.array([np.log(volume / expected_volume), np.log(b / a), np.log(c / a), alpha, beta, gamma])


def cell_parameters(
    groups: NDArray[np.int64], raw: Floats, expected_volume: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    """Conventional cells of each group from raw shapes (n, 6) and expected conventional volumes (n,) in Å³.

    Returns:
        (n, 6) a, b, c (Å), α, β, γ (degrees), and (n,) whether the shape closes a cell: angles that can meet, between
        20 and 160 degrees.
    """
    hexagonal = (groups >= 143) & (groups <= 194)
    log_b = np.where(groups < 75, raw[:, 1], 0.0)
    log_c = np.where(groups < 195, raw[:, 2], 0.0)
    alpha = np.where(groups < 3, raw[:, 3], 90.0)
    beta = np.where(groups < 16, raw[:, 4], 90.0)
    gamma = np.where(groups < 3, raw[:, 5], np.where(hexagonal, 120.0, 90.0))
    volume = expected_volume * np.exp(raw[:, 0])
    a = np.cbrt(volume / (np.exp(log_b + log_c) * unit_volume(alpha, beta, gamma)))
    cells = np.stack([a, a * np.exp(log_b), a * np.exp(log_c), alpha, beta, gamma], axis=1)
    closed = np.isfinite(a) & (cells[:, 3:] > 20).all(1) & (cells[:, 3:] < 160).all(1)
    return cells, closed


def free_parameters(groups: NDArray[np.int64], raw: Floats, expected_volume: Floats) -> list[tuple[float, ...] | None]:
    """Free lattice parameters of each group; arguments as `cell_parameters`, None where the shape closes no cell."""
    cells, closed = cell_parameters(groups, raw, expected_volume)
    return [
        tuple(float(cells[i, _SIX.index(name)]) for name in lattice_parameters(int(group))) if closed[i] else None
        for i, group in enumerate(groups)
    ]


def fit_volumes(compositions: list[dict[int, int]], volumes: Floats, *, ridge: float = 1.0) -> tuple[float, ...]:
    """(119,) Å³ per atom of each element by ridge regression of relative volume errors.

    Args:
        compositions: atomic number → atoms of the primitive cell, one a crystal.
        volumes: (n,) Å³ of the primitive cells.
        ridge: strength of the pull towards the mean volume per atom, in crystals.
    """
    counts = np.zeros((len(compositions), 119))
    for row, composition in enumerate(compositions):
        for number, count in composition.items():
            counts[row, number] = count
    scaled = counts / volumes[:, None]  # every crystal counts the same: Σ count·v / V = 1
    typical = float(np.median(volumes / counts.sum(1)))
    weight = ridge / typical**2
    solution = np.linalg.solve(
        scaled.T @ scaled + weight * np.eye(119), scaled.T @ np.ones(len(volumes)) + weight * typical
    )
    return tuple(float(v) for v in np.maximum(solution, 2.0))
