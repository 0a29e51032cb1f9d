"""What the user wants: bounds, ranges, values with a tolerance, and quantities to minimise or maximise (E8)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matwright.errors import InputError
from matwright.materials.formula import parse_elements, parse_formula
from matwright.materials.properties import KNOWN_PROPERTIES, PropertySpec, find_property
from matwright.units import convert, same_dimension

__all__ = ["Target", "TargetKind", "parse_elements", "parse_formula", "parse_target"]

_NUMBER = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"
_BOUND = re.compile(
    rf"(?P<name>[A-Za-z_]\w*)\s*(?P<op>>=|≥|>|<=|≤|<|==?)\s*(?P<first>{_NUMBER})"
    rf"(?:\s*(?P<joint>±|\+-|\+/-|\.\.)\s*(?P<second>{_NUMBER}))?\s*(?P<unit>.*)"
)
_OBJECTIVE = re.compile(r"(?P<kind>minimi[sz]e|maximi[sz]e)\s+(?P<name>\w+)")


class TargetKind(Enum):
    """How a target asks: the first four accept or reject a value, the last two rank."""

    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    RANGE = "range"
    VALUE = "value"
    MINIMISE = "minimise"
    MAXIMISE = "maximise"


_NEEDS = {
    TargetKind.MINIMUM: (True, False),
    TargetKind.MAXIMUM: (False, True),
    TargetKind.RANGE: (True, True),
    TargetKind.VALUE: (True, True),
    TargetKind.MINIMISE: (False, False),
    TargetKind.MAXIMISE: (False, False),
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One demand on one property.

    Attributes:
        name: the property.
        unit: unit of `lower` and `upper`: that of the property's spec.
        kind: see `TargetKind`; VALUE is lower = value - tolerance, upper = value + tolerance.
        lower, upper: accepted values, both inclusive; None where the kind has no such bound.

    Raises:
        InputError: at construction, when bounds are missing, not finite, superfluous or crossed.
    """

    name: str
    unit: str
    kind: TargetKind
    lower: float | None = None
    upper: float | None = None

    def __post_init__(self) -> None:
        if (self.lower is not None, self.upper is not None) != _NEEDS[self.kind]:
            raise InputError(f"{self.name}: a {self.kind.value} target does not fit bounds {self.lower}, {self.upper}")
        if not all(np.isfinite(bound) for bound in (self.lower, self.upper) if bound is not None):
            raise InputError(f"{self.name}: a bound of the target is not a finite number")
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise InputError(f"{self.name}: the lower bound {self.lower} is above the upper bound {self.upper}")

    @property
    def is_objective(self) -> bool:
        """Whether the target only ranks (minimise, maximise) and never rejects."""
        return self.kind in (TargetKind.MINIMISE, TargetKind.MAXIMISE)

    @property
    def asks_for_a_gap(self) -> bool:
        """Whether it is about the band gap, and no metal can meet it, or a metal does worst."""
        return self.name == "band_gap" and (self.kind is TargetKind.MAXIMISE or (self.lower or 0.0) > 0)

    @property
    def centre(self) -> float | None:
        """The wanted value of a range or value target, else its one bound, None for an objective; in `unit`."""
        bounds = [bound for bound in (self.lower, self.upper) if bound is not None]
        return sum(bounds) / len(bounds) if bounds else None

    def distance(self, value: ArrayLike) -> NDArray[np.float64]:
        """How far outside the accepted values each value lies, in `unit` and the shape of `value` (d of E28).

        0 inside, always 0 for an objective, NaN for NaN.
        """
        values = np.asarray(value, dtype=np.float64)
        below = 0.0 if self.lower is None else np.maximum(self.lower - values, 0.0)
        above = 0.0 if self.upper is None else np.maximum(values - self.upper, 0.0)
        return np.asarray(below + above + 0.0 * values)

    def satisfied(self, value: ArrayLike) -> NDArray[np.bool_]:
        """Whether each value is accepted; NaN is not."""
        return np.asarray(self.distance(value) == 0.0)

    def __str__(self) -> str:
        """The text that `parse_target` reads back to this target."""
        unit = "" if self.unit == "1" else f" {self.unit}"
        if self.is_objective:
            return f"{self.kind.value} {self.name}"
        if self.kind is TargetKind.MINIMUM:
            return f"{self.name}>={self.lower!r}{unit}"
        if self.kind is TargetKind.MAXIMUM:
            return f"{self.name}<={self.upper!r}{unit}"
        if self.kind is TargetKind.RANGE:
            return f"{self.name}={self.lower!r}..{self.upper!r}{unit}"
        bounds = np.array([self.lower, self.upper], dtype=np.float64)
        return f"{self.name}={_decimal(bounds.mean())!r}±{_decimal(np.ptp(bounds) / 2)!r}{unit}"


def _decimal(value: float) -> float:
    """The value to 12 significant digits: takes away what floating point added to a number that a person wrote."""
    return float(f"{value:.12g}")


def parse_target(text: str, known: Mapping[str, PropertySpec] = KNOWN_PROPERTIES) -> Target:
    """Read a demand; its numbers are converted into the unit of the property's spec in `known`.

    Forms: "bulk_modulus>=200 GPa", "e_above_hull<=50 meV/atom", "band_gap=1.2..1.8 eV", "band_gap=1.5±0.3 eV"
    (also "+-"), "minimise e_above_hull", "maximise bulk_modulus". `>` and `<` mean the same as `>=` and `<=`.

    Raises:
        InputError: the text cannot be read, the property or unit is unknown, the unit does not fit or is missing,
            or the demand lies outside what is physically possible.
    """
    cleaned = text.strip().replace("\u2212", "-")  # a typographic minus
    objective = _OBJECTIVE.fullmatch(cleaned)
    if objective:
        spec = find_property(objective["name"], known)
        kind = TargetKind.MINIMISE if objective["kind"].startswith("min") else TargetKind.MAXIMISE
        return Target(name=spec.name, unit=spec.unit, kind=kind)
    found = _BOUND.fullmatch(cleaned)
    if found is None:
        raise InputError(
            f"the target {text!r} cannot be read; write for instance 'bulk_modulus>=200 GPa', "
            "'band_gap=1.5±0.3 eV', 'band_gap=1.2..1.8 eV' or 'minimise e_above_hull'"
        )
    spec = find_property(found["name"], known)
    target = _bounded(found, spec, _unit_of(found["unit"].strip(), spec, text), text)
    _check_possible(target, spec, text)
    return target


def _unit_of(unit: str, spec: PropertySpec, text: str) -> str:
    if not unit:
        if spec.unit != "1":
            raise InputError(f"the target {text!r} has no unit; {spec.name} is given for instance in {spec.unit}")
        return "1"
    if not same_dimension(unit, spec.unit):
        raise InputError(f"{spec.name} is given in {spec.unit} or a unit of that kind, found {unit!r} in {text!r}")
    return unit


def _bounded(found: re.Match[str], spec: PropertySpec, unit: str, text: str) -> Target:
    first = _decimal(convert(float(found["first"]), unit, spec.unit))
    joint, op = found["joint"], found["op"][0]
    if joint is None:
        if op in ">≥":
            return Target(name=spec.name, unit=spec.unit, kind=TargetKind.MINIMUM, lower=first)
        if op in "<≤":
            return Target(name=spec.name, unit=spec.unit, kind=TargetKind.MAXIMUM, upper=first)
        raise InputError(f"the target {text!r} needs a tolerance or a range: {found['name']}={found['first']}±… {unit}")
    if op != "=":
        raise InputError(f"the target {text!r} has a bound and a tolerance or range; write {found['name']}=…")
    if joint == "..":
        upper = _decimal(convert(float(found["second"]), unit, spec.unit))
        return Target(name=spec.name, unit=spec.unit, kind=TargetKind.RANGE, lower=first, upper=upper)
    # A tolerance is a difference: the zero of the scale (°C) must not enter.
    tolerance = abs(_decimal(convert(float(found["second"]), unit, spec.unit) - convert(0.0, unit, spec.unit)))
    return Target(
        name=spec.name, unit=spec.unit, kind=TargetKind.VALUE, lower=first - tolerance, upper=first + tolerance
    )


def _check_possible(target: Target, spec: PropertySpec, text: str) -> None:
    too_low = spec.lower is not None and target.upper is not None and target.upper < spec.lower
    too_high = spec.upper is not None and target.lower is not None and target.lower > spec.upper
    if too_low or too_high:
        low = "-∞" if spec.lower is None else f"{spec.lower:g}"
        high = "∞" if spec.upper is None else f"{spec.upper:g}"
        raise InputError(f"the target {text!r} cannot be met: {spec.name} lies in {low}..{high} {spec.unit}")
