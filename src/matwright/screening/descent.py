"""One crystal's descent to its nearest minimum: positions and cell together, quasi-Newton with a trust radius.

Coordinates are the fractional positions times the cell they started in, plus a symmetric strain taken step by step
(the cell after a step is L exp(Δε)), so that a step never rotates the crystal and keeps its symmetry. The strain is
scaled by √n Å so that its curvature is that of a bond, V B / n ≈ 10 eV/Å².
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import CalculationError
from matwright.materials.crystal import Crystal
from matwright.screening.potential import PointResult

CURVATURE = 30.0
"""eV/Å², first guess of every eigenvalue of the Hessian."""
LONGEST_MOVE = 0.20
"""Å, first limit on the move of one atom (and on √n times the strain) in one step."""
MOST_RETREATS = 3
"""How often a step without an answer is taken back before the crystal is given up."""
_SHORTEST_MOVE = 0.005
_LARGEST_STRAIN = 0.10
_VOLUME_PER_ATOM = (1.5, 400.0)
_VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@final
class Descent:
    """State of one relaxation; `advance` takes the result at the present crystal and moves to the next one."""

    def __init__(self, crystal: Crystal, *, cell: bool = True) -> None:
        self.crystal = crystal
        self._cell = cell
        self.steps = 0
        self._scale = float(np.sqrt(len(crystal)))
        size = 3 * len(crystal) + 6
        self._hessian = np.eye(size) * CURVATURE
        self._limit = LONGEST_MOVE
        self._last: tuple[float, NDArray[np.float64], NDArray[np.float64]] | None = None
        self._origin = crystal
        self._retreats = 0

    def advance(self, result: PointResult) -> None:
        """Move to the next crystal.

        Raises:
            CalculationError: when the cell collapses or bursts.
        """
        gradient = self._gradient(result)
        if self._last is not None:
            energy, before, step = self._last
            self._learn(step, gradient - before)
            self._trust(result.energy - energy)
        step = self._newton(gradient)
        self._last = (result.energy, gradient, step)
        self._origin, self.crystal = self.crystal, self._moved(step)
        self.steps += 1

    def retreat(self) -> bool:
        """Go back to where the last step began, forget the curvature and move less; False when that is used up.

        A step can end where the potential has no answer, for instance with two atoms in one place.
        """
        if self._last is None or self._retreats == MOST_RETREATS:
            return False
        self.crystal = self._origin
        self._hessian = np.eye(len(self._hessian)) * CURVATURE
        self._limit = max(self._limit / 4, _SHORTEST_MOVE)
        self._last = None
        self._retreats += 1
        return True

    def _gradient(self, result: PointResult) -> NDArray[np.float64]:
        """(3 n + 6,) dE/dx in eV/Å: positions, then the scaled strain in Voigt order (off-diagonal ones times √2)."""
        strain_slope = result.stress * self.crystal.volume / self._scale * self._cell  # no slope, no strain
        voigt = [strain_slope[i, j] * (1.0 if i == j else np.sqrt(2.0)) for i, j in _VOIGT]
        gradient: NDArray[np.float64] = np.concatenate([-result.forces.ravel(), voigt])
        return gradient

    def _learn(self, step: NDArray[np.float64], change: NDArray[np.float64]) -> None:
        """BFGS update of the Hessian; a pair without positive curvature is damped (Powell 1978)."""
        product = self._hessian @ step
        along = float(step @ product)
        curvature = float(step @ change)
        if along < 1e-12:
            return
        if curvature < 0.2 * along:
            mix = 0.8 * along / (along - curvature)
            change = mix * change + (1.0 - mix) * product
            curvature = 0.2 * along
        self._hessian += np.outer(change, change) / curvature - np.outer(product, product) / along

    def _trust(self, rise: float) -> None:
        """Shorten the longest move where the energy rose by more than 1 meV/atom, lengthen it again where it fell."""
        if rise > 1e-3 * len(self.crystal):
            self._limit = max(self._limit / 2, _SHORTEST_MOVE)
        elif rise < 0.0:
            self._limit = min(self._limit * 1.2, LONGEST_MOVE)

    def _newton(self, gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        step = -np.asarray(np.linalg.solve(self._hessian, gradient), dtype=np.float64)
        longest = float(np.sqrt((step.reshape(-1, 3) ** 2).sum(axis=1).max()))
        return step * min(1.0, self._limit / max(longest, 1e-12))

    def _moved(self, step: NDArray[np.float64]) -> Crystal:
        moves, voigt = step[:-6].reshape(-1, 3), step[-6:] / self._scale
        strain = np.zeros((3, 3))
        for value, (i, j) in zip(voigt, _VOIGT, strict=True):
            strain[i, j] = strain[j, i] = value / (1.0 if i == j else np.sqrt(2.0))
        values, axes = np.linalg.eigh(strain)
        values = np.clip(values, -_LARGEST_STRAIN, _LARGEST_STRAIN)
        old = self.crystal
        lattice = old.lattice @ (axes * np.exp(values)) @ axes.T
        fractional = old.frac_coords + moves @ np.linalg.inv(old.lattice)
        volume = abs(float(np.linalg.det(lattice))) / len(old)
        if not _VOLUME_PER_ATOM[0] <= volume <= _VOLUME_PER_ATOM[1]:
            raise CalculationError(f"the cell went to {volume:.1f} Å³ per atom")
        return Crystal(lattice=lattice, frac_coords=fractional, numbers=old.numbers, pbc=old.pbc)
