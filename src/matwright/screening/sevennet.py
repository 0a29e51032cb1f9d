"""SevenNet-0 energies on the Materials Project's corrected scale (Park et al., J. Chem. Theory Comput. 20, 4857, 2024).

The network was trained on raw PBE and PBE+U energies. The MP2020 scheme (Wang et al., Sci. Rep. 11, 15496, 2021) adds
constants per anion and per transition metal in oxides and fluorides; they shift the energy only, not its derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from matwright.errors import CalculationError, InputError
from matwright.materials.crystal import Crystal
from matwright.materials.silence import quiet_warnings
from matwright.screening.ase_potential import AsePotential
from matwright.screening.potential import Failure, PointResult


@final
class SevennetPotential:
    """SevenNet-0 behind the `Potential` protocol; one crystal after the other."""

    def __init__(self, calculator: Any, *, corrected: bool = True) -> None:
        """Take a ready ASE calculator; `load` is the usual way. `corrected` adds the MP2020 terms."""
        self._potential = AsePotential(
            calculator,
            name="sevennet-0",
            version="11Jul2024" + ("+MP2020" if corrected else ""),
            shift=Mp2020Correction().energy if corrected else None,
        )

    @classmethod
    def load(cls) -> SevennetPotential:
        """Load the weights that ship inside the package `sevenn`.

        Raises:
            InputError: when the package is not installed.
        """
        with quiet_warnings():  # it recommends GPU kernels, and uses deprecated parts of torch
            try:
                from sevenn.calculator import SevenNetCalculator  # heavy: behind its door
            except ImportError as error:
                raise InputError("SevenNet is not installed: pip install 'matwright[potentials]'") from error
            return cls(SevenNetCalculator("7net-0", device="cpu"))

    @property
    def name(self) -> str:
        """The word used in options and reports."""
        return self._potential.name

    @property
    def version(self) -> str:
        """Version of the weights and of the energy corrections."""
        return self._potential.version

    def evaluate(self, crystals: Sequence[Crystal]) -> list[PointResult | Failure]:
        """Energies, forces and stresses in the order of `crystals`; a crystal that cannot be treated is a Failure."""
        return self._potential.evaluate(crystals)


@final
class Mp2020Correction:
    """The Materials Project's 2020 energy corrections for a crystal computed with its standard PBE/PBE+U settings."""

    def __init__(self) -> None:
        from pymatgen.entries.compatibility import MaterialsProject2020Compatibility  # heavy: behind its door
        from pymatgen.io.vasp.sets import MPRelaxSet

        self._scheme = MaterialsProject2020Compatibility(check_potcar=False)
        self._hubbard: dict[str, dict[str, float]] = MPRelaxSet.CONFIG["INCAR"]["LDAUU"]

    def energy(self, crystal: Crystal) -> float:
        """Correction of the whole cell in eV (to add).

        Raises:
            CalculationError: when the scheme does not cover the crystal.
        """
        from pymatgen.entries.computed_entries import ComputedStructureEntry

        from matwright.materials.interop import to_pymatgen

        structure = to_pymatgen(crystal)
        with quiet_warnings():  # for every guessed oxidation state and every missing electronegativity
            hubbards = self._hubbards(structure)
            run = {"run_type": "GGA+U" if hubbards else "GGA", "is_hubbard": bool(hubbards), "hubbards": hubbards}
            entry = ComputedStructureEntry(structure, 0.0, parameters=run)
            processed = self._scheme.process_entry(entry, inplace=False)
        if processed is None:
            raise CalculationError("the MP2020 corrections do not cover this crystal")
        return float(processed.correction)

    def _hubbards(self, structure: Any) -> dict[str, float]:
        """U in eV of each metal that the standard settings treat with U: transition metals beside O or F."""
        symbols = [element.symbol for element in structure.composition.elements]
        anion = max(structure.composition.elements, key=lambda element: element.X).symbol
        values = self._hubbard.get(anion, {}) if anion in ("O", "F") else {}
        return {name: float(values.get(name, 0.0)) for name in symbols} if set(symbols) & set(values) else {}
