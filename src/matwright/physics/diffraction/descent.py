"""Moves the peaks of many candidates onto those of a measured pattern: strain and zero shift by damped Newton steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from matwright.physics.diffraction.axis import FIRST, STEP, AxisPattern
from matwright.physics.diffraction.peaks import PeakTable
from matwright.physics.diffraction.profile import MARGIN, N_TRANSFORM, smoothed

_GRID_STEP = 0.0025  # of the isotropic strains that are looked at first
_DAMPING = 0.01  # of the mean curvature
_LONGEST = 1 / 3  # of the allowed range in one step


def isotropic_start(pattern: AxisPattern, peaks: PeakTable, blur: float, most: float) -> NDArray[np.float64]:
    """(n,) the isotropic strain of a grid in ±`most` that brings most of each candidate's area onto measured peaks."""
    blurred = smoothed(pattern.intensity, blur).astype(np.float32)
    grid = np.linspace(-most, most, 2 * round(most / _GRID_STEP) + 1)
    met = np.empty((len(grid), len(peaks)))
    strain, zero = np.zeros((len(peaks), 6)), np.zeros(len(peaks))
    for row, value in enumerate(grid):
        strain[:, :3] = value
        met[row] = np.einsum("np,np->n", peaks.area, _sampled(blurred, peaks.angles(strain, zero)))
    return np.asarray(grid[met.argmax(axis=0)])


def descend(
    pattern: AxisPattern,
    peaks: PeakTable,
    strain: NDArray[np.float64],
    zero: NDArray[np.float64],
    *,
    blur: float,
    steps: int,
    most: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Raise Σ area · blurred(2θ) of each candidate, from (strain, zero) on.

    The curvature is that of the blurred pattern where it is a maximum, and 0 elsewhere.

    Args:
        pattern: measured.
        peaks: of n candidates.
        strain: (n, 6) Mandel order.
        zero: (n,) zero shift in degrees.
        blur: full width at half maximum of the blur in degrees.
        steps: Newton steps.
        most: (7,) largest strain components and zero shift.
    """
    blurred = smoothed(pattern.intensity, blur)
    slope = np.gradient(blurred, STEP)
    bend = np.maximum(-np.gradient(slope, STEP), 0.0)
    derivatives = np.stack([slope, bend], axis=1).astype(np.float32)
    weight = peaks.area / np.maximum(np.linalg.norm(peaks.area, axis=1, keepdims=True), 1e-30)
    state = np.column_stack([strain, zero])
    jacobian = np.empty((*weight.shape, 7), np.float32)
    jacobian[:, :, 6] = 1.0 if most[6] > 0 else 0.0
    for _ in range(steps):
        angles = peaks.angles(state[:, :6], state[:, 6])
        half = np.radians(np.minimum(angles, 170.0) / 2.0)
        np.multiply(peaks.response, np.degrees(-2.0 * np.tan(half))[:, :, None], out=jacobian[:, :, :6])
        pulled, bent = np.moveaxis(_sampled(derivatives, angles), 2, 0) * weight
        force = np.matmul(pulled[:, None, :], jacobian)[:, 0]
        hessian = np.matmul((jacobian * bent[:, :, None]).transpose(0, 2, 1), jacobian)
        state = np.clip(state + _step(hessian.astype(np.float64), force.astype(np.float64), most), -most, most)
    return state[:, :6], state[:, 6]


def _step(hessian: NDArray[np.float64], force: NDArray[np.float64], most: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 7) damped Newton steps in units of `most`, each component at most `_LONGEST` of it."""
    scale = np.where(most > 0, most, 1.0)
    hessian = hessian * scale[:, None] * scale
    trace = np.trace(hessian, axis1=1, axis2=2)
    damped = hessian + (_DAMPING * trace + 1e-12)[:, None, None] * np.eye(len(most))
    step = np.linalg.solve(damped, (force * scale)[:, :, None])[:, :, 0]
    return np.asarray(np.clip(step, -_LONGEST, _LONGEST) * most)


def _sampled(values: NDArray[np.float32], angles: NDArray[np.float32]) -> NDArray[np.float32]:
    """`values` (N_TRANSFORM, ...) on the grid with margins, at angles (n, n_peaks); the edge's value beyond."""
    place = np.clip((angles - np.float32(FIRST)) / np.float32(STEP) + np.float32(MARGIN), 0, N_TRANSFORM - 2)
    whole = place.astype(np.int32)
    share = place - whole
    low = values[whole]
    share = share.reshape(*share.shape, *([1] * (low.ndim - share.ndim)))
    result: NDArray[np.float32] = low + share * (values[whole + 1] - low)
    return result
