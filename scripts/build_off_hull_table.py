"""Relax crystals from far above the hull, for the predictor `mp-crystal` to learn what instability looks like.

    matwright optimise mp-generator --target "bulk_modulus>=300 GPa" --steps 60 --seed 200 --out hard
    python scripts/build_off_hull_table.py off_hull.csv.gz mp-generator=1000 random=600 ion-exchange=800 hard=400

The Materials Project's tables hold crystals on the hull or close to it. A predictor that has learned from these alone
calls nearly everything stable, and reinforcement learning finds out where. Each SOURCE=NUMBER is a generator, shipped
or the folder of a trained or tuned one, and how many of its crystals are relaxed with CHGNet (fmax 0.1 eV/Å, smax
1 GPa, 250 steps at most). Left out and counted: what did not converge, atoms that overlap, and energies that no crystal
has. The table has `id`, `source`, `formula`, `cif` (relaxed, primitive), `formation_energy_per_atom` and `e_above_hull`
in eV/atom (CHGNet, MP2020 corrections, against CHGNet's own elemental references). Relaxed crystals are appended to
OUT.jsonl as they come: the same command goes on with an interrupted one. Data: MATWRIGHT_DATA or ../shared/data (the
parents of ion exchange).
"""

from __future__ import annotations

import argparse
import gzip
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from csv import DictReader
from pathlib import Path
from typing import Any

import pandas as pd

from matwright.api.design.journal import Journal
from matwright.api.generate import load_generator
from matwright.data.hull import Hull
from matwright.data.references import load_references
from matwright.errors import CalculationError, InputError
from matwright.generation.baselines.ion_exchange import IonExchange
from matwright.generation.baselines.substitution import SubstitutionTable
from matwright.generation.interface import Generator
from matwright.materials.interop import from_cif, reduced_formula, to_cif
from matwright.physics.thermodynamics import stability
from matwright.rng import generator
from matwright.screening.relax import RelaxationSettings
from matwright.screening.relaxing import smallest_cell
from matwright.screening.trials import Trial, TrialSettings, try_crystals

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("MATWRIGHT_DATA", ROOT.parent / "shared" / "data"))
POTENTIAL = "chgnet"
PARENTS = 3000
LOWEST, HIGHEST = -0.2, 4.0
"""eV/atom from the hull; what lies further below it is an error of the potential, which is not to be learned."""
COLUMNS = ("id", "source", "formula", "cif", "formation_energy_per_atom", "e_above_hull")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("sources", nargs="+", metavar="SOURCE=NUMBER")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    relax_all(options)
    trials = [Trial.from_plain(line) for line in journal(options.out).entries]
    rows, left_out = table(trials)
    pd.DataFrame(rows, columns=COLUMNS).to_csv(options.out, index=False, compression="gzip")
    for source, count in sorted(Counter(row["source"] for row in rows).items()):
        print(f"{source}: {count} rows")
    for reason, count in left_out.most_common():
        print(f"left out: {reason}: {count}")
    print(f"relaxation: {sum(trial.cpu_seconds for trial in trials) / 60:.0f} CPU minutes")


def relax_all(options: argparse.Namespace) -> None:
    """Relax what has no line yet, the sources in turn."""
    kept = journal(options.out)
    done = {line["key"] for line in kept.entries}
    jobs = []
    for word in options.sources:
        name, _, number = word.rpartition("=")
        found = generator_of(name, options.seed).sample(int(number), seed=options.seed)
        jobs += [(f"{Path(name).name}-{place}", smallest_cell(some.crystal)) for place, some in enumerate(found)]
    jobs = sorted((job for job in jobs if job[0] not in done), key=lambda job: int(job[0].rpartition("-")[2]))
    settings = TrialSettings(
        potentials=(POTENTIAL,),
        relaxation=RelaxationSettings(fmax=0.1, smax=1.0, max_steps=250),
        workers=options.workers,
    )
    start, finished = time.perf_counter(), 0
    for trials in try_crystals(jobs, settings):
        kept.append_all([trial.to_plain() for trial in trials])
        finished += len(trials)
        left = (time.perf_counter() - start) / finished * (len(jobs) - finished)
        print(f"{finished}/{len(jobs)} relaxed, about {left:.0f} s left", file=sys.stderr, flush=True)


def generator_of(name: str, seed: int) -> Generator:
    """A generator by name or folder; ion exchange starts from crystals of the training part."""
    if name != "ion-exchange":
        return load_generator(name)
    with gzip.open(DATA / "mp_crystals.csv.gz", "rt", encoding="utf-8", newline="") as file:
        train = [row for row in DictReader(file) if row["split"] == "train"]
    crystals, ids, unread = [], [], 0
    for place in generator(seed, "parents").permutation(len(train))[:PARENTS]:
        try:
            crystals.append(from_cif(train[place]["cif"]))
        except InputError:
            unread += 1
            continue
        ids.append(train[place]["material_id"])
    print(f"ion exchange: {unread} of {PARENTS} parents cannot be read")
    return IonExchange.from_crystals(crystals, ids, table=SubstitutionTable.load())


def table(trials: Sequence[Trial]) -> tuple[list[dict[str, Any]], Counter[str]]:
    """The rows, and how many crystals were left out for which reason."""
    references, hull = load_references(POTENTIAL), Hull.load()
    rows, left_out = [], Counter[str]()
    for trial in trials:
        if trial.crystal is None:
            left_out["the relaxation failed"] += 1
        elif not trial.converged:
            left_out["not relaxed after 250 steps"] += 1
        else:
            crystal = smallest_cell(trial.crystal)
            try:
                found = stability(crystal, trial.energies[POTENTIAL], references, hull)
            except CalculationError:
                left_out["an element without a reference"] += 1
                continue
            row = {"id": trial.key, "source": trial.key.rpartition("-")[0], "formula": reduced_formula(crystal)}
            row |= {"cif": to_cif(crystal), "formation_energy_per_atom": found.formation_energy}
            try:
                from_cif(row["cif"])
            except InputError:
                left_out["atoms overlap in the relaxed crystal"] += 1
                continue
            if not LOWEST <= found.e_above_hull <= HIGHEST:
                left_out[f"not within {LOWEST} to {HIGHEST} eV/atom of the hull"] += 1
                continue
            rows.append(row | {"e_above_hull": found.e_above_hull})
    return rows, left_out


def journal(out: Path) -> Journal:
    """The file of single results beside the table."""
    return Journal(out.with_name(out.name + ".jsonl"))


if __name__ == "__main__":
    main()
