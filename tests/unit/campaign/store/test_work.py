"""Shared work: claimed once, freed when its owner dies or its lease runs out, gone when it is recorded."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from campaign_parts import Volume, rock_salt, store_address

from matwright.campaign.evaluator import Evaluation, Quantity
from matwright.campaign.store.owner import Owner
from matwright.campaign.store.store import Store
from matwright.campaign.store.work import OpenWork, Postponement, WorkQueue
from matwright.campaign.store.writing import Finding


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with store_address(request.param, tmp_path) as address, Store.open(address) as opened:
        yield opened


def _queue(store: Store, *, lease: float = 60.0, owner: Owner | None = None, campaign: str = "a") -> WorkQueue:
    who = owner if owner is not None else Owner.this_process()
    return store.queue(store.campaign(campaign), store.register(Volume()), owner=who, lease=lease)


def _propose(store: Store, queue: WorkQueue, n: int, campaign: str = "a") -> None:
    store.propose(store.campaign(campaign), [rock_salt(5.0 + i / 100) for i in range(n)], queue=queue)


def _record(store: Store, queue: WorkQueue, *structures: str) -> int:
    found = Evaluation(answer={"score": Quantity(value=1.0, unit="GPa")})
    findings = [Finding(structure=structure, evaluation=found) for structure in structures]
    return store.settle(store.register(Volume()), findings, queue=queue)


def _counts(left: OpenWork) -> tuple[int, int, int, int]:
    return left.ready, left.waiting, left.claimed, left.pending


def test_no_two_claimants_get_the_same_work_and_all_of_it_is_got(store: Store) -> None:
    _propose(store, _queue(store), 60)
    queues = [_queue(store) for _ in range(4)]

    def take(queue: WorkQueue) -> list[str]:
        taken: list[str] = []
        while tasks := queue.claim(3):
            taken += [task.structure for task in tasks]
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [structure for part in pool.map(take, queues) for structure in part]
    assert len(taken) == len(set(taken)) == 60
    assert _counts(queues[0].left()) == (0, 0, 60, 0)


def test_first_wanted_first_claimed_and_recorded_work_is_gone(store: Store) -> None:
    queue = _queue(store)
    _propose(store, queue, 5)
    order = list(store.candidates(store.campaign("a")))
    tasks = queue.claim(3)
    assert [task.structure for task in tasks] == order[:3]
    assert _record(store, queue, *order[:3]) == 3
    assert _counts(queue.left()) == (2, 0, 0, 0)
    assert store.request(queue) == 0  # what is recorded is not wanted again
    assert [task.structure for task in queue.claim(9)] == order[3:]


def test_a_lease_that_runs_out_frees_its_work_and_a_renewed_one_does_not(store: Store) -> None:
    short, kept, other = _queue(store, lease=0.3), _queue(store, lease=0.3), _queue(store)
    _propose(store, short, 2)
    lost, held = short.claim(1)[0], kept.claim(1)[0]
    for _ in range(3):
        time.sleep(0.15)
        kept.renew()
    assert [task.structure for task in other.claim(5)] == [lost.structure]
    assert held.structure != lost.structure
    assert _record(store, short, lost.structure) == 1  # the slow one was first after all
    assert _record(store, other, lost.structure) == 0


def test_the_work_of_a_killed_process_is_free_at_once(store: Store) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    mine = Owner.this_process()
    machine, _, _, word = mine.name.split("|")
    start = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19]
    theirs = Owner(name="|".join([machine, str(process.pid), start, word]))
    elsewhere = Owner(name="|".join(["another-machine", str(process.pid), start, word]))
    queue = _queue(store, owner=mine)
    _propose(store, queue, 2)
    _queue(store, owner=theirs).claim(1)
    _queue(store, owner=elsewhere).claim(1)
    assert (queue.release_dead(), len(queue.claim(5))) == (0, 0)
    process.kill()
    process.wait()
    assert (queue.release_dead(), len(queue.claim(5))) == (1, 1)


def test_a_later_process_with_the_same_number_is_another(store: Store) -> None:
    mine = Owner.this_process()
    machine, pid, _, word = mine.name.split("|")
    assert not mine.knows_dead(mine.name)
    assert mine.knows_dead("|".join([machine, pid, "12", word]))


def test_a_failed_try_waits_and_a_pending_answer_is_no_try(store: Store) -> None:
    queue = _queue(store)
    _propose(store, queue, 2)
    failed, asked = queue.claim(2)
    later = [
        Postponement(structure=failed.structure, reason="crashed", delay=0.3, failed=True),
        Postponement(structure=asked.structure, reason="a value", delay=60.0, failed=False),
    ]
    store.settle(store.register(Volume()), [], queue=queue, postponed=later)
    left = queue.left()
    assert _counts(left) == (0, 1, 0, 1)
    assert left.next_in is not None
    assert 0.0 <= left.next_in <= 0.31
    assert queue.claim(5) == []
    time.sleep(0.35)
    again = queue.claim(5)
    assert [(task.structure, task.attempts) for task in again] == [(failed.structure, 1)]
    queue.wake_pending()
    assert [(task.structure, task.attempts) for task in queue.claim(5)] == [(asked.structure, 0)]


def test_two_campaigns_share_the_work_that_both_want(store: Store) -> None:
    first, second = _queue(store, campaign="a"), _queue(store, campaign="b")
    _propose(store, first, 3, "a")
    _propose(store, second, 4, "b")
    mine = first.claim(9)
    assert len(mine) == 3
    assert [task.structure for task in second.claim(9)] == [list(store.candidates(store.campaign("b")))[3]]
    _record(store, first, *[task.structure for task in mine])
    assert _counts(second.left()) == (0, 0, 1, 0)
