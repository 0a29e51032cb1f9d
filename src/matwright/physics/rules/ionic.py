"""Pauling's rules and the bond valence sum: do the surroundings of the ions suit their size and charge?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from matwright.elements import SYMBOLS
from matwright.physics.rules.coordination import HOPPE, IonicBonds
from matwright.physics.rules.radii import SOFTNESS, bond_valence_length, ionic_radius
from matwright.physics.rules.subject import Subject
from matwright.physics.rules.verdict import Reference, RuleVerdict, judged, not_applicable

PAULING = "L. Pauling, J. Am. Chem. Soc. 51, 1010 (1929)"
SHANNON = "R. D. Shannon, Acta Cryst. A 32, 751 (1976)"
SIZE = Reference(
    rule="pauling_1_radius_ratio",
    title="cations have the neighbours that the ratio of the radii allows",
    text=f"{PAULING}, first rule; sixfold radii {SHANNON}; neighbours {HOPPE}; how far it holds J. George et al., "
    "Angew. Chem. Int. Ed. 59, 7569 (2020)",
)
VALENCE = Reference(
    rule="pauling_2_valence_sum",
    title="the bond strengths that reach an anion balance its charge",
    text=f"{PAULING}, second rule; neighbours {HOPPE}",
)
PARSIMONY = Reference(
    rule="pauling_5_parsimony",
    title="a cation has one kind of surroundings",
    text=f"{PAULING}, fifth rule; neighbours {HOPPE}",
)
INSTABILITY = Reference(
    rule="bond_valence",
    title="the lengths of its bonds give each ion its charge (global instability index)",
    text=(
        "M. O'Keeffe and N. E. Brese, J. Am. Chem. Soc. 113, 3226 (1991); index "
        "A. Salinas-Sanchez et al., J. Solid State Chem. 100, 201 (1992), there 0.2 with parameters of pairs"
    ),
    unit="v.u.",
)
RATIOS: Mapping[int, tuple[float, float]] = {
    2: (0.0, 0.155),
    3: (0.155, 0.225),
    4: (0.225, 0.414),
    6: (0.414, 0.732),
    8: (0.732, 1.0),
    12: (1.0, np.inf),
}
"""Coordination number → cation radius over anion radius: from where the anions touch in this polyhedron to the next."""
MAX_DEVIATION = 0.2
"""Share of an anion's charge by which the sum of the bond strengths may miss it, in the mean over the anions (ours)."""
MAX_INSTABILITY = 0.5
"""v.u. (ours): the parameters are those of elements; the published limit of 0.2 belongs to parameters of pairs."""
LEAST_SHARE = 0.5
"""Share of the cations that must be as the radii ask (ours): the rule holds for two of three surroundings in oxides,
J. George et al., Angew. Chem. Int. Ed. 59, 7569 (2020)."""


def radius_ratio(subject: Subject) -> RuleVerdict:
    """Value: share of the cations whose number of neighbours lies in the range of the ratio of radii."""
    bonds = subject.surroundings()
    if isinstance(bonds, str):
        return not_applicable(SIZE, bonds)
    misfits: Counter[str] = Counter()
    cations = np.flatnonzero(bonds.states > 0).tolist()
    for site in cations:
        ratio, coordination = _ratio(bonds, site), int(bonds.neighbours[site])
        if ratio is None:
            return not_applicable(SIZE, f"Shannon's table lacks an ion of {subject.states}")
        low, high = expected_ratios(coordination)
        if not low <= ratio < high:
            name = SYMBOLS[int(bonds.numbers[site])]
            misfits[f"{name} with {coordination} neighbours has ratio {ratio:.2f}, not {low:g} … {high:g}"] += 1
    kept = len(cations) - misfits.total()
    said = "".join(f"; {text}" for text, _ in misfits.most_common(2))
    return judged(
        SIZE, kept / len(cations), f"{kept} of {len(cations)} cations are as the radii ask{said}", lower=LEAST_SHARE
    )


def expected_ratios(coordination: int) -> tuple[float, float]:
    """The range of radius ratios of a number of neighbours; numbers between two polyhedra take both their ranges."""
    if coordination in RATIOS:
        return RATIOS[coordination]
    below = max((known for known in RATIOS if known < coordination), default=2)
    above = min((known for known in RATIOS if known > coordination), default=12)
    return RATIOS[below][0], RATIOS[above][1]


def _ratio(bonds: IonicBonds, site: int) -> float | None:
    """Radius of the cation over the mean radius of its anions, all sixfold; None where one is not tabulated."""
    own = ionic_radius(int(bonds.numbers[site]), float(bonds.states[site]), 6.0)
    sizes = [ionic_radius(int(bonds.numbers[anion]), float(bonds.states[anion]), 6.0) for anion in bonds.around(site)]
    known = [size for size in sizes if size is not None]
    return None if own is None or len(known) < len(sizes) else own / float(np.mean(known))


def valence_sum(subject: Subject) -> RuleVerdict:
    """Value: mean over the anions of |Σ z/CN of its cations − |z|| / |z|."""
    bonds = subject.surroundings()
    if isinstance(bonds, str):
        return not_applicable(VALENCE, bonds)
    strengths = bonds.states[bonds.cations] / bonds.neighbours[bonds.cations]
    received = np.bincount(bonds.anions, weights=strengths, minlength=len(bonds.states))
    anions = np.flatnonzero(bonds.states < 0)
    wanted = -bonds.states[anions]
    deviation = np.abs(received[anions] - wanted) / wanted
    worst = int(np.argmax(deviation))
    reason = (
        f"anions miss their charge by {100 * deviation.mean():.0f} % in the mean; "
        f"{SYMBOLS[int(bonds.numbers[anions[worst]])]} receives {received[anions[worst]]:.2f} for {wanted[worst]:.3g}"
    )
    return judged(VALENCE, float(deviation.mean()), reason, upper=MAX_DEVIATION)


def parsimony(subject: Subject) -> RuleVerdict:
    """Value: the greatest number of different coordination numbers that one cation element has; limit 1."""
    bonds = subject.surroundings()
    if isinstance(bonds, str):
        return not_applicable(PARSIMONY, bonds)
    kinds: dict[int, set[int]] = {}
    for site in np.flatnonzero(bonds.states > 0).tolist():
        kinds.setdefault(int(bonds.numbers[site]), set()).add(int(bonds.neighbours[site]))
    said = ", ".join(
        f"{SYMBOLS[number]} has {' and '.join(map(str, sorted(found)))} neighbours"
        for number, found in sorted(kinds.items())
    )
    return judged(PARSIMONY, float(max(map(len, kinds.values()))), said, upper=1.0)


def bond_valence(subject: Subject) -> RuleVerdict:
    """Value: the global instability index √(mean (Σ s − |z|)²) over all ions, s = exp((R − d) / 0.37 Å)."""
    bonds = subject.surroundings()
    if isinstance(bonds, str):
        return not_applicable(INSTABILITY, bonds)
    pairs = list(zip(bonds.numbers[bonds.cations].tolist(), bonds.numbers[bonds.anions].tolist(), strict=True))
    lengths = [bond_valence_length(cation, anion) for cation, anion in pairs]
    known = [length for length in lengths if length is not None]
    if len(known) < len(lengths):
        missing = next(pair for pair, length in zip(pairs, lengths, strict=True) if length is None)
        return not_applicable(INSTABILITY, f"no bond-valence parameters for {'-'.join(SYMBOLS[z] for z in missing)}")
    valences = np.exp((np.array(known) - bonds.lengths) / SOFTNESS)
    sums = sum(np.bincount(ends, valences, len(bonds.states)) for ends in (bonds.cations, bonds.anions))
    deviation = sums - np.abs(bonds.states)
    worst = int(np.argmax(np.abs(deviation)))
    reason = (
        f"{SYMBOLS[int(bonds.numbers[worst])]} has a valence sum of {np.asarray(sums)[worst]:.2f} for a charge of "
        f"{abs(bonds.states[worst]):.3g}, the farthest off of all ions"
    )
    return judged(INSTABILITY, float(np.sqrt((deviation**2).mean())), reason, upper=MAX_INSTABILITY)
