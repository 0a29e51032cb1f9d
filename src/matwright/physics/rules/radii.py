"""Radii and bond-valence parameters of ions: the door to the tables that ship with pymatgen."""

from __future__ import annotations

from functools import lru_cache
from math import floor, sqrt

from matwright.elements import SYMBOLS

_ROMAN = {
    "I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9, "X": 10, "XI": 11, "XII": 12,
    "XIV": 14,
}  # fmt: skip
SOFTNESS = 0.37
"""Å, b of the bond-valence law s = exp((R − d) / b)."""


def ionic_radius(number: int, state: float, coordination: float) -> float | None:
    """Shannon's effective ionic radius in Å, high spin, at the tabulated coordination nearest to `coordination`.

    The radius of a mean state between two tabulated ones is interpolated; None where the table has no such ion.
    """
    low = floor(state)
    below = _radius(number, low, round(coordination))
    if low == state or below is None:
        return below
    above = _radius(number, low + 1, round(coordination))
    return None if above is None else below + (state - low) * (above - below)


@lru_cache(maxsize=4096)
def _radius(number: int, state: int, coordination: int) -> float | None:
    table = _shannon(number).get(state)
    if not table:
        return None
    nearest = min(table, key=lambda known: (abs(known - coordination), known))
    return table[nearest]


@lru_cache(maxsize=128)
def _shannon(number: int) -> dict[int, dict[int, float]]:
    """Radii by state and coordination number; square-planar and pyramidal places are left out."""
    from pymatgen.core.periodic_table import Element  # heavy: behind its door

    listed = Element(SYMBOLS[number]).data.get("Shannon radii") or {}
    return {
        int(state): {
            _ROMAN[place]: float((spins.get("High Spin") or next(iter(spins.values())))["ionic_radius"])
            for place, spins in places.items()
            if place in _ROMAN
        }
        for state, places in listed.items()
        if state
    }


@lru_cache(maxsize=4096)
def bond_valence_length(cation: int, anion: int) -> float | None:
    """R in Å of the bond-valence law for a pair of elements; None where a parameter is not tabulated.

    R = r_i + r_j − r_i r_j (√c_i − √c_j)² / (c_i r_i + c_j r_j)
    (M. O'Keeffe and N. E. Brese, J. Am. Chem. Soc. 113, 3226 (1991)).
    """
    from pymatgen.analysis.bond_valence import BV_PARAMS  # heavy: behind its door
    from pymatgen.core.periodic_table import Element

    first, second = (BV_PARAMS.get(Element(SYMBOLS[number])) for number in (cation, anion))
    if first is None or second is None:
        return None
    size, tendency = (float(first["r"]), float(second["r"])), (float(first["c"]), float(second["c"]))
    transfer = (sqrt(tendency[0]) - sqrt(tendency[1])) ** 2
    weighted = tendency[0] * size[0] + tendency[1] * size[1]
    return size[0] + size[1] - size[0] * size[1] * transfer / weighted
