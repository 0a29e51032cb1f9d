"""What a store costs: a million records written and searched, and trivial evaluations through the engine.

Records are rock salts of different lattice constants with one value each. The first ones (--written) go through the
store in transactions of 1,000, the rest is put into the same tables by plain SQL, which is quicker to wait for; the
best 100 are asked for by the largest value. The engine evaluates next to nothing on workers of Parsl, end to end: from
the start of the workers to the last record, and from the first record.

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
from matwright.campaign.store import schema
from matwright.campaign.store.address import structure_hash
from matwright.campaign.store.store import Store
from matwright.campaign.store.writing import Finding
from matwright.materials.crystal import Crystal

BATCH = 1000
FILL = 50_000  # rows of one statement
BEST = 100
TIMES = 20


def main() -> int:
    """Write, search, evaluate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--written", type=int, default=50_000)
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
                rng = np.random.default_rng(arguments.seed)
                write(store, min(arguments.written, arguments.records), rng)
                fill(address, arguments.records, rng)
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


def fill(address: str, n: int, rng: np.random.Generator) -> None:
    """Bring the number of records to n with rows like those that are there."""
    import sqlalchemy as sql

    url = address if "://" in address else f"sqlite:///{address}"
    engine = sql.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        last = connection.execute(sql.select(schema.records).order_by(schema.records.c.id.desc()).limit(1)).one()
        salt_row = connection.execute(sql.select(schema.structures).limit(1)).one()
        first = 1 + connection.execute(sql.select(sql.func.max(schema.structures.c.id))).scalar_one()
        place = 1 + last.id
        for start in range(0, n - last.id, FILL):
            more = range(start, min(start + FILL, n - last.id))
            names = [f"{i:064x}" for i in more]
            ids = [first + i for i in more]
            described = {"formula": salt_row.formula, "n_sites": salt_row.n_sites, "data": salt_row.data}
            like = {"evaluator_id": last.evaluator_id, "origin_id": last.origin_id, "attempts": 1, "seconds": 0.0}
            shared = {**like, "created": last.created}
            connection.execute(
                sql.insert(schema.structures),
                [{"id": number, "hash": name, **described} for number, name in zip(ids, names, strict=True)],
            )
            connection.execute(
                sql.insert(schema.records),
                [
                    {"id": place + i, "key": name, "structure_id": number, **shared}
                    for i, number, name in zip(more, ids, names, strict=True)
                ],
            )
            scores = rng.normal(size=len(names)).tolist()
            one = {"name": "score", "evaluator_id": last.evaluator_id, "unit": "Å^3"}
            connection.execute(
                sql.insert(schema.quantities),
                [{"record_id": place + i, "value": value, **one} for i, value in zip(more, scores, strict=True)],
            )
    engine.dispose()


def search(store: Store) -> None:
    """Time the query of the best."""
    chosen = next(one for one in store.records.evaluators() if one.version == "written")
    wall, cpu = [], []
    for _ in range(TIMES):
        before, used = time.perf_counter(), time.process_time()
        best = store.records.top("score", BEST, evaluator=chosen.id)
        wall.append(1e3 * (time.perf_counter() - before))
        cpu.append(1e3 * (time.process_time() - used))
    assert len(best) == min(BEST, store.records.count())
    print(
        f"best {BEST} of {store.records.count()} records: median {statistics.median(wall):.1f} ms by the clock "
        f"(least {min(wall):.1f}, most of {TIMES} {max(wall):.1f}), {statistics.median(cpu):.1f} ms of CPU here"
    )


if __name__ == "__main__":
    sys.exit(main())
