"""How honest a predicted distribution is: scores of N(ŷ, σ²) and of intervals, as pure functions of arrays.

Every function takes (n,) float arrays without missing values in the unit of the property.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BINS, MIN_BIN = 10, 10


def gaussian_nll(truth: Floats, mean: Floats, std: Floats) -> float:
    """Return the mean negative log-likelihood −log N(y; ŷ, σ²) in nats; infinite where a σ is 0."""
    if (std <= 0).any():
        return math.inf
    return float((0.5 * np.log(2 * np.pi * std**2) + 0.5 * ((truth - mean) / std) ** 2).mean())


def gaussian_crps(truth: Floats, mean: Floats, std: Floats) -> float:
    """Return the mean continuous ranked probability score of N(ŷ, σ²), in the unit of the property.

    CRPS = σ [z (2Φ(z) − 1) + 2φ(z) − 1/√π] with z = (y − ŷ)/σ; for σ = 0 it is the absolute error.
    """
    # heavy: behind its door
    from scipy.special import ndtr

    safe = np.where(std > 0, std, 1.0)
    z = (truth - mean) / safe
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    score = safe * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / math.sqrt(math.pi))
    return float(np.where(std > 0, score, np.abs(truth - mean)).mean())


def miscalibration_area(truth: Floats, mean: Floats, std: Floats) -> float:
    """Return ∫₀¹ |observed(p) − p| dp: how far the central intervals of N(ŷ, σ²) are from holding their share p.

    0 is perfect, 0.5 the worst. V. Kuleshov et al., ICML 2018 (calibrated regression); K. Tran et al., Mach. Learn.:
    Sci. Technol. 1, 025006 (2020).
    """
    shares, observed = reliability(truth, mean, std)
    return float(np.trapezoid(np.abs(observed - shares), shares))


def reliability(truth: Floats, mean: Floats, std: Floats) -> tuple[Floats, Floats]:
    """Return (101,) nominal shares 0…1 and the share of truths inside the central interval of N(ŷ, σ²) of each."""
    # heavy: behind its door
    from scipy.special import erf

    needed = np.sort(erf(np.abs(truth - mean) / (math.sqrt(2) * std)))  # the share whose interval just holds the truth
    shares = np.linspace(0, 1, 101)
    return shares, np.searchsorted(needed, shares, side="right") / len(needed)


def sharpness(std: Floats) -> float:
    """Return √(mean σ²), in the unit of the property: how narrow the predicted distributions are."""
    return float(np.sqrt((std**2).mean()))


def expected_normalised_calibration_error(truth: Floats, mean: Floats, std: Floats) -> float:
    """Return the mean over bins of |RMV − RMSE| / RMV (ENCE; D. Levi et al., Sensors 22, 5540 (2022)), without unit.

    RMV is the root mean σ² of a bin and RMSE the root mean square error there.
    """
    variance, error = spread_bins(truth, mean, std)
    return float((np.abs(variance - error) / variance).mean())


def spread_bins(truth: Floats, mean: Floats, std: Floats) -> tuple[Floats, Floats]:
    """Return root mean σ² and root mean square error of bins by σ, of equal counts: 10 of them, fewer for few records.

    A bin holds at least MIN_BIN records where there are as many.
    """
    order = np.argsort(std, kind="stable")
    bins = np.array_split(order, max(1, min(BINS, len(order) // MIN_BIN)))
    variance = [math.sqrt(float((std[own] ** 2).mean())) for own in bins]
    error = [math.sqrt(float(((truth - mean)[own] ** 2).mean())) for own in bins]
    return np.array(variance), np.array(error)


def coverage(truth: Floats, lower: Floats, upper: Floats) -> float:
    """Return the share of truths inside their intervals, bounds included."""
    return float(((truth >= lower) & (truth <= upper)).mean())


def mean_width(lower: Floats, upper: Floats) -> float:
    """Return the mean width of the intervals, in the unit of the property."""
    return float((upper - lower).mean())
