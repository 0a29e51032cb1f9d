"""The cheap rules of the cascade: each maps a crystal and the user's thresholds to a verdict (E32)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from math import inf, isnan, nan
from typing import TypeAlias

from matwright.elements import symbol
from matwright.errors import CalculationError
from matwright.materials.crystal import Crystal
from matwright.materials.symmetry import point_rotations
from matwright.physics import chemistry, geometry
from matwright.screening.thresholds import Thresholds
from matwright.screening.verdict import Verdict

Rule: TypeAlias = Callable[[Crystal, Thresholds], Verdict]


def at_least(rule: str, value: float, threshold: float, unit: str, *, start: float | None = None) -> Verdict:
    """Verdict of "value ≥ threshold"; `start` is the `time.perf_counter()` at which measuring began."""
    return _judged(rule, value, threshold, unit, threshold - value, "below the lower limit", start)


def at_most(rule: str, value: float, threshold: float, unit: str, *, start: float | None = None) -> Verdict:
    """Verdict of "value ≤ threshold"."""
    return _judged(rule, value, threshold, unit, value - threshold, "above the upper limit", start)


def _judged(
    rule: str, value: float, threshold: float, unit: str, excess: float, problem: str, start: float | None
) -> Verdict:
    passed = not isnan(value) and excess <= 0
    shown = "" if unit == "1" else f" {unit}"
    reason = "" if passed else f"{rule} {value:.4g}{shown} is {problem} {threshold:.4g}{shown}"
    return Verdict(
        rule=rule,
        residual=0.0 if passed else (excess if not isnan(excess) else inf),
        threshold=threshold,
        passed=passed,
        reason=reason,
        seconds=0.0 if start is None else time.perf_counter() - start,
        value=value,
        unit=unit,
    )


def _yes_or_no(rule: str, reason: str, start: float, *, passed: bool) -> Verdict:
    residual = 0.0 if passed else 1.0
    return Verdict(
        rule=rule,
        residual=residual,
        threshold=0.0,
        passed=passed,
        reason="" if passed else reason,
        seconds=time.perf_counter() - start,
        value=residual,
        unit="1",
    )


def min_distance(crystal: Crystal, thresholds: Thresholds) -> Verdict:
    """Shortest distance in Å, self-images included."""
    start = time.perf_counter()
    return at_least("min_distance", geometry.min_distance(crystal), thresholds.geometry.min_distance, "Å", start=start)


def min_distance_share(crystal: Crystal, thresholds: Thresholds) -> Verdict:
    """Shortest distance as a share of twice the smallest covalent radius present: no pair can be meant to be nearer."""
    from matwright.elements import COVALENT_RADIUS

    start = time.perf_counter()
    radii = COVALENT_RADIUS[crystal.numbers]
    smallest = float(radii.min()) if not isnan(float(radii.min())) else 0.3
    share = geometry.min_distance(crystal) / (2 * smallest)
    return at_least("min_distance_share", share, thresholds.geometry.min_distance_share, "1", start=start)


def min_volume_per_atom(crystal: Crystal, thresholds: Thresholds) -> Verdict:
    """Volume per atom against its lower limit, Å³."""
    start = time.perf_counter()
    value = geometry.volume_per_atom(crystal)
    return at_least("min_volume_per_atom", value, thresholds.density.min_volume_per_atom, "Å³/atom", start=start)


def max_volume_per_atom(crystal: Crystal, thresholds: Thresholds) -> Verdict:
    """Volume per atom against its upper limit, Å³."""
    start = time.perf_counter()
    value = geometry.volume_per_atom(crystal)
    return at_most("max_volume_per_atom", value, thresholds.density.max_volume_per_atom, "Å³/atom", start=start)


def min_density(crystal: Crystal, thresholds: Thresholds) -> Verdict:
    """Mass density against its lower limit, g/cm³."""
    start = time.perf_counter()
    return at_least("min_density", geometry.density(crystal), thresholds.density.min_density, "g/cm³", start=start)


def max_density(crystal: Crystal, thresholds: Thresholds) -> Verdict:
    """Mass density against its upper limit, g/cm³."""
    start = time.perf_counter()
    return at_most("max_density", geometry.density(crystal), thresholds.density.max_density, "g/cm³", start=start)


def noble_gases(crystal: Crystal, thresholds: Thresholds) -> Verdict:
    """No noble gas, unless the user allows them: potentials call many of their compounds stable, and none is made."""
    start = time.perf_counter()
    found = chemistry.noble_gases_in(chemistry.counts_of(crystal))
    names = ", ".join(symbol(number) for number in sorted(found))
    return _yes_or_no(
        "noble_gases", f"contains {names}, a noble gas", start, passed=thresholds.chemistry.noble_gases or not found
    )


def charge_balance(crystal: Crystal, thresholds: Thresholds) -> Verdict:
    """Neutral with the more negative charge on the more electronegative element; elements and alloys pass."""
    start = time.perf_counter()
    passed = not thresholds.chemistry.charge_balance or chemistry.is_charge_balanced(chemistry.counts_of(crystal))
    reason = f"no oxidation states ({chemistry.OXIDATION_STATES}) make the composition neutral"
    return _yes_or_no("charge_balance", reason, start, passed=passed)


def min_operations(crystal: Crystal, thresholds: Thresholds) -> Verdict:
    """Order of the point group found within the tolerance, against the least that is asked for."""
    start = time.perf_counter()
    limits = thresholds.symmetry
    try:
        found = float(len(point_rotations(crystal, limits.symprec)))
    except CalculationError:
        found = 1.0  # nothing but the identity is certain
    return at_least("min_operations", found, float(limits.min_operations), "1", start=start)


RULES_OF_RUNG: Mapping[str, Mapping[str, Rule]] = {
    "density": {
        "min_volume_per_atom": min_volume_per_atom,
        "max_volume_per_atom": max_volume_per_atom,
        "min_density": min_density,
        "max_density": max_density,
    },
    "geometry": {"min_distance": min_distance, "min_distance_share": min_distance_share},
    "chemistry": {"noble_gases": noble_gases, "charge_balance": charge_balance},
    "symmetry": {"min_operations": min_operations},
}
"""The rules of each cheap rung; rungs and rules from cheap to dear."""

RULES: Mapping[str, Rule] = {
    name: rule for rung in ("density", "geometry", "chemistry") for name, rule in RULES_OF_RUNG[rung].items()
}
"""The rules that every candidate is held against, from cheap to dear."""


def rules_of(rung: str, thresholds: Thresholds) -> dict[str, Rule]:
    """The rules of a cheap rung; chemistry with those of the rule base that the thresholds name."""
    named = thresholds.chemistry.rule_base if rung == "chemistry" else ()
    return {**RULES_OF_RUNG[rung], **{name: partial(_of_rule_base, name) for name in named}}


def asked_rules(thresholds: Thresholds) -> dict[str, Rule]:
    """Every rule of density, geometry and chemistry, and that of symmetry where it asks for something."""
    rungs = ["density", "geometry", "chemistry", *(["symmetry"] if thresholds.symmetry.min_operations > 1 else [])]
    return {name: rule for rung in rungs for name, rule in rules_of(rung, thresholds).items()}


def _of_rule_base(name: str, crystal: Crystal, thresholds: Thresholds) -> Verdict:  # noqa: ARG001 (its limits are fixed)
    """A rule of the rule base; where it does not apply it passes, and says so."""
    from matwright.physics.rules.base import explained_verdicts  # slow to load: behind its door
    from matwright.physics.rules.verdict import Outcome

    start = time.perf_counter()
    (found,) = explained_verdicts(crystal, rules=(name,))
    unit = found.reference.unit
    if found.outcome is Outcome.DOES_NOT_APPLY:
        reason = f"does not apply: {found.reason}"
        seconds = time.perf_counter() - start
        return Verdict(rule=name, residual=0.0, threshold=nan, passed=True, reason=reason, seconds=seconds, unit=unit)
    if found.lower is not None and (found.upper is None or found.value < found.lower):
        return at_least(name, found.value, found.lower, unit, start=start)
    return at_most(name, found.value, inf if found.upper is None else found.upper, unit, start=start)
