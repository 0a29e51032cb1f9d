"""Laws that tie properties to each other, as plain arithmetic that works on numbers, arrays and tensors alike.

Each function states the units it takes; nothing is checked here.
"""

from __future__ import annotations

from typing import Any

PLANCK = 6.62607015e-34
"""J s (exact, SI)."""
BOLTZMANN_SI = 1.380649e-23
"""J/K (exact, SI)."""
DALTON = 1.66053906660e-27
"""kg (CODATA 2018)."""

Value = Any
"""A float, an array or a tensor; what comes back is of the same kind."""


def figure_of_merit(seebeck: Value, conductivity: Value, thermal: Value, temperature: Value) -> Value:
    """ZT = S² σ T / κ, no unit, from S in V/K, σ in S/m, κ in W/(m K) and T in K."""
    return seebeck * seebeck * conductivity * temperature / thermal


def young_modulus(bulk: Value, shear: Value) -> Value:
    """E = 9 K G / (3 K + G) of an isotropic solid, in the unit of K and G."""
    return 9.0 * bulk * shear / (3.0 * bulk + shear)


def poisson_ratio(bulk: Value, shear: Value) -> Value:
    """ν = (3 K - 2 G) / (2 (3 K + G)) of an isotropic solid, no unit."""
    return (3.0 * bulk - 2.0 * shear) / (2.0 * (3.0 * bulk + shear))


def debye_temperature(bulk: Value, shear: Value, volume: Value, mass: Value) -> Value:
    """θ_D in K of an isotropic solid from K and G in GPa, volume an atom in Å³ and mass an atom in u.

    θ_D = (h / k_B) (3 / (4π V))^(1/3) v_m with 3 v_m^-3 = 2 v_t^-3 + v_l^-3, v_l² = (K + 4G/3)/ρ and v_t² = G/ρ
    (O. L. Anderson, J. Phys. Chem. Solids 24, 909 (1963)).
    """
    density = mass * (DALTON * 1e30) / volume  # kg/m³
    longitudinal = ((bulk + shear * (4.0 / 3.0)) * 1e9 / density) ** 0.5  # m/s
    transverse = (shear * 1e9 / density) ** 0.5
    mean = ((2.0 / transverse**3 + 1.0 / longitudinal**3) / 3.0) ** (-1.0 / 3.0)
    per_length = (3.0 / (4.0 * 3.141592653589793 * volume)) ** (1.0 / 3.0) * 1e10  # 1/m
    return PLANCK / BOLTZMANN_SI * per_length * mean
