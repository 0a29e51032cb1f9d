"""What a property is: name, unit, whether it scales with the cell, and the values it can take."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Self, final

from matwright.errors import InputError
from matwright.units import convert, parse_unit, same_dimension


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PropertySpec:
    """One property of a material.

    Attributes:
        name: for instance "band_gap"; the same word in tables, models, targets and reports.
        unit: for instance "eV", "eV/atom", "GPa"; "1" for a pure number.
        intensive: True when the value does not depend on the cell chosen (per atom, modulus, gap).
        lower, upper: physical bounds in `unit`, None where there is none.
        classes: names of the classes for a categorical property; empty for a number.
    """

    name: str
    unit: str
    intensive: bool = True
    lower: float | None = None
    upper: float | None = None
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name or not self.unit:
            raise InputError(f"a property needs a name and a unit, found {self.name!r} and {self.unit!r}")
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise InputError(f"{self.name}: the lower bound {self.lower} is not below the upper bound {self.upper}")

    def in_unit(self, unit: str) -> PropertySpec:
        """The same property in another unit, its bounds converted.

        Raises:
            InputError: the unit is unknown or measures something else.
        """
        if not same_dimension(self.unit, unit):
            raise InputError(f"{self.name} is given in {self.unit} or a unit of that kind, found {unit!r}")
        lower = None if self.lower is None else _bound(convert(self.lower, self.unit, unit))
        upper = None if self.upper is None else _bound(convert(self.upper, self.unit, unit))
        return replace(self, unit=unit, lower=lower, upper=upper)

    def as_logarithm(self) -> PropertySpec:
        """The decimal logarithm of the property under its name, for values over decades; the unit says so.

        Raises:
            InputError: it is a class, or a logarithm already.
        """
        if self.classes or parse_unit(self.unit).logarithmic:
            raise InputError(f"{self.name} has no logarithm that could be learned")
        return self.in_unit(f"log10({self.unit})")


def _bound(value: float) -> float | None:
    """None for what bounds nothing: 0 has no logarithm."""
    return value if math.isfinite(value) else None


def _known(*specs: PropertySpec) -> Mapping[str, PropertySpec]:
    return MappingProxyType({spec.name: spec for spec in specs})


def _spec(name: str, unit: str, lower: float | None = None, upper: float | None = None) -> PropertySpec:
    return PropertySpec(name=name, unit=unit, lower=lower, upper=upper)


KNOWN_PROPERTIES: Mapping[str, PropertySpec] = _known(
    _spec("formation_energy_per_atom", "eV/atom", -10.0, 15.0),
    _spec("e_above_hull", "eV/atom", 0.0, 25.0),
    _spec("energy_per_atom", "eV/atom"),
    _spec("exfoliation_energy", "eV/atom", 0.0),
    _spec("band_gap", "eV", 0.0, 30.0),
    _spec("bulk_modulus", "GPa", 0.0, 1000.0),
    _spec("shear_modulus", "GPa", 0.0, 1000.0),
    _spec("young_modulus", "GPa", 0.0, 2000.0),
    _spec("poisson_ratio", "1", -1.0, 0.5),
    _spec("universal_anisotropy", "1", 0.0),
    _spec("bulk_modulus_voigt", "GPa", 0.0, 1000.0),
    _spec("shear_modulus_voigt", "GPa", 0.0, 1000.0),
    _spec("density", "g/cm^3", 0.0, 30.0),
    _spec("volume_per_atom", "Å^3/atom", 0.0),
    _spec("magnetisation", "µB/atom"),
    _spec("refractive_index", "1", 0.0),
    _spec("dielectric_constant", "1", 1.0),
    _spec("debye_temperature", "K", 0.0),
    _spec("thermal_conductivity", "W/(m*K)", 0.0),
    _spec("thermal_expansion", "1/K"),
    _spec("melting_temperature", "K", 0.0),
    _spec("ionic_conductivity", "S/cm", 0.0),
    _spec("electrical_conductivity", "S/cm", 0.0),
    _spec("seebeck_coefficient", "µV/K"),
    _spec("zt", "1", 0.0),
    _spec("yield_strength", "MPa", 0.0),
    _spec("last_phonon_peak", "cm^-1", 0.0),
)
"""Properties the system knows by name, with the unit it computes in and the values that are physically possible."""

PROPERTY_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "formation_energy": "formation_energy_per_atom",
        "energy_above_hull": "e_above_hull",
        "bandgap": "band_gap",
        "gap": "band_gap",
        "magnetization": "magnetisation",
        "youngs_modulus": "young_modulus",
    }
)
"""Other words for known properties, accepted where a target is stated (never for the columns of a table)."""


def find_property(name: str, known: Mapping[str, PropertySpec] = KNOWN_PROPERTIES) -> PropertySpec:
    """The property of that name or alias.

    Raises:
        InputError: there is none; the message names the nearest and all known ones.
    """
    spec = known.get(name) or known.get(PROPERTY_ALIASES.get(name, ""))
    if spec is None:
        raise InputError(f"there is no property {name!r}{nearest_hint(name, known)}; known: {', '.join(known)}")
    return spec


def nearest_hint(word: str, choices: Iterable[str]) -> str:
    """A clause "; did you mean 'x'?" with the nearest choice, or an empty text."""
    lower = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=0.5)
    return f"; did you mean {lower[near[0]]!r}?" if near else ""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnText:
    """What a user says of a table's column in one text: name=column:unit.

    Attributes:
        name: by which it is known; the column's own where none is given.
        column: of the table.
        unit: what stands behind the last colon, "" where there is none.
    """

    name: str
    column: str
    unit: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "band_gap:eV", "yield_strength=Yield Strength [MPa]:MPa" or "route" (no unit).

        Raises:
            InputError: no column is named.
        """
        rest, colon, unit = text.rpartition(":")
        if not colon:
            rest, unit = text, ""
        name, equals, column = rest.partition("=")
        found = cls(name=name.strip(), column=(column if equals else name).strip(), unit=unit.strip())
        if not found.name or not found.column:
            raise InputError(f"a column is named as column:unit or name=column:unit, found {text!r}")
        return found


def parse_target_column(text: str) -> PropertySpec:
    """The property of a table column from "name:unit" or "name=column:unit"; `ColumnText` gives the column.

    A known name brings its physical bounds in the unit stated; any other name is allowed with any known unit.

    Raises:
        InputError: no unit, an unknown unit, or a unit that does not measure this property.
    """
    if not text.strip(" :="):
        raise InputError(f"a target column is written name:unit, for instance band_gap:eV, found {text!r}")
    said = ColumnText.parse(text)
    if not said.unit:
        known = KNOWN_PROPERTIES.get(said.name)
        example = f"{said.name}:{known.unit}" if known else "formation_energy_per_atom:eV/atom"
        raise InputError(f"a target column is written name:unit, for instance {example}, found {text!r}")
    if said.name in KNOWN_PROPERTIES:
        return KNOWN_PROPERTIES[said.name].in_unit(said.unit)
    parse_unit(said.unit)
    return PropertySpec(name=said.name, unit=said.unit)
