"""Wavelengths by name and scattering factors of the elements, both from the tables that pymatgen carries."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from matwright.elements import SYMBOLS
from matwright.errors import InputError
from matwright.materials.properties import nearest_hint

_MOTT_BETHE = 41.78214
"""Å^-2; f(s) = Z - 41.78214 s² Σ a exp(-b s²) turns electron into X-ray scattering factors."""


def wavelength_of(name: str | float) -> float:
    """Return a wavelength in Å: of a named line ("CuKa", "MoKa1" …), or the number itself.

    A name without a digit is the mean of the Kα doublet, weighted 2:1.

    Raises:
        InputError: there is no such line, or the number lies outside 0.1..5 Å.
    """
    known = wavelengths()
    by_lower = {entry.lower(): value for entry, value in known.items()}
    text = str(name).strip()
    if text.lower() in by_lower:
        return by_lower[text.lower()]
    try:
        number = float(text)
    except ValueError:
        listed = ", ".join(known)
        raise InputError(f"there is no wavelength {text!r}{nearest_hint(text, known)}; known are {listed}") from None
    if not (math.isfinite(number) and 0.1 <= number <= 5.0):
        raise InputError(f"a wavelength lies in 0.1..5 Å, found {number:g}")
    return number


@cache
def wavelengths() -> dict[str, float]:
    """Return the named laboratory lines and their wavelengths in Å."""
    from pymatgen.analysis.diffraction.xrd import WAVELENGTHS  # heavy: behind its door

    return {str(name): float(value) for name, value in WAVELENGTHS.items()}


def scattering_factors(numbers: NDArray[np.integer], s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return f(s) in electrons, shape (n_elements, n_s), real: anomalous dispersion is not modelled.

    f(s) = Z - 41.78214 s² Σ_i a_i exp(-b_i s²) (Doyle and Turner's parametrisation through the Mott-Bethe formula).

    Args:
        numbers: (n_elements,) atomic numbers.
        s: (n_s,) sin θ / λ = |g| / 2 in 1/Å.

    Raises:
        InputError: no factors are tabulated for an element (beyond Cf).
    """
    table = _table()
    missing = [SYMBOLS[number] for number in numbers.tolist() if np.isnan(table[number, 0, 0])]
    if missing:
        raise InputError(f"there are no X-ray scattering factors of {', '.join(missing)}")
    squared = s * s
    a, b = table[numbers, :, 0], table[numbers, :, 1]  # (n_elements, n_terms)
    terms = np.einsum("et,ets->es", a, np.exp(-b[:, :, None] * squared))
    factors: NDArray[np.float64] = numbers[:, None] - _MOTT_BETHE * squared * terms
    return factors


@cache
def _table() -> NDArray[np.float64]:
    """(119, n_terms, 2) parameters a (Å) and b (Å²); NaN where an element has none."""
    from pymatgen.analysis.diffraction.xrd import ATOMIC_SCATTERING_PARAMS  # heavy: behind its door

    longest = max(len(terms) for terms in ATOMIC_SCATTERING_PARAMS.values())
    table = np.full((len(SYMBOLS), longest, 2), np.nan)
    for number, name in enumerate(SYMBOLS):
        if name in ATOMIC_SCATTERING_PARAMS:
            terms = np.array(ATOMIC_SCATTERING_PARAMS[name], dtype=np.float64)
            table[number] = 0.0
            table[number, : len(terms)] = terms
    table.setflags(write=False)
    return table
