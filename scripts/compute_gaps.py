"""Compute gaps of what reinforcement learning claims, for the predictor `band-gap` to learn where it errs.

    matwright optimise mp-generator --target "band_gap=1.5±0.2 eV" --target "e_above_hull<=0.1 eV/atom" --out gap
    python scripts/compute_gaps.py computed_gaps.csv.gz gap=30 --python ~/gpaw/bin/python

Each RUN=NUMBER is the folder of an optimisation and how many of its hits are computed, in a random order of those that
have a CIF there, a formula once over all runs; hits with open d or f shells are left out, since the calculation has no
magnetism and no U. A crystal is relaxed with CHGNet (fmax 0.1 eV/Å, smax 1 GPa, 250 steps at most) and its gap computed
with GPAW (`QuickGap`, PBE). The table has the columns of `relax_claims.py`, and `band_gap` of the relaxed crystal in
eV. Gaps are appended to OUT.jsonl as they come: the same command goes on with an interrupted one. Left out and
counted: what did not relax, and calculations that failed. Without a RUN it only says what an existing table holds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from relax_claims import COLUMNS as RELAXED_COLUMNS
from relax_claims import Claim, row_of, written

from matwright.api.design.journal import Journal
from matwright.generation.rl.reward import probability_met
from matwright.generation.rl.settings import RewardConfig
from matwright.materials.crystal import Crystal
from matwright.materials.silence import quiet_warnings
from matwright.materials.target import parse_target
from matwright.runs import provenance
from matwright.screening.dft.quick_gap import METAL, QuickGap, has_open_shells
from matwright.screening.potential import Failure
from matwright.screening.relaxing import smallest_cell
from matwright.screening.trials import Trial, TrialSettings, try_crystals

COLUMNS = (*RELAXED_COLUMNS, "band_gap")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", nargs="*", metavar="RUN=NUMBER")
    parser.add_argument("--python", default="python3", help="a Python that can import gpaw")
    parser.add_argument("--target", default="band_gap=1.5±0.2 eV", help="what the runs were to meet")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if not options.runs:
        report(pd.read_csv(options.out).to_dict("records"), options.target)
        return
    journal = Journal(options.out.with_name(options.out.name + ".jsonl"))
    gpaw = QuickGap(options.python)
    print(f"commit {provenance()['commit']}, seed {options.seed}; {gpaw}")
    with quiet_warnings():
        compute_all(options, journal, gpaw)
    left_out = Counter(entry["failure"] for entry in journal.entries if "failure" in entry)
    rows = [entry["row"] for entry in journal.entries if "row" in entry]
    pd.DataFrame(rows, columns=COLUMNS).to_csv(options.out, index=False, compression="gzip")
    report(rows, options.target)
    for reason, count in left_out.most_common():
        print(f"left out: {reason}: {count}")
    print(f"GPAW: {sum(entry['seconds'] for entry in journal.entries) / 60:.0f} CPU minutes")


def report(rows: list[dict[str, Any]], target: str) -> None:
    """Print how right the claims of each run are, and all."""
    for source in dict.fromkeys(row["source"] for row in rows):
        print(f"{source}: {summary([row for row in rows if row['source'] == source], target)}")
    print(f"all: {summary(rows, target)}" if rows else "no gap")


def summary(rows: list[dict[str, Any]], target: str) -> str:
    """How right the claims of some rows are."""
    names = ("band_gap", "predicted", "predicted_std")
    gaps, predicted, std = (np.array([row[name] for row in rows], dtype=np.float64) for name in names)
    wanted, reward = parse_target(target), RewardConfig()
    inside, metals, errors = wanted.satisfied(gaps), int((gaps < METAL).sum()), predicted - gaps
    likely = probability_met(wanted, predicted, reward.doubt * std) >= reward.chance
    return (
        f"{len(rows)} gaps, {inside.sum()} inside the target ({inside.mean():.0%}), {inside[likely].sum()} of the "
        f"{likely.sum()} that were likelier right than wrong; {metals} of metals; MAE of the prediction "
        f"{np.abs(errors).mean():.2f} eV, mean error {errors.mean():+.2f} eV"
    )


def compute_all(options: argparse.Namespace, journal: Journal, gpaw: QuickGap) -> None:
    """Relax and compute what has no line yet."""
    done = {entry["key"] for entry in journal.entries}
    wanted = written(options.runs, options.seed, hits_alone=True, refused=has_open_shells)
    claims = {key: claim for key, claim in wanted if key not in done}
    settings = TrialSettings(potentials=("chgnet",), workers=1)

    def compute(trial: Trial) -> dict[str, Any]:
        if trial.crystal is None or not trial.converged:
            return {"key": trial.key, "failure": "not relaxed", "seconds": 0.0}
        return computed(trial.key, smallest_cell(trial.crystal), claims[trial.key], gpaw)

    start, finished = time.perf_counter(), 0
    with ThreadPoolExecutor(options.workers) as pool:
        for trials in try_crystals([(key, claim[0]) for key, claim in claims.items()], settings):
            for entry in pool.map(compute, trials):
                journal.append(entry)
                finished += 1
                left = (time.perf_counter() - start) / finished * (len(claims) - finished)
                said = f"{finished}/{len(claims)}, about {left:.0f} s left: {entry['key']} "
                if "row" in entry:
                    row = entry["row"]
                    said += f"{row['formula']} {row['band_gap']:.2f} eV (predicted {row['predicted']:.2f})"
                else:
                    said += entry["failure"]
                print(said, file=sys.stderr, flush=True)


def computed(key: str, crystal: Crystal, claim: Claim, gpaw: QuickGap) -> dict[str, Any]:
    """One line of the journal: the gap of a relaxed crystal, which was claimed with some predicted gap."""
    start = time.perf_counter()
    gap = gpaw.gap(crystal)
    entry: dict[str, Any] = {"key": key, "seconds": time.perf_counter() - start}
    if isinstance(gap, Failure):
        return entry | {"failure": gap.reason}
    return entry | {"row": row_of(key, crystal, claim) | {"band_gap": gap}}


if __name__ == "__main__":
    main()
