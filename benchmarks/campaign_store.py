"""What a store costs: a million records written and searched, and trivial evaluations through the engine.

Records are rock salts of different lattice constants with one value each, written in transactions of 1,000; the best
100 are asked for by the largest value. The engine evaluates next to nothing on workers of Parsl, end to end: from the
start of the workers to the last record, and from the first record.

Run as: python benchmarks/campaign_store.py --records 1000000 --evaluations 10000 [--store postgresql://…/name]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent / "faults"))
from volume import VolumeEvaluator

from matwright.campaign.campaign import Campaign
from matwright.campaign.engine.in_process import InProcessEngine
from matwright.campaign.engine.interface import Engine
from matwright.campaign.engine.parsl_engine import ParslEngine
from matwright.campaign.engine.settings import EngineSettings
from matwright.campaign.evaluator import Evaluation, Quantity
from matwright.campaign.store.address import structure_hash
from matwright.campaign.store.store import Store
from matwright.campaign.store.writing import Finding
from matwright.materials.crystal import Crystal

BATCH = 1000
BEST = 100
TIMES = 20


def main() -> int:
    """Write, search, evaluate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--evaluations", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--store", help="path or URL of a new store [default: SQLite in a temporary folder]")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="campaign-store-") as folder:
        address = arguments.store or str(Path(folder) / "store.db")
        with Store.open(address) as store:
            if arguments.evaluations:
                for name, engine in engines(arguments.workers):
                    evaluate(store, name, engine, arguments.evaluations)
            if arguments.records:
                write(store, arguments.records, np.random.default_rng(arguments.seed))
                search(store)
    return 0


def engines(workers: int) -> Iterator[tuple[str, Engine]]:
    yield "in process", InProcessEngine()
    yield f"Parsl, {workers} workers", ParslEngine(EngineSettings(workers=workers))


def salt(place: int, name: int) -> Crystal:
    """A rock salt that no other place and name gives."""
    return Crystal(
        lattice=(1 - np.eye(3)) / 2 * (5.0 + place * 1e-6),
        frac_coords=np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]),
        numbers=np.array([11 + name, 17]),
    )


def evaluate(store: Store, name: str, engine: Engine, n: int) -> None:
    """Time n trivial evaluations from the first claim to the last record."""
    campaign = Campaign(store, name, VolumeEvaluator(version=name))
    campaign.propose([salt(i, 0) for i in range(n)])
    before, cpu, first = time.perf_counter(), cpu_seconds(), First()
    with engine:
        status = campaign.run(engine, progress=first)
        end, used = time.perf_counter(), cpu_seconds() - cpu
    later = (n - first.done) / (end - first.moment) if n > first.done else float("nan")
    print(
        f"{name}: {status.recorded} evaluations in {end - before:.1f} s, {n / (end - before):.0f}/s; "
        f"first records after {first.moment - before:.1f} s, then {later:.0f}/s; {used:.1f} CPU s in this process"
    )


class First:
    """Remembers when the first candidates were recorded, and how many they were."""

    def __init__(self) -> None:
        self.moment, self.done = 0.0, 0

    def start(self, stage: str, total: int | None = None) -> None:
        """Nothing to do."""

    def advance(self, n: int = 1) -> None:
        """Remember the first."""
        if n > 0 and not self.done:
            self.moment, self.done = time.perf_counter(), n

    def note(self, text: str) -> None:
        """Nothing to do."""

    def finish(self) -> None:
        """Nothing to do."""


def cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system


def write(store: Store, n: int, rng: np.random.Generator) -> None:
    """Record n values."""
    registered = store.register(VolumeEvaluator(version="written"))
    campaign = store.campaign("written")
    before, cpu = time.perf_counter(), cpu_seconds()
    for start in range(0, n, BATCH):
        crystals = [salt(i, 1) for i in range(start, min(start + BATCH, n))]
        store.propose(campaign, crystals)
        findings = [
            Finding(
                structure=structure_hash(crystal),
                evaluation=Evaluation(answer={"score": Quantity(value=float(value), unit="Å^3")}),
            )
            for crystal, value in zip(crystals, rng.normal(size=len(crystals)), strict=True)
        ]
        store.settle(registered, findings)
    seconds, used = time.perf_counter() - before, cpu_seconds() - cpu
    print(f"{n} records written in {seconds:.0f} s, {n / seconds:.0f}/s, {used:.0f} CPU s")


def search(store: Store) -> None:
    """Time the query of the best."""
    chosen = next(one for one in store.records.evaluators() if one.version == "written")
    times = []
    for _ in range(TIMES):
        before = time.perf_counter()
        best = store.records.top("score", BEST, evaluator=chosen.id)
        times.append(1e3 * (time.perf_counter() - before))
    assert len(best) == min(BEST, store.records.count())
    print(
        f"best {BEST} of {store.records.count()} records: median {statistics.median(times):.1f} ms, "
        f"slowest of {TIMES} {max(times):.1f} ms"
    )


if __name__ == "__main__":
    sys.exit(main())
