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
        amount: (n,) at least 0: relative volumes, where a profile is that of one unit of volume of its phase.
        weight: (n,) weight fractions among the phases given, from amount · density. Hill and Howard (1987), with
            microabsorption, texture and Debye-Waller factors left out.
        scattering: (n,) shares of the diffracted intensity.
        std: (n,) standard uncertainty of `weight` from the scatter of the pattern alone.
        explained: share of the pattern's sum of squares that all phases and a smooth background explain.
        contributions: (n, N_POINTS) what each phase adds to the pattern.
    """

    amount: NDArray[np.float64]
    weight: NDArray[np.float64]
    scattering: NDArray[np.float64]
    std: NDArray[np.float64]
    explained: float
    contributions: NDArray[np.float64]


def phase_amounts(
    pattern: AxisPattern,
    profiles: NDArray[np.float64],
    densities: NDArray[np.float64],
    background_order: int = 6,
) -> PhaseAmounts:
    """Return the amounts x >= 0 that bring Σ x_ps profile_ps nearest to the pattern, a smooth background left free.

    Each phase comes in several shapes (widths), whose amounts add up: a sum of shapes follows peaks of any form.

    Args:
        pattern: its background subtracted (what is left of it is fitted).
        profiles: (n_phases, n_shapes, N_POINTS) fitted profiles on the common axis, each for one unit of volume.
        densities: (n_phases,) g/cm³.
        background_order: highest Chebyshev polynomial that counts as background.
    """
    from scipy.optimize import nnls  # heavy: behind its door

    part = slice(pattern.first, pattern.last)
    basis = background_basis(pattern.first, pattern.last, background_order)
    n_phases, n_shapes = profiles.shape[:2]
    columns = profiles[:, :, part].reshape(n_phases * n_shapes, -1).T
    measured, design = _without(basis, pattern.intensity[part]), _without(basis, columns)
    scale = np.maximum(np.linalg.norm(design, axis=0), 1e-30)
    found, misfit = nnls(design / scale, measured)
    single = (found / scale).reshape(n_phases, n_shapes)
    amount = single.sum(axis=1)
    total = float(measured @ measured)
    return PhaseAmounts(
        amount=amount,
        weight=_shares(amount * densities),
        scattering=_shares((columns.sum(axis=0) * single.ravel()).reshape(n_phases, n_shapes).sum(axis=1)),
        std=_weight_std(design, densities, single, misfit**2 / max(len(measured) - np.count_nonzero(found), 1)),
        explained=1.0 - misfit**2 / total if total > 0 else 0.0,
        contributions=np.einsum("ps,psn->pn", single, profiles),
    )


def _without(basis: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values - basis @ (basis.T @ values))


def _shares(values: NDArray[np.float64]) -> NDArray[np.float64]:
    total = values.sum()
    return values / total if total > 0 else np.zeros_like(values)


def _weight_std(
    design: NDArray[np.float64], densities: NDArray[np.float64], single: NDArray[np.float64], variance: float
) -> NDArray[np.float64]:
    """(n_phases,) by the propagation of the least-squares covariance of the amounts (n_phases, n_shapes) above zero."""
    present = np.flatnonzero(single.ravel() > 0)
    if len(present) == 0:
        return np.zeros(len(single))
    some = design[:, present]
    covariance = variance * np.linalg.pinv(some.T @ some)
    owner = present // single.shape[1]
    mass = single.sum(axis=1) * densities
    belongs = np.arange(len(single))[:, None] == owner
    jacobian = (belongs - (mass / mass.sum())[:, None]) * densities[owner] / mass.sum()  # d weight_p / d amount_j
    return np.asarray(np.sqrt(np.maximum(np.einsum("pj,jk,pk->p", jacobian, covariance, jacobian), 0.0)))
