"""Whether the usual valences of its elements can make a composition neutral: what most compounds with a gap have.

A compound has a gap where its electrons fill shells, and they do so where the elements can be in oxidation states that
are usual for them and add up to nothing: K+ Y3+ Cd2+ 3 Se2- does, K+ Y3+ Ag+ 3 Se2- lacks an electron, and the hole
makes it a metal. A property model learns this only roughly; the rule needs nothing but the composition. Many
compositions at once, no Python per composition.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from matwright.elements import ELECTRONEGATIVITY
from matwright.physics.chemistry import state_shares

RAREST = 1e-3
"""Products of shares below it count as 0: they are not looked for."""

USUAL = 0.02
"""From which likelihood on valences count as usual (ours).

Of 6,623 known crystals (training part of `mp_crystals.csv.gz`, gaps of the Materials Project) 72 % of those above it
have a gap of more than 0.3 eV, 7.5 % of those below; 82 % of all that have such a gap lie above (benchmarks/rules.py).
"""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def valence_likelihood(numbers: Integers, amounts: Floats) -> Floats:
    """Return (n,) how usual the oxidation states are that make n compositions neutral, 0 to 1.

    That is the largest product over the elements of the share of a state among the entries of its element in the
    Inorganic Crystal Structure Database (through pymatgen), over all choices of one state an element whose charges add
    up to 0 and whose anions are the more electronegative elements; 0 where there is none, or it is below `RAREST`. A
    single element has none. Mixed valence (Fe3O4) is not seen.

    Args:
        numbers: (n, width) atomic numbers, each once a row, 0 as padding.
        amounts: (n, width) their amounts, 0 as padding.
    """
    starts, charges, shares = _states()
    rows = np.arange(len(numbers))
    total, product = np.zeros(len(rows)), np.ones(len(rows))
    cation, anion = np.full(len(rows), -np.inf), np.full(len(rows), np.inf)  # electronegativities
    for column in range(numbers.shape[1]):
        number = numbers[rows, column]
        options = starts[number + 1] - starts[number]
        at = np.repeat(np.arange(len(rows)), options)
        state = np.arange(len(at)) - np.repeat(np.cumsum(options) - options, options) + starts[number[at]]
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
def _states() -> tuple[Integers, Floats, Floats]:
    """Of every atomic number the place of its first state (n + 1,), and charges and shares of all states.

    The padding 0 has one state without charge, with the share 1; a state rarer than `RAREST` is left out.
    """
    per_element = [state_shares(number) for number in range(1, len(ELECTRONEGATIVITY))]
    kept = [[(0, 1.0)]] + [
        [(state, share) for state, share in sorted(some.items()) if state != 0 and share >= RAREST]
        for some in per_element
    ]
    starts = np.concatenate([[0], np.cumsum([len(some) for some in kept])])
    flat = np.array([pair for some in kept for pair in some], dtype=np.float64)
    return starts.astype(np.int64), flat[:, 0], flat[:, 1]
