"""How much of each phase a pattern holds: non-negative least squares on whole profiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.physics.diffraction.axis import AxisPattern
from matwright.physics.diffraction.comparison import background_basis


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhaseAmounts:
    """Amounts of n phases; fractions sum to 1 (all 0 where nothing was found).

    Attributes:
        amount: (n,) factor of each profile, at least 0: relative volumes, where a profile is that of one unit of
            volume of its phase.
        weight: (n,) weight fractions among the phases given, from amount · density. Hill and Howard (1987), with
            microabsorption, texture and Debye-Waller factors left out.
        scattering: (n,) shares of the diffracted intensity.
        std: (n,) standard uncertainty of `weight` from the scatter of the pattern alone.
        explained: share of the pattern's sum of squares that all phases and a smooth background explain.
    """

    amount: NDArray[np.float64]
    weight: NDArray[np.float64]
    scattering: NDArray[np.float64]
    std: NDArray[np.float64]
    explained: float


def phase_amounts(
    pattern: AxisPattern,
    profiles: NDArray[np.float64],
    densities: NDArray[np.float64],
    background_order: int = 6,
) -> PhaseAmounts:
    """Return the amounts x >= 0 that bring Σ x_p profile_p nearest to the pattern, a smooth background left free.

    Args:
        pattern: its background subtracted (what is left of it is fitted).
        profiles: (n_phases, N_POINTS) fitted profiles on the common axis, each for one unit of volume of its phase.
        densities: (n_phases,) g/cm³.
        background_order: highest Chebyshev polynomial that counts as background.
    """
    from scipy.optimize import nnls  # heavy: behind its door

    part = slice(pattern.first, pattern.last)
    basis = background_basis(pattern.first, pattern.last, background_order)
    measured, design = _without(basis, pattern.intensity[part]), _without(basis, profiles[:, part].T)
    scale = np.maximum(np.linalg.norm(design, axis=0), 1e-30)
    found, misfit = nnls(design / scale, measured)
    amount = found / scale
    total = float(measured @ measured)
    weight = _shares(amount * densities)
    return PhaseAmounts(
        amount=amount,
        weight=weight,
        scattering=_shares(amount * profiles[:, part].sum(axis=1)),
        std=_weight_std(design, densities, amount, misfit**2 / max(len(measured) - len(amount), 1)),
        explained=1.0 - misfit**2 / total if total > 0 else 0.0,
    )


def _without(basis: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values - basis @ (basis.T @ values))


def _shares(values: NDArray[np.float64]) -> NDArray[np.float64]:
    total = values.sum()
    return values / total if total > 0 else np.zeros_like(values)


def _weight_std(
    design: NDArray[np.float64], densities: NDArray[np.float64], amount: NDArray[np.float64], variance: float
) -> NDArray[np.float64]:
    """(n,) by the propagation of the least-squares covariance of the amounts above zero."""
    result = np.zeros(len(amount))
    present = np.flatnonzero(amount > 0)
    if len(present) == 0:
        return result
    some = design[:, present]
    covariance = variance * np.linalg.pinv(some.T @ some)
    mass = amount[present] * densities[present]
    share = mass / mass.sum()
    jacobian = (np.eye(len(present)) - share[:, None]) * densities[present] / mass.sum()  # d share_i / d amount_j
    result[present] = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", jacobian, covariance, jacobian), 0.0))
    return result
