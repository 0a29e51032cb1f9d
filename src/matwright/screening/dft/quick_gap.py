"""Settings of GPAW that give the PBE gap of a small crystal in about a minute, and the crystals they do not fit."""

from __future__ import annotations

from dataclasses import replace

from matwright.elements import atomic_number
from matwright.materials.crystal import Crystal
from matwright.screening.dft.settings import DftSettings, load_dft_settings

SOFT_CUTOFF, HARD_CUTOFF = 300.0, 500.0
"""eV, without and with elements of the second row, whose valence electrons need more plane waves.

The gaps of ZnSe, CdTe and AgI at 300 eV are within 0.03 eV of those at 600 eV; that of ZnO is 0.30 eV at 350 eV, and
0.68 eV at 500 eV.
"""
_SECOND_ROW = frozenset(range(atomic_number("B"), atomic_number("Ne")))
_OPEN = frozenset({*range(atomic_number("V"), atomic_number("Cu")), *range(58, 71), *range(89, 104)})
"""V to Ni, Ce to Yb, and the actinides."""


def quick_gap_settings(crystal: Crystal, kspacing: float = 0.5) -> DftSettings:
    """The preset `gpaw-pbe` with fewer plane waves, points of `kspacing` (1/Å, with 2π) and a looser convergence."""
    cutoff = HARD_CUTOFF if _SECOND_ROW & set(crystal.numbers.tolist()) else SOFT_CUTOFF
    return replace(load_dft_settings("gpaw-pbe"), cutoff=cutoff, kspacing=kspacing, mixing=0.25, convergence=5e-5)


def has_open_shells(crystal: Crystal) -> bool:
    """Whether an element's compounds mostly have open d or f shells, or it is an actinide.

    Such a gap needs magnetism and a Hubbard U, which the calculation here has not.
    """
    return bool(_OPEN & set(crystal.numbers.tolist()))
