"""The rule base: all rules by name, and their verdicts on one material."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from matwright.materials.material import Structure
from matwright.physics.rules import alloy, ionic, neutrality, perovskite
from matwright.physics.rules.subject import Subject, examine
from matwright.physics.rules.verdict import Reference, RuleVerdict

_RULES: tuple[tuple[Reference, Callable[[Subject], RuleVerdict]], ...] = (
    (neutrality.NEUTRALITY, neutrality.charge_neutrality),
    (neutrality.BALANCE, neutrality.electronegativity_balance),
    (neutrality.USUAL_VALENCE, neutrality.usual_valence),
    (ionic.SIZE, ionic.radius_ratio),
    (ionic.VALENCE, ionic.valence_sum),
    (ionic.PARSIMONY, ionic.parsimony),
    (ionic.INSTABILITY, ionic.bond_valence),
    (perovskite.GOLDSCHMIDT, perovskite.goldschmidt_tolerance),
    (perovskite.BARTEL, perovskite.bartel_tolerance),
    (perovskite.OCTAHEDRON, perovskite.octahedral_factor),
    (alloy.SIZE, alloy.size),
    (alloy.CHEMISTRY, alloy.electronegativity),
    (alloy.ELECTRONS, alloy.electrons),
    (alloy.MISMATCH, alloy.mismatch),
    (alloy.CONCENTRATION, alloy.concentration),
)
REFERENCES: Mapping[str, Reference] = MappingProxyType({reference.rule: reference for reference, _ in _RULES})
"""Every rule of the base, by name."""


def explained_verdicts(structure: Structure, *, rules: Collection[str] | None = None) -> tuple[RuleVerdict, ...]:
    """The verdicts of the rules named (None: every rule of the base) on a structure, in the order of `REFERENCES`."""
    subject = examine(structure)
    return tuple(rule(subject) for reference, rule in _RULES if rules is None or reference.rule in rules)
