"""Whether the usual valences of its elements can make a composition neutral: what most compounds with a gap have.

A compound has a gap where its electrons fill shells, and they do so where the elements can be in oxidation states that
are usual for them and add up to nothing: K+ Y3+ Cd2+ 3 Se2- does, K+ Y3+ Ag+ 3 Se2- lacks an electron, and the hole
makes it a metal. A property model learns this only roughly; the rule needs nothing but the composition. Many
compositions at once, no Python per composition.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from matwright.elements import ELECTRONEGATIVITY, SYMBOLS
from matwright.physics.chemistry import state_shares

ANIONS = {9: -1, 8: -2, 17: -1, 35: -1, 16: -2, 53: -1, 34: -2, 52: -2}
"""Charge of the anions, by atomic number, beside which shares of the states of cations are known."""
RAREST = 1e-3
"""Products of shares below it count as 0: they are not looked for."""

USUAL = 0.02
"""From which likelihood on valences count as usual (ours).

Of 6,623 known crystals (training part of `mp_crystals.csv.gz`, gaps of the Materials Project) 70 % of those above it
have a gap of more than 0.3 eV, 7 % of those below; 83 % of all that have such a gap lie above (benchmarks/rules.py).
"""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def valence_likelihood(numbers: Integers, amounts: Floats) -> Floats:
    """Return (n,) how usual the oxidation states are that make n compositions neutral, 0 to 1.

    That is the largest product over the elements of the share of a state among the entries of its element in the
    Inorganic Crystal Structure Database, over all choices of one state an element whose charges add up to 0 and whose
    anions are the more electronegative elements; 0 where there is none, or it is below `RAREST`. A single element has
    none. Mixed valence (Fe3O4) is not seen.

    Where the most electronegative element is one of `ANIONS` it is taken for that anion, and shares are those among
    compounds of it, since Cu2+ is usual beside oxygen and not beside selenium (D. W. Davies et al., Faraday Discuss.
    211, 553 (2018), through SMACT); else those among all entries (through pymatgen).

    Args:
        numbers: (n, width) atomic numbers, each once a row, 0 as padding.
        amounts: (n, width) their amounts, 0 as padding.
    """
    starts, charges, shares, anion_of = _states()
    pull = np.where(numbers > 0, np.nan_to_num(ELECTRONEGATIVITY[numbers]), -np.inf)
    beside = anion_of[np.take_along_axis(numbers, pull.argmax(axis=1)[:, None], axis=1)[:, 0]] * len(ELECTRONEGATIVITY)
    rows = np.arange(len(numbers))
    total, product = np.zeros(len(rows)), np.ones(len(rows))
    cation, anion = np.full(len(rows), -np.inf), np.full(len(rows), np.inf)  # electronegativities
    for column in range(numbers.shape[1]):
        number = numbers[rows, column]
        place = beside[rows] + number
        options = starts[place + 1] - starts[place]
        at = np.repeat(np.arange(len(rows)), options)
        state = np.arange(len(at)) - np.repeat(np.cumsum(options) - options, options) + starts[place[at]]
        product, charge = product[at] * shares[state], charges[state]
        electronegativity = ELECTRONEGATIVITY[number[at]]
        total = total[at] + charge * amounts[rows[at], column]
        cation = np.where(charge > 0, np.maximum(cation[at], electronegativity), cation[at])
        anion = np.where(charge < 0, np.minimum(anion[at], electronegativity), anion[at])
        rows, usual = rows[at], product >= RAREST
        rows, total, product = rows[usual], total[usual], product[usual]
        cation, anion = cation[usual], anion[usual]
    neutral = (np.abs(total) < 1e-6) & (anion > cation)
    found = np.zeros(len(numbers))
    np.maximum.at(found, rows[neutral], product[neutral])
    return found


@lru_cache(maxsize=1)
def _states() -> tuple[Integers, Floats, Floats, Integers]:
    """The states of every element beside every anion, one table behind the other, the first beside none of `ANIONS`.

    Returns the place of the first state of each element (n_tables · n + 1,), charges and shares of all states, and
    (n,) the table of each element where it is the most electronegative one. The padding 0 has one state without charge,
    with the share 1; a state rarer than `RAREST` is left out.
    """
    n = len(ELECTRONEGATIVITY)
    tables = [state_shares_beside(anion) for anion in (0, *ANIONS)]
    kept = [
        [(state, share) for state, share in sorted(table[number].items()) if state != 0 and share >= RAREST]
        if number
        else [(0, 1.0)]
        for table in tables
        for number in range(n)
    ]
    starts = np.concatenate([[0], np.cumsum([len(some) for some in kept])])
    flat = np.array([pair for some in kept for pair in some], dtype=np.float64)
    anion_of = np.zeros(n, dtype=np.int64)
    anion_of[list(ANIONS)] = np.arange(1, len(ANIONS) + 1)
    return starts.astype(np.int64), flat[:, 0], flat[:, 1], anion_of


@lru_cache(maxsize=16)
def state_shares_beside(anion: int) -> tuple[Mapping[int, float], ...]:
    """Return by atomic number (0 is nothing): oxidation state → its share among entries with that anion.

    Args:
        anion: atomic number, one of `ANIONS`, which then has its one state; 0 for any, as `state_shares` has them.
    """
    plain = [state_shares(number) for number in range(len(ELECTRONEGATIVITY))]
    if anion == 0:
        return tuple(plain)
    from smact import Species  # heavy: behind its door
    from smact.oxidation_states import OxidationStateProbabilityFinder

    finder, partner = OxidationStateProbabilityFinder(), Species(SYMBOLS[anion], ANIONS[anion])
    found: dict[str, dict[int, float]] = {}
    for word in finder.get_included_species():
        symbol, charge = word.rstrip("-0123456789"), int(word[len(word.rstrip("-0123456789")) :])
        if charge > 0:
            found.setdefault(symbol, {})[charge] = finder.pair_probability(Species(symbol, charge), partner)
    beside = [
        known if sum((known := found.get(SYMBOLS[number], {})).values()) > 0 else shares
        for number, shares in enumerate(plain)
    ]
    beside[anion] = {ANIONS[anion]: 1.0}
    return tuple(beside)
