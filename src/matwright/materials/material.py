"""The material: structure, properties and conditions together (M = (S, P, C), E1)."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import final

from matwright.errors import InputError
from matwright.materials.composition import Composition
from matwright.materials.conditions import Conditions
from matwright.materials.crystal import Crystal
from matwright.materials.interop import amounts
from matwright.materials.microstructure import Microstructure
from matwright.materials.molecule import Molecule
from matwright.materials.properties import PropertySpec
from matwright.serialization import hash_json
from matwright.units import convert

Structure = Crystal | Molecule | Composition | Microstructure
"""What a material can be: a crystal or layer, a molecule, a composition without a structure, or several phases (E2)."""


def amounts_of(structure: Structure) -> dict[int, float]:
    """Atomic number → atoms of it: in the cell of a crystal, in a molecule, or as a fraction of all."""
    if isinstance(structure, Crystal):
        return amounts(structure)
    if isinstance(structure, Molecule):
        return {number: float(count) for number, count in Counter(structure.numbers.tolist()).items()}
    found = structure.composition if isinstance(structure, Microstructure) else structure
    return dict(found.fractions)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyValue:
    """A measured or computed value of one property.

    Attributes:
        spec: name, unit and bounds.
        value: a number in the unit of `spec`, or one of its classes.
        std: standard deviation in the unit of `spec`, None where it is not known.

    Raises:
        InputError: at construction, when the value does not fit the spec.
    """

    spec: PropertySpec
    value: float | str
    std: float | None = None

    def __post_init__(self) -> None:
        if self.spec.classes:
            if self.value not in self.spec.classes:
                raise InputError(f"{self.spec.name} is one of {', '.join(self.spec.classes)}, found {self.value!r}")
            return
        if isinstance(self.value, str) or not math.isfinite(self.value):
            raise InputError(f"{self.spec.name} is a finite number in {self.spec.unit}, found {self.value!r}")
        below = self.spec.lower is not None and self.value < self.spec.lower
        above = self.spec.upper is not None and self.value > self.spec.upper
        if below or above:
            raise InputError(f"{self.spec.name} is {self.value:g} {self.spec.unit}, beyond what is physically possible")
        if self.std is not None and not 0 <= self.std < math.inf:
            raise InputError(f"a standard deviation of {self.spec.name} is at least 0, found {self.std}")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """A material M = (S, P, C); compare by `content_hash`.

    Attributes:
        structure: S.
        properties: P, at most one value a property; what is not known is not there.
        conditions: C, None where none are stated.
        id: name in its source, "" for none; no part of the content.

    Raises:
        InputError: at construction, when a property stands twice.
    """

    structure: Structure
    properties: tuple[PropertyValue, ...] = ()
    conditions: Conditions | None = None
    id: str = ""

    def __post_init__(self) -> None:
        names = [value.spec.name for value in self.properties]
        if len(set(names)) != len(names):
            raise InputError(f"a property stands twice: {', '.join(names)}")

    def value(self, name: str, unit: str) -> float | None:
        """The number of a property in `unit`, None where it is not known.

        Raises:
            InputError: the property is no number or the unit does not fit.
        """
        for found in self.properties:
            if found.spec.name == name:
                if isinstance(found.value, str):
                    raise InputError(f"{name} is a class ({found.value!r}), not a number")
                return convert(found.value, found.spec.unit, unit)
        return None

    @property
    def composition(self) -> Composition:
        """What the material is made of."""
        if isinstance(self.structure, Composition):
            return self.structure
        return Composition.from_amounts(amounts_of(self.structure))

    def content_hash(self) -> str:
        """A hex digest of structure, properties and conditions; neither the id nor the order of properties matters."""
        values = sorted(self.properties, key=lambda value: value.spec.name)
        conditions = None if self.conditions is None else self.conditions.content_hash()
        return hash_json(["material", self.structure.content_hash(), values, conditions])
