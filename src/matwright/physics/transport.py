"""From how far ions wander to how well they conduct: diffusion coefficients, Nernst-Einstein, Arrhenius.

| symbol | variable | unit |
|---|---|---|
| D = slope(MSD) / 2d | `Diffusion.value` | cm²/s |
| σ = (n / (V N_A)) z² F² / (R T) D | `nernst_einstein` | S/cm |
| D(T) = D₀ exp(−E_a / k T) | `Arrhenius` | cm²/s, eV, K |

Errors are standard deviations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import CalculationError, InputError

Array = NDArray[np.float64]

BOLTZMANN = 8.617333262e-5
"""eV/K."""
AVOGADRO, FARADAY, GAS_CONSTANT = 6.02214076e23, 96485.33212, 8.314462618
"""1/mol, C/mol, J/(mol K)."""
CM2_S_PER_A2_PS = 1e-4
"""cm²/s in one Å²/ps."""
ION_CHARGES: Mapping[str, float] = MappingProxyType(
    {"Li": 1, "Na": 1, "K": 1, "Ag": 1, "Cu": 1, "Mg": 2, "Ca": 2, "Zn": 2, "F": -1, "O": -2}
)
"""Elementary charges of the ions that may be asked for."""
_DIRECTIONS = 3
_HOP = 2.5
"""Å, length of a jump between sites: only to count about how many there were."""
_FEWEST_HOPS = 10.0
_EXPONENTS = (0.3, 1.5)
"""Of the lag in the mean squared displacement: 1 where ions diffuse, less where rattling lifts the short lags, 0 where
they only rattle, 2 where they fly."""
FEWEST_FRAMES = 20
"""Of a trajectory."""
_FEWEST_TEMPERATURES = 4


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The lags over which the slope is taken, as shares of the length of the trajectory."""

    first: float = 0.1
    last: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 < self.first < self.last <= 0.9:
            raise InputError(f"lags lie in 0 < first < last ≤ 0.9, found {self.first:g} and {self.last:g}")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Diffusion:
    """How fast the ions of one trajectory wander.

    Attributes:
        value, std: cm²/s.
        along: (3,) cm²/s along x, y, z; their mean is `value`.
        lags, msd: (n_lags,) ps and Å².
        exponent: of the lag in the displacement over the window.
        hops: about how many jumps of 2.5 Å all ions made together.
        resolved: whether the trajectory shows diffusion; `reason` says why not.
    """

    value: float
    std: float
    along: Array
    lags: Array
    msd: Array
    exponent: float
    hops: float
    resolved: bool
    reason: str


def squared_displacements(positions: Array) -> Array:
    """(n_frames, n_walkers, 3) Å², squared displacement of each walker along each axis at each lag, mean over starts.

    Args:
        positions: (n_frames, n_walkers, 3) Å at equal times, unwrapped.
    """
    frames = len(positions)
    centred = positions - positions.mean(axis=0)
    transform = np.fft.rfft(centred, n=2 * frames, axis=0)
    products = np.fft.irfft(np.abs(transform) ** 2, n=2 * frames, axis=0)[:frames]
    squares = centred**2
    ahead = np.cumsum(squares[::-1], axis=0)[::-1]  # lag m: squares of the frames from m on …
    behind = np.cumsum(squares, axis=0)[::-1]  # … and of those up to n − m
    starts = np.arange(frames, 0, -1)[:, None, None]
    found: Array = np.maximum((ahead + behind - 2.0 * products) / starts, 0.0)
    return found


def tracer_diffusion(positions: Array, step: float, window: Window | None = None) -> Diffusion:
    """Diffusion of single ions (n_frames, n_ions, 3; Å, unwrapped, in the frame of the host; a frame every `step` ps).

    The error is the larger of two: from ion to ion, each with its whole path, and from the first half to the second.

    Raises:
        InputError: fewer than 20 frames, or no ion.
    """
    return _diffusion(positions, step, window or Window(), walkers=positions.shape[1])


def collective_diffusion(positions: Array, step: float, window: Window | None = None) -> Diffusion:
    """Diffusion of the ions' charge, |Σ Δr|² / n instead of Σ |Δr|² / n; arguments and errors as `tracer_diffusion`.

    All ions together are one walker, so the error is from axis to axis and from half to half, and large.
    """
    total = positions.sum(axis=1, keepdims=True) / np.sqrt(positions.shape[1])
    return _diffusion(total, step, window or Window(), walkers=1)


def _diffusion(positions: Array, step: float, window: Window, *, walkers: int) -> Diffusion:
    if positions.ndim != 3 or positions.shape[2] != _DIRECTIONS or walkers < 1:
        raise InputError(f"positions have shape (frames, ions, 3), found {positions.shape}")
    if len(positions) < FEWEST_FRAMES:
        raise InputError(f"diffusion needs at least {FEWEST_FRAMES} frames, found {len(positions)}")
    squares = squared_displacements(positions)
    slopes = _slopes(squares, step, window) / 2.0 * CM2_S_PER_A2_PS  # (n_walkers, 3)
    halves = np.array_split(positions, 2)
    parts = [_slopes(squared_displacements(half), step, window) / 2.0 * CM2_S_PER_A2_PS for half in halves]
    pieces = slopes.mean(axis=1) if walkers > _DIRECTIONS else np.concatenate(parts).ravel()
    value = float(slopes.mean())
    between_pieces = float(pieces.std(ddof=1) / np.sqrt(len(pieces)))
    between_halves = abs(float(parts[0].mean() - parts[1].mean())) / 2.0
    msd = squares.mean(axis=1).sum(axis=1)
    std, exponent = max(between_pieces, between_halves), _exponent(msd, window)
    hops = max(value, 0.0) / CM2_S_PER_A2_PS * 2 * _DIRECTIONS * step * (len(positions) - 1) * walkers / _HOP**2
    reason = _unresolved(value, (between_pieces, std), exponent, hops if walkers > 1 else np.inf)
    return Diffusion(
        value=value,
        std=std,
        along=slopes.mean(axis=0),
        lags=np.arange(len(positions), dtype=np.float64) * step,
        msd=msd,
        exponent=exponent,
        hops=hops,
        resolved=not reason,
        reason=reason,
    )


def _lags(frames: int, window: Window) -> NDArray[np.int64]:
    first = max(1, round(window.first * frames))
    return np.arange(first, max(first + 3, round(window.last * frames) + 1))


def _slopes(squares: Array, step: float, window: Window) -> Array:
    """(n_walkers, 3) Å²/ps, least squares over the window; the rattling on the spot is in the intercept."""
    lags = _lags(len(squares), window)
    times = lags * step - (lags * step).mean()
    slopes: Array = np.einsum("l,lwx->wx", times, squares[lags]) / (times @ times)
    return slopes


def _exponent(msd: Array, window: Window) -> float:
    """Slope of ln MSD over ln lag in the window; 0 where nothing moves."""
    lags = _lags(len(msd), window)
    if msd[lags].min() <= 0.0:
        return 0.0
    return float(np.polyfit(np.log(lags), np.log(msd[lags]), 1)[0])


def _unresolved(value: float, stds: tuple[float, float], exponent: float, hops: float) -> str:
    """Why a trajectory shows no diffusion; empty where it does.

    Twice the error is asked of the one between many ions (`stds[0]`), once of the larger one: the difference between
    two halves is a single number, often large by chance.
    """
    if hops < _FEWEST_HOPS:
        return f"the ions made about {hops:.1f} jumps in all, fewer than {_FEWEST_HOPS:.0f}"
    if value < 2.0 * stds[0]:
        return f"{value:.2g} cm²/s is less than twice its error, {stds[0]:.1g}"
    if value < stds[1]:
        return f"{value:.2g} cm²/s is less than half the difference between the two halves of the run"
    if not _EXPONENTS[0] <= exponent <= _EXPONENTS[1]:
        return f"the displacement grows as the lag to the power of {exponent:.2f}, not in proportion to it"
    return ""


def nernst_einstein(diffusion: float, *, ions: int, volume: float, charge: float, temperature: float) -> float:
    """Conductivity in S/cm.

    Args:
        diffusion: cm²/s.
        ions: in `volume` Å³.
        charge: of an ion, in elementary charges.
        temperature: K.
    """
    concentration = ions / (volume * 1e-24 * AVOGADRO)  # mol/cm³
    return concentration * charge**2 * FARADAY**2 / (GAS_CONSTANT * temperature) * diffusion


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrhenius:
    """A straight line ln D = ln D₀ − E_a / k T with errors.

    Attributes:
        energy, energy_std: eV, activation energy.
        log_prefactor: ln(D₀ / (cm²/s)).
        covariance: (2, 2) of (ln D₀, E_a).
        chi2: of the fit, over its degrees of freedom.
        temperatures: K, that it was fitted to.
    """

    energy: float
    energy_std: float
    log_prefactor: float
    covariance: Array
    chi2: float
    temperatures: tuple[float, ...]

    def at(self, temperature: float) -> tuple[float, float]:
        """D in cm²/s at a temperature in K, and the standard deviation of its natural logarithm."""
        gradient = np.array([1.0, -1.0 / (BOLTZMANN * temperature)])
        value = float(np.exp(self.log_prefactor + gradient[1] * self.energy))
        return value, float(np.sqrt(gradient @ self.covariance @ gradient))


def arrhenius(temperatures: Sequence[float], values: Sequence[float], stds: Sequence[float]) -> Arrhenius:
    """Fit diffusion coefficients (cm²/s, with standard deviations) over temperatures in K, weighted by their errors.

    Where the points scatter more than their errors say, the errors of the fit are larger by that factor.

    Raises:
        CalculationError: fewer than four temperatures.
        InputError: a value or error that is not above 0.
    """
    kelvin, found, errors = np.array(temperatures), np.array(values), np.array(stds)
    if len(set(temperatures)) < _FEWEST_TEMPERATURES:
        raise CalculationError(
            f"diffusion is resolved at {len(set(temperatures))} temperatures, an activation energy needs "
            f"{_FEWEST_TEMPERATURES}"
        )
    if min(kelvin.min(), found.min(), errors.min()) <= 0.0:
        raise InputError("temperatures, diffusion coefficients and their errors must be above 0")
    weights = found / errors  # 1 / σ of ln D
    design = np.stack([np.ones_like(kelvin), -1.0 / (BOLTZMANN * kelvin)], axis=1)
    covariance = np.linalg.inv(design.T @ (design * weights[:, None] ** 2))
    solution = covariance @ design.T @ (weights**2 * np.log(found))
    left = weights * (np.log(found) - design @ solution)
    chi2 = float(left @ left / (len(kelvin) - 2))
    covariance = covariance * max(1.0, chi2)
    return Arrhenius(
        energy=float(solution[1]),
        energy_std=float(np.sqrt(covariance[1, 1])),
        log_prefactor=float(solution[0]),
        covariance=covariance,
        chi2=chi2,
        temperatures=tuple(float(one) for one in temperatures),
    )
