"""Relax what reinforcement learning wrote near its target, for the predictor `band-gap` to learn what a claim becomes.

    python scripts/relax_claims.py relaxed.csv.gz gap=100 --workers 2

Each RUN=NUMBER is the folder of an optimisation and how many of its crystals are relaxed, in a random order of those
that have a CIF there, hits or not, a formula once over all runs (CHGNet: fmax 0.1 eV/Å, smax 1 GPa, 250 steps at most).
The table has `id`, `source`, `formula`, `cif` (relaxed, primitive), `claimed_cif` (as the run wrote it, primitive), and
`predicted` and `predicted_std` (eV, of the run's model, before relaxation). Crystals are appended to OUT.jsonl as they
come: the same command goes on with an interrupted one. What did not relax is counted and left out.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from csv import DictReader
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from matwright.api.design.journal import Journal
from matwright.materials.crystal import Crystal
from matwright.materials.interop import from_cif, reduced_formula, to_cif
from matwright.materials.silence import quiet_warnings
from matwright.runs import provenance
from matwright.screening.relaxing import smallest_cell
from matwright.screening.trials import Trial, TrialSettings, try_crystals

COLUMNS = ("id", "source", "formula", "cif", "claimed_cif", "predicted", "predicted_std")
Claim = tuple[Crystal, float, float]
"""A crystal, its predicted gap, and the standard deviation of that, eV."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", nargs="+", metavar="RUN=NUMBER")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    journal = Journal(options.out.with_name(options.out.name + ".jsonl"))
    print(f"commit {provenance()['commit']}, seed {options.seed}")
    with quiet_warnings():
        done = {entry["key"] for entry in journal.entries}
        wanted = written(options.runs, options.seed, hits_alone=False)
        claims = {key: claim for key, claim in wanted if key not in done}
        settings = TrialSettings(potentials=("chgnet",), workers=options.workers)
        jobs, start, finished = [(key, claim[0]) for key, claim in claims.items()], time.perf_counter(), 0
        for trials in try_crystals(jobs, settings):
            for trial in trials:
                journal.append(relaxed(trial, claims[trial.key]))
            finished += len(trials)
            left = (time.perf_counter() - start) / finished * (len(claims) - finished)
            print(f"{finished}/{len(claims)}, about {left:.0f} s left", file=sys.stderr, flush=True)
    rows = [entry["row"] for entry in journal.entries if "row" in entry]
    pd.DataFrame(rows, columns=COLUMNS).to_csv(options.out, index=False, compression="gzip")
    print(f"{len(rows)} relaxed, {len(journal.entries) - len(rows)} left out: not relaxed")


def relaxed(trial: Trial, claim: Claim) -> dict[str, Any]:
    """One line of the journal: what a crystal, claimed with some predicted gap, has become."""
    if trial.crystal is None or not trial.converged:
        return {"key": trial.key, "failure": "not relaxed"}
    return {"key": trial.key, "row": row_of(trial.key, smallest_cell(trial.crystal), claim)}


def row_of(key: str, crystal: Crystal, claim: Claim) -> dict[str, Any]:
    """What a table says of a relaxed crystal and of the claim that it was."""
    names = {"id": key, "source": key.rpartition("-")[0], "formula": reduced_formula(crystal)}
    predicted = {"predicted": claim[1], "predicted_std": claim[2]}
    return names | {"cif": to_cif(crystal), "claimed_cif": to_cif(claim[0])} | predicted


def written(
    runs: list[str], seed: int, *, hits_alone: bool, refused: Callable[[Crystal], bool] = lambda _: False
) -> Iterator[tuple[str, Claim]]:
    """Name → what each run wrote, primitive cells, at most as many as asked for.

    Args:
        runs: RUN=NUMBER.
        seed: decides the order.
        hits_alone: leaves out what is no hit.
        refused: tells what is left out.
    """
    seen: set[str] = set()
    for word in runs:
        folder, _, number = word.rpartition("=")
        with (Path(folder) / "candidates.csv").open(newline="") as file:
            rows = [row for row in DictReader(file) if row["known"] == "0" and (row["hit"] == "1" or not hits_alone)]
        paths = {path.name.partition("_")[0]: path for path in (Path(folder) / "cifs").iterdir()}
        taken = 0
        for place in np.random.default_rng(seed).permutation(len(rows)):
            row = rows[place]
            if taken == int(number):
                break
            if row["formula"] in seen or row["id"] not in paths:
                continue
            crystal = from_cif(paths[row["id"]].read_text(encoding="utf-8"))
            if not refused(crystal):
                seen.add(row["formula"])
                taken += 1
                predicted = float(row["band_gap"]), float(row["band_gap_std"])
                yield f"{Path(folder).name}-{row['id']}", (smallest_cell(crystal), *predicted)


if __name__ == "__main__":
    main()
