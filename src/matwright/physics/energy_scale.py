"""Energy scales of the Materials Project: which constants were added to PBE and PBE+U energies, and how to change them.

Until 2021 the Materials Project corrected oxides, sulfides, the metals it treats with U and its reference gases
("legacy", Jain et al., Phys. Rev. B 84, 045115, 2011); since then it corrects every common anion and those metals
("MP2020", Wang et al., Sci. Rep. 11, 15496, 2021). Both depend on the composition and on which elements are anions, so
that a formation energy passes from one scale to the other without a new calculation. Between the scales a bromide or a
selenide differs by 0.2 to 0.35 eV/atom: energies of one scale never belong on the hull of the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, final

from matwright.errors import CalculationError
from matwright.materials.crystal import Crystal
from matwright.materials.silence import quiet_warnings

GASES = {"H": -3.392726, "N": -8.336495, "F": -1.911479, "Cl": -1.848537}
"""PBE energies (Materials Project, eV/atom) of the elements whose reference the legacy scale replaced."""


@final
class EnergyScale:
    """Both schemes as the package pymatgen states them, for entries with the Materials Project's standard settings."""

    def mp2020(self, crystal: Crystal) -> float:
        """MP2020 correction of the whole cell in eV (to add to a PBE or PBE+U energy).

        Raises:
            CalculationError: when the scheme does not cover the crystal.
        """
        from pymatgen.entries.computed_entries import ComputedStructureEntry  # heavy: behind its door

        from matwright.materials.interop import to_pymatgen

        structure = to_pymatgen(crystal)
        with quiet_warnings():  # for every guessed oxidation state and every missing electronegativity
            run = self._run(structure.composition.elements)
            return self._corrected(ComputedStructureEntry(structure, 0.0, parameters=run))

    def legacy_to_mp2020(self, formula: str) -> float:
        """What to add to a legacy formation energy to have it on the MP2020 scale, eV/atom.

        Peroxides and superoxides are told from oxides by formula only.

        Raises:
            CalculationError: when the scheme does not cover the composition.
        """
        from pymatgen.core.composition import Composition
        from pymatgen.entries.computed_entries import ComputedEntry

        composition = Composition(formula)
        if len(composition) == 1:
            return 0.0  # elements are the zero of both scales
        with quiet_warnings():
            entry = ComputedEntry(composition, 0.0, parameters=self._run(composition.elements))
            new, old = self._corrected(entry), self._legacy_correction(entry)
        gases = self._legacy_gases()
        references = sum(gases[symbol] * composition[symbol] for symbol in gases)
        return float((new - old + references) / composition.num_atoms)

    @cached_property
    def _mp2020(self) -> Any:
        from pymatgen.entries.compatibility import MaterialsProject2020Compatibility

        return MaterialsProject2020Compatibility(check_potcar=False)

    @cached_property
    def _legacy(self) -> Any:
        from pymatgen.entries.compatibility import MaterialsProjectCompatibility

        return MaterialsProjectCompatibility()

    @cached_property
    def _hubbard(self) -> dict[str, dict[str, float]]:
        from pymatgen.io.vasp.sets import MPRelaxSet

        settings: dict[str, dict[str, float]] = MPRelaxSet.CONFIG["INCAR"]["LDAUU"]
        return settings

    def _corrected(self, entry: Any) -> float:
        processed = self._mp2020.process_entry(entry, inplace=False)
        if processed is None:
            raise CalculationError(f"the MP2020 corrections do not cover {entry.composition.reduced_formula}")
        return float(processed.correction)

    def _legacy_correction(self, entry: Any) -> float:
        """Of anions and of metals with U; gases are treated as references, potentials are the standard ones."""
        from pymatgen.entries.compatibility import AnionCorrection, UCorrection

        parts = [part for part in self._legacy.corrections if isinstance(part, AnionCorrection | UCorrection)]
        return sum(float(part.get_correction(entry).nominal_value) for part in parts)

    def _legacy_gases(self) -> dict[str, float]:
        """How far the fitted reference of a gas lies above its PBE energy on the legacy scale, eV/atom."""
        from pymatgen.entries.compatibility import GasCorrection

        (part,) = (part for part in self._legacy.corrections if isinstance(part, GasCorrection))
        return {symbol: float(part.cpd_energies[f"{symbol}2"]) - energy for symbol, energy in GASES.items()}

    def _run(self, elements: Sequence[Any]) -> dict[str, Any]:
        """Parameters of a standard calculation: U on transition metals beside O or F, when one of them leads."""
        symbols = [element.symbol for element in elements]
        anion = max(elements, key=lambda element: element.X).symbol
        values = self._hubbard.get(anion, {}) if anion in ("O", "F") else {}
        hubbards = {name: float(values.get(name, 0.0)) for name in symbols} if set(symbols) & set(values) else {}
        return {"run_type": "GGA+U" if hubbards else "GGA", "is_hubbard": bool(hubbards), "hubbards": hubbards}
