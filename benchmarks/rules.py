"""How many known crystals keep each rule of the rule base, and how many keep it by chance.

    python benchmarks/rules.py [--crystals 1000] [--seed 0]

Known crystals are drawn from the test part of `mp_crystals.csv.gz` (folder MATWRIGHT_DATA, default ../shared/data).
Two controls tell a rule that says something from one that everything keeps: `swapped` puts the atoms of each crystal on
its sites in random order, and `mixed` replaces its elements, each by one drawn from all elements of the sample.
A rule is counted where it applies.

Then, for each part of that table, how many crystals have a gap of the Materials Project of more than 0.3 eV, with and
without usual valences, at the limit of the rule and at that of RewardConfig.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from matwright.data.record import RejectionLog, parsed
from matwright.data.sources import open_source
from matwright.materials.composition import padded_compositions
from matwright.materials.crystal import Crystal
from matwright.materials.formula import parse_formula
from matwright.physics.rules.base import REFERENCES, explained_verdicts
from matwright.physics.rules.verdict import Outcome
from matwright.physics.valence import USUAL, valence_likelihood
from matwright.runs import provenance

DATA = Path(os.environ.get("MATWRIGHT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))

GAP = 0.3
"""eV."""


def main() -> None:
    """Print one line a rule."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--crystals", type=int, default=1000)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    rng = np.random.default_rng(given.seed)
    known = _sample(given.crystals, rng)
    elements = np.concatenate([np.unique(crystal.numbers) for crystal in known])
    sets = {
        "known": known,
        "swapped": [replace(crystal, numbers=rng.permutation(crystal.numbers)) for crystal in known],
        "mixed": [_mixed(crystal, elements, rng) for crystal in known],
    }
    counts = {name: _count(crystals) for name, crystals in sets.items()}
    made = provenance()
    print(f"{len(known)} crystals, seed {given.seed}, commit {made['commit']}")
    print("| rule | " + " | ".join(f"{name}: applies, holds" for name in sets) + " |")
    print("|---" * (1 + len(sets)) + "|")
    for rule in REFERENCES:
        print(f"| {rule} | " + " | ".join(_cell(found[rule]) for found in counts.values()) + " |")
    _print_gaps()


def _print_gaps() -> None:
    with gzip.open(DATA / "mp_crystals.csv.gz", "rt", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["band_gap"]]
    likelihood = valence_likelihood(*padded_compositions([parse_formula(row["formula"]) for row in rows]))
    has_gap = np.array([float(row["band_gap"]) > GAP for row in rows])
    print(
        "\n| part | limit | crystals | usual | with a gap: of the usual | of the others | usual: of those with a gap |"
    )
    print("|---|---|---|---|---|---|---|")
    for part in ("train", "val", "test"):
        own = np.array([row["split"] == part for row in rows])
        for limit in (USUAL, 10 * USUAL):
            usual, gap = likelihood[own] >= limit, has_gap[own]
            shares = [usual.mean(), gap[usual].mean(), gap[~usual].mean(), usual[gap].mean()]
            print(f"| {part} | {limit:g} | {own.sum()} | {' | '.join(f'{100 * share:.1f} %' for share in shares)} |")


def _sample(n: int, rng: np.random.Generator) -> list[Crystal]:
    source = open_source(DATA / "mp_crystals.csv.gz", structure="cif", split_column="split")
    with RejectionLog() as log:
        rows = [row for row in source.rows() if row.part == "test"]
        chosen = rng.permutation(len(rows))[:n]
        records = list(parsed((rows[place] for place in chosen.tolist()), log))
    return [record.structure for record in records if isinstance(record.structure, Crystal)]


def _mixed(crystal: Crystal, elements: np.ndarray, rng: np.random.Generator) -> Crystal:
    own = np.unique(crystal.numbers)
    others = rng.choice(elements, size=len(own), replace=False)
    return replace(crystal, numbers=others[np.searchsorted(own, crystal.numbers)])


def _count(crystals: list[Crystal]) -> dict[str, Counter[Outcome]]:
    found: dict[str, Counter[Outcome]] = {rule: Counter() for rule in REFERENCES}
    for crystal in crystals:
        for verdict in explained_verdicts(crystal):
            found[verdict.rule][verdict.outcome] += 1
    return found


def _cell(found: Counter[Outcome]) -> str:
    applies = found[Outcome.HOLDS] + found[Outcome.BROKEN]
    return f"{applies}, {100 * found[Outcome.HOLDS] / applies:.0f} %" if applies else "0"


if __name__ == "__main__":
    main()
