"""Any ASE calculator behind the `Potential` protocol: one crystal after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np

from matwright.errors import CalculationError
from matwright.materials.crystal import Crystal
from matwright.screening.potential import Failure, FailureKind, PointResult

_VOIGT = ((0, 5, 4), (5, 1, 3), (4, 3, 2))
"""Place of each tensor component in ASE's Voigt order xx, yy, zz, yz, xz, xy."""
_PHYSICS = (RuntimeError, ValueError, KeyError, IndexError, ArithmeticError, NotImplementedError, CalculationError)


@final
class AsePotential:
    """Energies, forces and stresses of an ASE calculator.

    Args:
        calculator: with energy, forces and stress.
        name: the word used in options, file names and reports.
        version: of the model behind it.
        shift: eV to add to the energy of a whole cell, for instance corrections of a scale; None for none.
    """

    def __init__(
        self, calculator: Any, *, name: str, version: str, shift: Callable[[Crystal], float] | None = None
    ) -> None:
        self._calculator = calculator
        self._name = name
        self._version = version
        self._shift = shift

    @property
    def name(self) -> str:
        """The word used in options and reports."""
        return self._name

    @property
    def version(self) -> str:
        """Version of the model."""
        return self._version

    def evaluate(self, crystals: Sequence[Crystal]) -> list[PointResult | Failure]:
        """Energies, forces and stresses in the order of `crystals`; a crystal that cannot be treated is a Failure."""
        return [self._one(crystal) for crystal in crystals]

    def _one(self, crystal: Crystal) -> PointResult | Failure:
        from ase import Atoms  # heavy: behind its door

        start = time.perf_counter()
        try:
            if not crystal.is_ordered:
                raise CalculationError("a disordered crystal has no energy")
            shift = 0.0 if self._shift is None else self._shift(crystal)
            atoms = Atoms(
                numbers=crystal.numbers, cell=crystal.lattice, scaled_positions=crystal.frac_coords, pbc=crystal.pbc
            )
            self._calculator.calculate(atoms, properties=["energy", "forces", "stress"])
        except _PHYSICS as error:
            return Failure(reason=f"{self._name} failed: {error}", seconds=time.perf_counter() - start)
        results: dict[str, Any] = self._calculator.results
        energy, forces = float(results["energy"]) + shift, np.array(results["forces"], dtype=np.float64)
        stress = np.array(results["stress"], dtype=np.float64)[np.array(_VOIGT)]
        if not (np.isfinite(energy) and np.isfinite(forces).all() and np.isfinite(stress).all()):
            reason = f"{self._name} gave a number that is not finite"
            return Failure(reason=reason, seconds=time.perf_counter() - start, kind=FailureKind.NOT_FINITE)
        return PointResult(energy=energy, forces=forces, stress=stress)
