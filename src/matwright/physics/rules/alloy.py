"""Will metals mix? The rules of Hume-Rothery and what has grown out of them for alloys of many elements."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from matwright.elements import BLOCKS, ELECTRONEGATIVITY, GROUP, MOLAR_VOLUME, SYMBOLS
from matwright.physics.rules.subject import Subject
from matwright.physics.rules.verdict import Reference, RuleVerdict, judged, not_applicable

HUME_ROTHERY = "W. Hume-Rothery, G. W. Mabbott, K. M. Channel Evans, Phil. Trans. R. Soc. A 233, 1 (1934)"
_RADII = "radii of the sphere of one atom's volume in the element"
SIZE = Reference(
    rule="hume_rothery_size",
    title="a solid solution: the atoms differ by at most 15 % in size",
    text=f"{HUME_ROTHERY}; {_RADII}",
)
CHEMISTRY = Reference(
    rule="hume_rothery_electronegativity",
    title="a solid solution: too little difference in electronegativity for a compound",
    text="L. S. Darken and R. W. Gurry, Physical Chemistry of Metals, McGraw-Hill (1953)",
)
ELECTRONS = Reference(
    rule="hume_rothery_electrons",
    title="the electrons an atom lie in the range of one phase",
    text="W. Hume-Rothery and G. V. Raynor, The Structure of Metals and Alloys, Institute of Metals (1954)",
    unit="e/atom",
)
MISMATCH = Reference(
    rule="size_mismatch",
    title="a solid solution of many elements: the spread of the sizes",
    text=f"X. Yang and Y. Zhang, Mater. Chem. Phys. 132, 233 (2012); {_RADII}",
)
CONCENTRATION = Reference(
    rule="valence_electron_concentration",
    title="a solid solution of many elements: the valence electrons ask for one lattice, not two",
    text="S. Guo et al., J. Appl. Phys. 109, 103505 (2011)",
    unit="e/atom",
)
MAX_SIZE_DIFFERENCE = 0.15
MAX_DIFFERENCE = 0.4
MAX_MISMATCH = 0.066
MANY = 4
"""Elements from which on an alloy is judged by the rules for many."""
BODY_CENTRED, FACE_CENTRED = 6.87, 8.0
PHASES = (("α, face-centred", 1.0, 1.40), ("β, body-centred", 1.45, 1.54), ("γ brass", 1.58, 1.66), ("ε", 1.70, 1.80))
_NOBLE = frozenset({29, 47, 79})
_PARTNERS = frozenset({12, 13, 30, 31, 32, 48, 49, 50, 51, 80})


def size(subject: Subject) -> RuleVerdict:
    """Value: the greatest difference of a radius from that of the commonest element, as a share of the latter."""
    if reason := _why_not(subject):
        return not_applicable(SIZE, reason)
    numbers = sorted(subject.amounts, key=lambda number: (-subject.amounts[number], number))
    radii = _radii(numbers)
    if np.isnan(radii).any():
        return not_applicable(SIZE, "an element has no tabulated volume")
    shares = np.abs(radii - radii[0]) / radii[0]
    worst = int(np.argmax(shares))
    reason = (
        f"{SYMBOLS[numbers[worst]]} ({radii[worst]:.2f} Å) differs by {100 * shares[worst]:.1f} % "
        f"from {SYMBOLS[numbers[0]]} ({radii[0]:.2f} Å)"
    )
    return judged(SIZE, float(shares[worst]), reason, upper=MAX_SIZE_DIFFERENCE)


def electronegativity(subject: Subject) -> RuleVerdict:
    """Value: greatest minus least electronegativity (Pauling)."""
    if reason := _why_not(subject):
        return not_applicable(CHEMISTRY, reason)
    known = {number: float(ELECTRONEGATIVITY[number]) for number in subject.amounts}
    if np.isnan(list(known.values())).any():
        return not_applicable(CHEMISTRY, "an element has no electronegativity on Pauling's scale")
    low, high = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
    reason = f"{SYMBOLS[high]} ({known[high]:.2f}) and {SYMBOLS[low]} ({known[low]:.2f}) are the farthest apart"
    return judged(CHEMISTRY, known[high] - known[low], reason, upper=MAX_DIFFERENCE)


def electrons(subject: Subject) -> RuleVerdict:
    """Value: conduction electrons an atom (Cu 1, Zn 2, Al 3, Sn 4), of alloys of Cu, Ag and Au."""
    if reason := _why_not(subject):
        return not_applicable(ELECTRONS, reason)
    numbers = set(subject.amounts)
    if not numbers & _NOBLE or not numbers & _PARTNERS or numbers - _NOBLE - _PARTNERS:
        return not_applicable(ELECTRONS, "it speaks of copper, silver and gold with metals of groups 2 and 12 to 15")
    fractions, valences = _fractions(subject), np.array([float(GROUP[number]) % 10 for number in subject.amounts])
    value = float(fractions @ valences)
    name, low, high = min(PHASES, key=lambda phase: max(phase[1] - value, value - phase[2], 0.0))
    reason = f"with {value:.2f} electrons an atom the nearest phase is {name}"
    return judged(ELECTRONS, value, reason, lower=low, upper=high)


def mismatch(subject: Subject) -> RuleVerdict:
    """Value: δ = √(Σ c_i (1 − r_i / r̄)²) over the atomic fractions c_i."""
    if reason := _why_not(subject, least=MANY):
        return not_applicable(MISMATCH, reason)
    radii, fractions = _radii(list(subject.amounts)), _fractions(subject)
    if np.isnan(radii).any():
        return not_applicable(MISMATCH, "an element has no tabulated volume")
    value = float(np.sqrt(fractions @ (1.0 - radii / (fractions @ radii)) ** 2))
    return judged(MISMATCH, value, f"the radii spread by {100 * value:.1f} % about their mean", upper=MAX_MISMATCH)


def concentration(subject: Subject) -> RuleVerdict:
    """Value: valence electrons an atom, d electrons included; between 6.87 and 8 two lattices are expected."""
    if reason := _why_not(subject, least=MANY):
        return not_applicable(CONCENTRATION, reason)
    if any(BLOCKS[number] in "sf" for number in subject.amounts):
        return not_applicable(CONCENTRATION, "it speaks of transition metals and the metals after them")
    groups = np.array([float(GROUP[number]) for number in subject.amounts])
    value = float(_fractions(subject) @ np.where(groups > 12, groups - 10, groups))
    if value >= FACE_CENTRED:
        return judged(CONCENTRATION, value, f"{value:.2f} electrons ask for a face-centred lattice", lower=FACE_CENTRED)
    reason = f"{value:.2f} electrons ask for a body-centred lattice"
    if value > BODY_CENTRED:
        reason = f"{value:.2f} electrons lie where body-centred and face-centred lattices stand side by side"
    return judged(CONCENTRATION, value, reason, upper=BODY_CENTRED)


def _radii(numbers: list[int]) -> NDArray[np.float64]:
    """(n,) Å, radius of the sphere with the volume of one atom in the element (Wigner and Seitz)."""
    volumes = np.array([float(MOLAR_VOLUME[number]) for number in numbers]) / 0.602214076  # Å³ an atom
    return np.asarray(np.cbrt(3.0 * volumes / (4.0 * np.pi)))


def _fractions(subject: Subject) -> NDArray[np.float64]:
    amounts = np.array(list(subject.amounts.values()))
    return np.asarray(amounts / amounts.sum())


def _why_not(subject: Subject, least: int = 2) -> str:
    if not subject.alloy:
        return f"{subject.formula} is no alloy of metals"
    return "" if len(subject.amounts) >= least else f"it speaks of alloys of at least {least} elements"
