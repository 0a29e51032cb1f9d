"""Compute gaps of what reinforcement learning claims, for the predictor `band-gap` to learn where it errs.

    matwright optimise mp-generator --target "band_gap=1.5±0.2 eV" --target "e_above_hull<=0.1 eV/atom" --out gap
    python scripts/compute_gaps.py computed_gaps.csv.gz gap=30 --python ~/gpaw/bin/python

Each RUN=NUMBER is the folder of an optimisation and how many of its hits are computed, in a random order, a formula
once over all runs; hits with open d or f shells are left out, since the calculation has no magnetism and no U. A
crystal is relaxed with CHGNet (fmax 0.1 eV/Å, smax 1 GPa, 250 steps at most) and its gap computed with GPAW
(`quick_gap_settings`, PBE). The table has `id`, `source`, `formula`, `cif` (relaxed, primitive), `band_gap` and
`predicted` (of the run's model, before relaxation), both in eV. Gaps are appended to OUT.jsonl as they come: the same
command goes on with an interrupted one. Left out and counted: what did not relax, and calculations that failed.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from csv import DictReader, DictWriter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from matwright.api.design.journal import Journal
from matwright.errors import CalculationError
from matwright.materials.crystal import Crystal
from matwright.materials.interop import from_cif, primitive, reduced_formula, to_cif
from matwright.materials.silence import quiet_warnings
from matwright.runs import provenance
from matwright.screening.dft.calculation import DftPotential, Programs
from matwright.screening.dft.quick_gap import has_open_shells, quick_gap_settings
from matwright.screening.potential import Failure
from matwright.screening.relax import RelaxationSettings
from matwright.screening.trials import TrialSettings, crystal_of, plain_crystal, try_crystals

COLUMNS = ("id", "source", "formula", "cif", "band_gap", "predicted")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", nargs="+", metavar="RUN=NUMBER")
    parser.add_argument("--python", default="python3", help="a Python that can import gpaw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    journal = Journal(options.out.with_name(options.out.name + ".jsonl"))
    print(f"commit {provenance()['commit']}, seed {options.seed}")
    with quiet_warnings():
        compute_all(options, journal)
    left_out = Counter(entry["failure"] for entry in journal.entries if "failure" in entry)
    rows = [entry["row"] for entry in journal.entries if "row" in entry]
    with gzip.open(options.out, "wt", encoding="utf-8", newline="") as file:
        writer = DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    for source in dict.fromkeys(row["source"] for row in rows):
        pairs = np.array([(row["band_gap"], row["predicted"]) for row in rows if row["source"] == source])
        errors, metals = np.abs(pairs[:, 0] - pairs[:, 1]), int((pairs[:, 0] < 0.05).sum())
        print(f"{source}: {len(pairs)} gaps, {metals} of them metals, MAE of the prediction {errors.mean():.2f} eV")
    for reason, count in left_out.most_common():
        print(f"left out: {reason}: {count}")
    print(f"GPAW: {sum(entry['seconds'] for entry in journal.entries) / 60:.0f} CPU minutes")


def compute_all(options: argparse.Namespace, journal: Journal) -> None:
    """Relax and compute what has no line yet."""
    done = {entry["key"] for entry in journal.entries}
    claims = {key: claim for key, claim in claimed(options.runs, options.seed) if key not in done}
    settings = TrialSettings(
        potentials=("chgnet",), relaxation=RelaxationSettings(fmax=0.1, smax=1.0, max_steps=250), workers=1
    )
    jobs = [(key, claim["crystal"]) for key, claim in claims.items()]
    start, finished = time.perf_counter(), 0
    with ThreadPoolExecutor(options.workers) as pool:
        for trials in try_crystals(jobs, settings):
            relaxed = [trial for trial in trials if trial.crystal is not None and trial.converged]
            lost = {trial.key for trial in trials} - {trial.key for trial in relaxed}
            journal.append_all([{"key": key, "failure": "not relaxed", "seconds": 0.0} for key in sorted(lost)])
            work = partial(computed, options.python)
            for entry in pool.map(
                work, [(trial.key, plain_crystal(trial.crystal), claims[trial.key]) for trial in relaxed]
            ):
                journal.append(entry)
                finished += 1
                left = (time.perf_counter() - start) / finished * (len(jobs) - finished)
                word = (
                    f"{entry['row']['formula']} {entry['row']['band_gap']:.2f} eV"
                    if "row" in entry
                    else entry["failure"]
                )
                said = f"{claims[entry['key']]['predicted']:.2f}"
                print(
                    f"{finished}/{len(jobs)}, about {left:.0f} s left: {word} (predicted {said})",
                    file=sys.stderr,
                    flush=True,
                )


def claimed(runs: list[str], seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name → crystal and predicted gap of the hits of each run, at most as many as asked for."""
    seen: set[str] = set()
    for word in runs:
        folder, _, number = word.rpartition("=")
        with (Path(folder) / "candidates.csv").open(newline="") as file:
            hits = [row for row in DictReader(file) if row["hit"] == "1" and row["known"] == "0"]
        paths = {path.name.partition("_")[0]: path for path in (Path(folder) / "cifs").iterdir()}
        taken = 0
        for place in np.random.default_rng(seed).permutation(len(hits)):
            row = hits[place]
            if taken == int(number):
                break
            if row["formula"] in seen or row["id"] not in paths:
                continue
            crystal = from_cif(paths[row["id"]].read_text(encoding="utf-8"))
            if not has_open_shells(crystal):
                seen.add(row["formula"])
                taken += 1
                yield (
                    f"{Path(folder).name}-{row['id']}",
                    {"crystal": smallest(crystal), "predicted": float(row["band_gap"])},
                )


def computed(python: str, job: tuple[str, dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    """One line of the journal."""
    key, plain, claim = job
    crystal = smallest(crystal_of(plain))
    start = time.perf_counter()
    answer = DftPotential(quick_gap_settings(crystal), Programs(python=python)).evaluate([crystal])[0]
    entry: dict[str, Any] = {"key": key, "seconds": time.perf_counter() - start}
    if isinstance(answer, Failure):
        return entry | {"failure": answer.reason}
    if answer.band_gap is None:
        return entry | {"failure": "no empty band"}
    row = {"id": key, "source": key.rpartition("-")[0], "formula": reduced_formula(crystal), "cif": to_cif(crystal)}
    return entry | {"row": row | {"band_gap": answer.band_gap, "predicted": claim["predicted"]}}


def smallest(crystal: Crystal) -> Crystal:
    """The primitive cell, or the crystal itself where it has none that can be found."""
    try:
        return primitive(crystal)
    except CalculationError:
        return crystal


if __name__ == "__main__":
    main()
