"""One worker's jobs in real processes: a crash, a hang, too much memory and misuse cost what they must and no more."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import pytest
from campaign_parts import Misbehaving, rock_salt

from matwright.campaign.engine import supervisor
from matwright.campaign.engine.interface import Limits
from matwright.campaign.engine.supervisor import Job, Report, end_nursery, run_job
from matwright.campaign.evaluator import Evaluation
from matwright.errors import InputError
from matwright.screening.potential import Failure, FailureKind

PARTS = str(Path(__file__).resolve().parents[1])


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([PARTS, os.environ.get("PYTHONPATH", "")]))
    yield
    end_nursery()


def job(evaluator: Misbehaving, *sizes: int, limits: Limits | None = None, seconds: float = 60.0) -> Job:
    """A job with one call for each size; lattice constants count up from 5.00 Å by 0.01."""
    lengths = iter(5.0 + i / 100 for i in range(1000))
    calls = tuple(tuple(rock_salt(next(lengths)) for _ in range(size)) for size in sizes)
    chosen = limits if limits is not None else Limits(seconds=20.0)
    return Job(evaluator=bytes(ForkingPickler.dumps(evaluator)), calls=calls, limits=chosen, seconds=seconds)


def kinds(report: Report) -> list[str]:
    """For each call: "ok", or what failed."""
    return [answer.kind.value if isinstance(answer, Failure) else "ok" for answer in report.answers]


def values(report: Report) -> list[Evaluation]:
    return [one for answer in report.answers if not isinstance(answer, Failure) for one in answer]


def test_each_death_costs_its_call_alone_and_says_how(capfd: pytest.CaptureFixture[str]) -> None:
    evaluator = Misbehaving(does={5.01: "exit", 5.03: "hang", 5.05: "kill"})
    start = time.perf_counter()
    report = run_job(job(evaluator, 1, 1, 1, 1, 1, 1, 1, limits=Limits(seconds=2.0)))
    assert kinds(report) == ["ok", "crashed", "ok", "timed out", "ok", "crashed", "ok"]
    reasons = [answer.reason for answer in report.answers if isinstance(answer, Failure)]
    assert reasons == [
        "the process ended with exit code 3",
        "took longer than its 2 s",
        "the process was killed by signal 9",
    ]
    assert time.perf_counter() - start < 30.0
    assert supervisor._nurseries[0].lives


def test_too_much_memory_is_a_failure_and_not_the_machines_problem() -> None:
    evaluator = Misbehaving(does={5.01: "eat memory"})
    report = run_job(job(evaluator, 1, 1, 1, limits=Limits(seconds=20.0, memory=1.0)))
    assert [one.failure.kind if one.failure else None for one in values(report)] == [
        None,
        FailureKind.OUT_OF_MEMORY,
        None,
    ]


def test_a_call_of_several_fails_as_one_and_later_calls_go_on() -> None:
    report = run_job(job(Misbehaving(does={5.02: "exit"}), 2, 2, 2))
    assert kinds(report) == ["ok", "crashed", "ok"]
    assert [len(values(report))] == [4]


def test_a_child_is_replaced_after_its_share_of_tasks() -> None:
    evaluator = Misbehaving(does={})
    report = run_job(job(evaluator, *[1] * 6, limits=Limits(tasks_per_process=2)))
    pids = [one.values["pid"].value for one in values(report)]
    assert [pids[0] == pids[1], pids[1] == pids[2], pids[2] == pids[3], len(set(pids))] == [True, False, True, 3]


def test_a_job_ends_when_its_time_is_over_and_the_rest_was_not_begun() -> None:
    report = run_job(job(Misbehaving(does={5.0: "nap"}), 1, 1, 1, seconds=0.1))
    assert kinds(report) == ["ok"]


def test_misuse_comes_back_as_a_sentence() -> None:
    assert run_job(job(Misbehaving(does={5.0: "misuse"}), 1)).misuse == "it cannot be used so"
    assert run_job(job(Misbehaving(does={}, prepares=False), 1)).misuse == "it cannot be prepared"


def test_an_evaluator_that_a_worker_cannot_import_is_misuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", str(Path(supervisor.__file__).resolve().parents[3]))
    assert "its module must be importable there" in run_job(job(Misbehaving(does={}), 1)).misuse


def test_computing_processes_have_one_thread_and_no_denormals() -> None:
    report = run_job(job(Misbehaving(does={}, torch=True), 1))
    found = values(report)[0].values
    assert (found["threads"].value, found["tiny"].value) == (1.0, 0.0)


def test_limits_say_what_is_wrong() -> None:
    with pytest.raises(InputError, match="seconds must be above 0"):
        Limits(seconds=0.0)
    with pytest.raises(InputError, match="memory must be above 0 GiB"):
        Limits(memory=-1.0)
