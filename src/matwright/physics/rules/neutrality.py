"""Charge neutrality and the balance of electronegativity."""

from __future__ import annotations

import math

from matwright.elements import ELECTRONEGATIVITY, SYMBOLS
from matwright.materials.composition import padded_compositions
from matwright.physics.chemistry import OXIDATION_STATES, least_charge
from matwright.physics.rules.subject import Subject
from matwright.physics.rules.verdict import Reference, RuleVerdict, judged, not_applicable
from matwright.physics.valence import USUAL, valence_likelihood

SMACT = "D. W. Davies et al., Chem 1, 617 (2016)"
NEUTRALITY = Reference(
    rule="charge_neutrality",
    title="some oxidation states make the formula neutral",
    text=f"{SMACT}; oxidation states of the set {OXIDATION_STATES} of SMACT, mixed valence by pymatgen",
    unit="e",
)
BALANCE = Reference(
    rule="electronegativity_balance",
    title="the anions are the more electronegative elements",
    text=f"L. Pauling, J. Am. Chem. Soc. 54, 3570 (1932); as a test {SMACT}",
)
USUAL_VALENCE = Reference(
    rule="usual_valence",
    title="usual oxidation states make the formula neutral: most compounds that do not have no gap",
    text="states of cations beside an anion, D. W. Davies et al., Faraday Discuss. 211, 553 (2018), other states by "
    "pymatgen, S. P. Ong et al., Comput. Mater. Sci. 68, 314 (2013); limit ours, from gaps of the Materials Project",
)
_RESOLUTION = 0.01  # of Pauling's scale: equal electronegativities give no direction


def charge_neutrality(subject: Subject) -> RuleVerdict:
    """Value: charge of the formula unit with the most fitting states, in e; limit 0."""
    if reason := _nothing_to_balance(subject):
        return not_applicable(NEUTRALITY, reason)
    if subject.counts is None:
        return not_applicable(NEUTRALITY, f"{subject.formula} has no formula of whole numbers")
    if subject.states is not None:
        how = "with mixed valence" if subject.states.mixed else "with one state an element"
        return judged(NEUTRALITY, 0.0, f"{subject.states} is neutral {how}", upper=0.0)
    value = least_charge(subject.counts)
    left = "" if math.isnan(value) else f"; at least {value:g} e are left over"
    reason = f"no oxidation states of {OXIDATION_STATES} make {subject.formula} neutral{left}"
    return judged(NEUTRALITY, value, reason, upper=0.0)


def electronegativity_balance(subject: Subject) -> RuleVerdict:
    """Value: least electronegativity of an anion minus the greatest of a cation; limit above 0."""
    if reason := _nothing_to_balance(subject):
        return not_applicable(BALANCE, reason)
    if subject.states is None:
        return not_applicable(BALANCE, "without neutral oxidation states there are no anions and cations to compare")
    states = subject.states.states
    if math.isnan(subject.states.margin):
        return not_applicable(BALANCE, "an element has no electronegativity on Pauling's scale")
    anion = min((number for number in states if states[number] < 0), key=_electronegativity)
    cation = max((number for number in states if states[number] > 0), key=_electronegativity)
    reason = (
        f"in {subject.states} the anion {SYMBOLS[anion]} has electronegativity {_electronegativity(anion):.2f} "
        f"and the cation {SYMBOLS[cation]} {_electronegativity(cation):.2f}"
    )
    return judged(BALANCE, subject.states.margin, reason, lower=_RESOLUTION)


def usual_valence(subject: Subject) -> RuleVerdict:
    """Value: product over the elements of their state's share, for the likeliest neutral choice (`physics.valence`)."""
    if reason := _nothing_to_balance(subject):
        return not_applicable(USUAL_VALENCE, reason)
    value = float(valence_likelihood(*padded_compositions([subject.amounts]))[0])
    said = f"the likeliest have {value:.2g}" if value else "none make it neutral"
    reason = f"of the usual oxidation states of its elements {said}"
    return judged(USUAL_VALENCE, value, reason, lower=USUAL)


def _electronegativity(number: int) -> float:
    return float(ELECTRONEGATIVITY[number])


def _nothing_to_balance(subject: Subject) -> str:
    if len(subject.amounts) < 2:
        return f"{subject.formula} is an element"
    return f"{subject.formula} consists of metals only" if subject.alloy else ""
