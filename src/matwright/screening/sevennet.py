"""SevenNet-0 energies on the Materials Project's corrected scale (Park et al., J. Chem. Theory Comput. 20, 4857, 2024).

The network was trained on raw PBE and PBE+U energies. The MP2020 scheme (Wang et al., Sci. Rep. 11, 15496, 2021) adds
constants per anion and per transition metal in oxides and fluorides; they shift the energy only, not its derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.materials.silence import quiet_warnings
from matwright.physics.energy_scale import EnergyScale
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
            shift=EnergyScale().mp2020 if corrected else None,
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
