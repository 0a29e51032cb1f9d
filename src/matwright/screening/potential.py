"""What an interatomic potential offers the cascade: energy, forces and stress of many crystals at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib import metadata
from typing import Protocol, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.materials.crystal import Crystal

GPA_PER_EV_A3 = 160.21766208
"""GPa in one eV/Å³."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PointResult:
    """Energy and its derivatives of one crystal.

    Attributes:
        energy: eV, of the whole cell, on the potential's own scale (never mix two potentials).
        forces: (n_sites, 3) eV/Å.
        stress: (3, 3) eV/Å³, symmetric, (1/V) dE/dε: positive where the crystal pulls inwards (under tension).
        band_gap: eV, 0 for a metal; None where the method knows of no electrons, or lists no empty band.
    """

    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]
    band_gap: float | None = None


@final
class FailureKind(Enum):
    """Why a calculation gave no value; what is worth another try depends on it."""

    CALCULATION = "calculation"  # the method itself gave up
    REFUSED = "refused"  # the method does not treat this material
    NOT_CONVERGED = "not converged"
    NOT_FINITE = "not finite"  # the answer is NaN or infinite
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    CRASHED = "crashed"  # the process that computed it died
    POISON = "poison"  # it killed every process that tried


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A calculation that could not be done on one crystal: a value, not an exception.

    Attributes:
        reason: one sentence.
        seconds: wall time spent on it.
        kind: which sort of failure it is.
    """

    reason: str
    seconds: float = 0.0
    kind: FailureKind = FailureKind.CALCULATION


class Potential(Protocol):
    """An interatomic potential; a crystal it cannot treat costs only that crystal."""

    @property
    def name(self) -> str:
        """The word used in options, file names and reports, for instance "chgnet"."""
        ...

    @property
    def version(self) -> str:
        """Version of the weights."""
        ...

    def evaluate(self, crystals: Sequence[Crystal]) -> list[PointResult | Failure]:
        """Energies, forces and stresses in the order of `crystals`; no exception for physics."""
        ...


def _chgnet() -> Potential:
    from matwright.screening.chgnet import ChgnetPotential  # heavy: behind its door

    return ChgnetPotential.load()


def _sevennet() -> Potential:
    from matwright.screening.sevennet import SevennetPotential  # heavy: behind its door

    return SevennetPotential.load()


PLUGINS = "matwright.potentials"
"""Group of entry points by which a package offers an ASE calculator: a function without arguments that makes it."""

POTENTIALS: dict[str, Callable[[], Potential]] = {"chgnet": _chgnet, "sevennet-0": _sevennet}
"""The potentials that can be named by the user."""


def check_potential(name: str) -> None:
    """Raise InputError unless a potential of that name can be loaded; nothing is loaded."""
    known = [*POTENTIALS, *(entry.name for entry in metadata.entry_points(group=PLUGINS))]
    if name not in known:
        raise InputError(f"there is no potential {name!r}; choose one of {', '.join(known)}")


def load_potential(name: str) -> Potential:
    """Load a potential by name; its weights ship inside its own package, nothing is downloaded.

    Besides those of `POTENTIALS`, every ASE calculator that an installed package offers under `PLUGINS`.

    Raises:
        InputError: when no potential has that name, or the package that holds it is not installed.
    """
    check_potential(name)
    if name in POTENTIALS:
        return POTENTIALS[name]()
    from matwright.screening.ase_potential import AsePotential  # only where it is asked for

    entry = next(entry for entry in metadata.entry_points(group=PLUGINS) if entry.name == name)
    version = entry.dist.version if entry.dist is not None else "unknown"
    return AsePotential(entry.load()(), name=name, version=version)
