"""Reference energies of the elements under one interatomic potential: the zero of its formation energies."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import final

from matwright.elements import SYMBOLS, atomic_number
from matwright.errors import CalculationError, InputError


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ElementReferences:
    """Energy of each element in its reference structure under one potential.

    Attributes:
        potential: name and version, for instance "chgnet-0.3.0".
        energies: atomic number → eV/atom.
        source: where the reference structures come from.
    """

    potential: str
    energies: Mapping[int, float]
    source: str

    def formation_energy_per_atom(self, amounts: Mapping[int, float], energy_per_atom: float) -> float:
        """Energy against the elements in eV/atom, for atomic number → amount and the potential's own energy (eV/atom).

        Raises:
            CalculationError: an element has no reference.
        """
        missing = sorted(set(amounts) - set(self.energies))
        if missing:
            names = ", ".join(SYMBOLS[number] for number in missing)
            raise CalculationError(f"{self.potential} has no reference energy for {names}")
        total = sum(amounts.values())
        return energy_per_atom - sum(self.energies[number] * amount for number, amount in amounts.items()) / total


def load_references(potential: str) -> ElementReferences:
    """The table that ships for a potential, for instance "chgnet-0.3.0"; errors name the potentials there are.

    The file `tables/element_references_<potential>.json` holds {"potential", "source", "unit": "eV/atom",
    "energies": {symbol: energy}}.

    Raises:
        InputError: no table ships for this potential, or it is not in eV/atom.
    """
    folder = resources.files("matwright.data") / "tables"
    pattern = re.compile(r"element_references_(.+)\.json")
    names = {found[1]: entry for entry in folder.iterdir() if (found := pattern.fullmatch(entry.name))}
    if potential not in names:
        known = ", ".join(sorted(names)) or "none"
        raise InputError(f"there are no reference energies of the elements for {potential!r}; there are: {known}")
    table = json.loads(names[potential].read_text(encoding="utf-8"))
    if table["unit"] != "eV/atom":
        raise InputError(f"reference energies are in eV/atom, found {table['unit']!r} for {potential!r}")
    energies = {atomic_number(name): float(energy) for name, energy in table["energies"].items()}
    return ElementReferences(
        potential=str(table["potential"]), energies=MappingProxyType(energies), source=str(table["source"])
    )
