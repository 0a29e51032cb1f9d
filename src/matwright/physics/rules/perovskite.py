"""Will ABX3 (or A2BB'X6) be a perovskite? Tolerance factors of Goldschmidt and Bartel, and the octahedron's ratio."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from typing import final

import numpy as np

from matwright.elements import SYMBOLS
from matwright.physics.rules.coordination import IonicBonds
from matwright.physics.rules.ionic import PAULING, SHANNON
from matwright.physics.rules.radii import ionic_radius
from matwright.physics.rules.subject import Subject
from matwright.physics.rules.verdict import Reference, RuleVerdict, judged, not_applicable

BARTEL_TEXT = "C. J. Bartel et al., Sci. Adv. 5, eaav0693 (2019)"
GOLDSCHMIDT = Reference(
    rule="goldschmidt_tolerance",
    title="the sizes of A, B and X fit into a perovskite",
    text=f"V. M. Goldschmidt, Naturwissenschaften 14, 477 (1926); limits {BARTEL_TEXT}; radii {SHANNON}",
)
BARTEL = Reference(
    rule="bartel_tolerance",
    title="the improved tolerance factor allows a perovskite",
    text=f"{BARTEL_TEXT}; radii {SHANNON}",
)
OCTAHEDRON = Reference(
    rule="octahedral_factor",
    title="B is large enough for an octahedron of X, and not too large",
    text=f"{PAULING}; radii {SHANNON}",
)
GOLDSCHMIDT_LIMITS = (0.825, 1.059)
BARTEL_LIMIT = 4.18
OCTAHEDRON_LIMITS = (0.414, 0.732)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Perovskite:
    """Radii of the parts in Å (A twelvefold, B and X sixfold; B and B' as their mean), and the state of A."""

    a: float
    b: float
    x: float
    a_state: float
    names: str


def goldschmidt_tolerance(subject: Subject) -> RuleVerdict:
    """Value: t = (r_A + r_X) / (√2 (r_B + r_X))."""
    parts = perovskite_parts(subject)
    if isinstance(parts, str):
        return not_applicable(GOLDSCHMIDT, parts)
    value = (parts.a + parts.x) / (sqrt(2.0) * (parts.b + parts.x))
    low, high = GOLDSCHMIDT_LIMITS
    return judged(GOLDSCHMIDT, value, f"with {parts.names} the factor t is {value:.3f}", lower=low, upper=high)


def bartel_tolerance(subject: Subject) -> RuleVerdict:
    """Value: τ = r_X/r_B − n_A (n_A − (r_A/r_B) / ln(r_A/r_B)), n_A the oxidation state of A."""
    parts = perovskite_parts(subject)
    if isinstance(parts, str):
        return not_applicable(BARTEL, parts)
    ratio = parts.a / parts.b
    if ratio <= 1.0:
        return not_applicable(BARTEL, f"with {parts.names} A is not larger than B, where the factor is not defined")
    value = parts.x / parts.b - parts.a_state * (parts.a_state - ratio / log(ratio))
    return judged(BARTEL, value, f"with {parts.names} the factor τ is {value:.3f}", upper=BARTEL_LIMIT)


def octahedral_factor(subject: Subject) -> RuleVerdict:
    """Value: μ = r_B / r_X."""
    parts = perovskite_parts(subject)
    if isinstance(parts, str):
        return not_applicable(OCTAHEDRON, parts)
    value, (low, high) = parts.b / parts.x, OCTAHEDRON_LIMITS
    return judged(OCTAHEDRON, value, f"with {parts.names} the ratio B/X is {value:.3f}", lower=low, upper=high)


def perovskite_parts(subject: Subject) -> Perovskite | str:
    """The ions of a formula ABX3 or A2BB'X6 with the largest cation as A, or why there are none.

    Of a crystal whose bonds are known the B ions must have six neighbours and the A ions at least eight: other
    structures of such a formula are not spoken about.
    """
    if reason := subject.why_not_ionic():
        return reason
    if subject.states is None or subject.counts is None:
        return "the formula is not one of whole numbers"
    states, counts = subject.states.states, subject.counts
    anions = [number for number in counts if states[number] < 0]
    cations = [number for number in counts if states[number] > 0]
    shape = (sorted(counts[number] for number in cations), [counts[number] for number in anions])
    if shape not in (([1, 1], [3]), ([1, 1, 2], [6])):
        return f"{subject.formula} is not of the form ABX3 or A2BB'X6"
    a = _large_cation(cations, subject)
    sizes = {number: ionic_radius(number, states[number], 12.0 if number == a else 6.0) for number in counts}
    known = {number: size for number, size in sizes.items() if size is not None}
    if len(known) < len(sizes):
        return f"Shannon's table lacks an ion of {subject.states}"
    others = [number for number in cations if number != a]
    if subject.bonds is not None and (reason := _not_a_perovskite(subject.bonds, a, others)):
        return reason
    return Perovskite(
        a=known[a],
        b=float(np.mean([known[number] for number in others])),
        x=known[anions[0]],
        a_state=states[a],
        names=f"A = {SYMBOLS[a]}, B = {' and '.join(SYMBOLS[number] for number in others)}, X = {SYMBOLS[anions[0]]}",
    )


def _large_cation(cations: list[int], subject: Subject) -> int:
    """The ion of the A site: the one that occurs twice, else the larger of the two when both are sixfold."""
    states, counts = (subject.states.states if subject.states else {}), subject.counts or {}
    twice = [number for number in cations if len(cations) == 3 and counts[number] == 2]
    return (twice or sorted(cations, key=lambda number: -(ionic_radius(number, states[number], 6.0) or 0.0)))[0]


def _not_a_perovskite(bonds: IonicBonds, a: int, others: list[int]) -> str:
    around_a = bonds.neighbours[bonds.numbers == a]
    around_b = bonds.neighbours[np.isin(bonds.numbers, others)]
    if (around_b == 6).all() and (around_a >= 8).all():
        return ""
    return "the structure is no perovskite: B has not six neighbours, or A fewer than eight"
