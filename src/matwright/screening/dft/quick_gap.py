"""The PBE gap of a small crystal by GPAW in about a minute, and the crystals that the settings do not fit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import final

from matwright.elements import atomic_number
from matwright.materials.crystal import Crystal
from matwright.screening.dft.calculation import DftPotential, Programs
from matwright.screening.dft.settings import DftSettings, load_dft_settings
from matwright.screening.potential import Failure, FailureKind

SOFT_CUTOFF, HARD_CUTOFF = 300.0, 500.0
"""eV, without and with elements of the second row, whose valence electrons need more plane waves.

The gaps of ZnSe, CdTe and AgI at 300 eV are within 0.03 eV of those at 600 eV; that of ZnO is 0.30 eV at 350 eV, and
0.68 eV at 500 eV.
"""
METAL = 0.05
"""eV, below which a gap counts as none."""
_SECOND_ROW = frozenset(range(atomic_number("B"), atomic_number("Ne")))
_OPEN = frozenset({*range(atomic_number("V"), atomic_number("Cu")), *range(58, 71), *range(89, 104)})
"""V to Ni, Ce to Yb, and the actinides: their compounds mostly have open d or f shells."""


@final
class QuickGap:
    """GPAW with few plane waves and k points, as many as the elements of a crystal need.

    Args:
        python: a Python that can import gpaw.
        kspacing: 1/Å (with 2π), largest distance of k points.
        datasets: element → name of its PAW data set, for instance "fcore" for the file "Er.fcore.PBE" in the folder
            that GPAW_SETUP_PATH names; the usual ones for the others.

    Raises:
        InputError: that Python is not there, or has no gpaw.
    """

    def __init__(
        self, python: str = "python3", kspacing: float = 0.5, datasets: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        programs = Programs(python=python)
        self._potentials = {
            cutoff: DftPotential(replace(_settings(cutoff, kspacing), pseudopotentials=datasets), programs)
            for cutoff in (SOFT_CUTOFF, HARD_CUTOFF)
        }
        self._kspacing = kspacing

    def __str__(self) -> str:
        """Settings and program in words."""
        first = self._potentials[SOFT_CUTOFF]
        cutoffs = f"{SOFT_CUTOFF:g} or {HARD_CUTOFF:g} eV"
        return f"{first.name} {first.version}, {cutoffs}, k points {self._kspacing:g} 1/Å apart"

    def gap(self, crystal: Crystal) -> float | Failure:
        """The gap in eV, 0 for a metal, or why there is none."""
        answer, _ = self._potentials[_cutoff(crystal)].calculate(crystal)
        if isinstance(answer, Failure):
            return answer
        if answer.band_gap is None:
            return Failure(reason="the calculation has no empty band", kind=FailureKind.CALCULATION)
        return answer.band_gap


def quick_gap_settings(crystal: Crystal, kspacing: float = 0.5) -> DftSettings:
    """The preset `gpaw-pbe` with fewer plane waves, points of `kspacing` (1/Å, with 2π) and a looser convergence."""
    return _settings(_cutoff(crystal), kspacing)


def has_open_shells(crystal: Crystal, frozen: Collection[str] = ()) -> bool:
    """Whether an element's compounds mostly have open d or f shells, or it is an actinide.

    Such a gap needs magnetism and a Hubbard U, which the calculation here has not. Elements in `frozen` do not count:
    their data sets have the open shell in the core.
    """
    return not (_OPEN - {atomic_number(symbol) for symbol in frozen}).isdisjoint(crystal.numbers.tolist())


def _cutoff(crystal: Crystal) -> float:
    return HARD_CUTOFF if _SECOND_ROW & set(crystal.numbers.tolist()) else SOFT_CUTOFF


def _settings(cutoff: float, kspacing: float) -> DftSettings:
    return replace(load_dft_settings("gpaw-pbe"), cutoff=cutoff, kspacing=kspacing, mixing=0.25, convergence=5e-5)
