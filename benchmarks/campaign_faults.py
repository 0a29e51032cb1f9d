"""A campaign that is killed again and again: nothing lost, nothing recorded twice.

Candidates are rock salts of different lattice constants, evaluated by a lookup in which 5 % each crash their process,
hang, take too long, or give NaN. The campaign runs on workers of Parsl in a process group of its own, which is killed
with SIGKILL at random moments and started again by the same command. At the end the database itself is asked.

Run as: python benchmarks/campaign_faults.py --candidates 1000 --kills 50 [--store postgresql://postgres@host:5432/name]
"""

from __future__ import annotations

import argparse
import os
import random
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent / "faults"))
from faulty import Fault, FaultyLookup

from matwright.campaign.evaluator import Quantity
from matwright.campaign.evaluators.lookup import LookupEvaluator
from matwright.campaign.evaluators.table import ValueTable
from matwright.campaign.store.address import structure_hash
from matwright.materials.crystal import Crystal

SHARE = 0.05  # of the structures, for each kind of fault
LIMIT = 1.0  # s allowed for a structure
WORKING = "working"
NAME = "faults"


def main() -> int:
    """Run, kill, resume, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--store", help="path or URL of a new store [default: SQLite in a temporary folder]")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work is not None:
        return work(arguments)
    with tempfile.TemporaryDirectory(prefix="campaign-faults-") as folder:
        arguments.work = Path(folder)
        arguments.store = arguments.store or str(arguments.work / "store.db")
        write_table(arguments.work, candidates(arguments.candidates))
        start = time.perf_counter()
        kills = kill_and_resume(arguments)
        seconds = time.perf_counter() - start
        print(f"{arguments.candidates} candidates, {kills} kills, {seconds:.0f} s, {describe(arguments.store)}")
        return count(arguments)


def candidates(n: int) -> list[Crystal]:
    """Rock salts of n lattice constants."""
    sites = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
    cell = (1 - np.eye(3)) / 2
    return [Crystal(lattice=cell * (5.0 + i / 1000), frac_coords=sites, numbers=np.array([11, 17])) for i in range(n)]


def write_table(folder: Path, crystals: list[Crystal]) -> None:
    rows = {structure_hash(one): {"score": Quantity(value=one.volume, unit="GPa")} for one in crystals}
    ValueTable(units={"score": "GPa"}, rows=rows, described={}).write(folder / "table.csv")


def evaluator(folder: Path) -> FaultyLookup:
    table = LookupEvaluator.of(folder / "table.csv")
    return FaultyLookup(table=table, share=SHARE, slow=3 * LIMIT, log=folder / "calls.log")


def work(arguments: argparse.Namespace) -> int:
    """The campaign: the same command starts and resumes it."""
    from matwright.campaign.campaign import Campaign
    from matwright.campaign.engine.interface import Limits
    from matwright.campaign.engine.parsl_engine import ParslEngine
    from matwright.campaign.engine.settings import EngineSettings
    from matwright.campaign.retry import RetryPolicy
    from matwright.campaign.store.store import Store

    with Store.open(arguments.store) as store:
        campaign = Campaign(store, NAME, evaluator(arguments.work), retry=RetryPolicy(first_delay=0.2))
        campaign.propose(candidates(arguments.candidates))
        engine = ParslEngine(EngineSettings(workers=arguments.workers), limits=Limits(seconds=LIMIT))
        with engine:
            campaign.run(engine, progress=Told())
    return 0


class Told:
    """Says on the first line of the output when the first candidates are recorded."""

    def __init__(self) -> None:
        self._said = False

    def start(self, stage: str, total: int | None = None) -> None:
        """Say nothing."""

    def advance(self, n: int = 1) -> None:
        """Say it, once."""
        if n > 0 and not self._said:
            self._said = True
            print(WORKING, flush=True)

    def note(self, text: str) -> None:
        """Say nothing."""

    def finish(self) -> None:
        """Say nothing."""


def kill_and_resume(arguments: argparse.Namespace) -> int:
    """Start the campaign as often as needed; how often it was killed before it ended by itself."""
    chance = random.Random(arguments.seed)
    command = [sys.executable, __file__, "--candidates", str(arguments.candidates), "--store", arguments.store]
    command += ["--workers", str(arguments.workers), "--work", str(arguments.work)]
    kills = 0
    while True:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        assert process.stdout is not None
        with process.stdout:
            if kills < arguments.kills:
                kill_at_random(process, chance)
            code = process.wait()
        if code == 0:
            return kills
        if code > 0:
            raise SystemExit(f"the campaign ended by itself with exit code {code}")
        kills += 1
        print(f"killed {kills} of {arguments.kills}, by signal {-code}", file=sys.stderr, flush=True)


def kill_at_random(process: subprocess.Popen[bytes], chance: random.Random) -> None:
    """Kill the campaign's process group: mostly while it works, else at any moment of the start."""
    if chance.random() < 0.8:
        wait_for_word(process, 300.0)
        pause = chance.uniform(0.0, 2.0)
    else:
        pause = chance.uniform(0.0, 12.0)
    try:
        process.wait(pause)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def wait_for_word(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait until the campaign has recorded something."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.select(seconds)


def describe(store: str) -> str:
    return "PostgreSQL" if "://" in store else "SQLite"


def count(arguments: argparse.Namespace) -> int:
    """Ask the database itself what became of every candidate."""
    import sqlalchemy

    address = arguments.store if "://" in arguments.store else f"sqlite:///{arguments.store}"
    engine = sqlalchemy.create_engine(address.replace("postgresql://", "postgresql+psycopg://"))
    query = (
        "SELECT s.hash, r.failure, r.created, q.value FROM candidates c JOIN campaigns g ON g.id = c.campaign_id "
        "JOIN structures s ON s.id = c.structure_id LEFT JOIN records r ON r.structure_id = s.id "
        "LEFT JOIN quantities q ON q.record_id = r.id WHERE g.name = :name"
    )
    with engine.connect() as connection:
        rows = connection.execute(sqlalchemy.text(query), {"name": NAME}).all()
        open_work = connection.execute(sqlalchemy.text("SELECT COUNT(*) FROM work")).scalar_one()
    engine.dispose()
    faulty = evaluator(arguments.work)
    expected = {structure_hash(one): one.volume for one in candidates(arguments.candidates)}
    found = Counter(row.hash for row in rows if row.created is not None)
    wrong = 0
    for row in rows:
        fault = faulty.fault(row.hash)
        kind = None if fault.kind is None else fault.kind.value
        value = expected[row.hash] if fault is Fault.NONE else None
        wrong += row.created is not None and (row.failure != kind or row.value != value)
    created = {row.hash: row.created for row in rows}
    calls = [line.split() for line in faulty.log.read_text().splitlines()]
    again = sum(1 for address, moment in calls if created.get(address) and float(moment) > created[address])
    kinds = Counter("value" if row.failure is None else row.failure for row in rows if row.created is not None)
    print(", ".join(f"{kind}: {n}" for kind, n in sorted(kinds.items())))
    print(
        f"{len(calls)} calls begun, {again} of them after the record; wrong records {wrong}, work left over {open_work}"
    )
    lost = sum(1 for address in expected if not found[address])
    twice = sum(n - 1 for n in found.values() if n > 1)
    print(f"lost {lost}, twice {twice}")
    return 0 if lost == twice == wrong == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
