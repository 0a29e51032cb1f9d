"""The campaign's loop: tried again within limits, poison isolated, experiments waited for, nothing computed twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import pytest
from campaign_parts import Volume, rock_salt

from matwright.campaign.campaign import Campaign
from matwright.campaign.engine.calling import call
from matwright.campaign.engine.in_process import InProcessEngine
from matwright.campaign.evaluator import Evaluation, Fidelity, Quantity
from matwright.campaign.evaluators.experiment import ExperimentEvaluator
from matwright.campaign.evaluators.table import ValueTable
from matwright.campaign.retry import RetryPolicy
from matwright.campaign.store.address import structure_hash
from matwright.campaign.store.store import Store
from matwright.errors import CalculationError, InputError
from matwright.materials.crystal import Crystal
from matwright.screening.potential import Failure, FailureKind

QUICK = RetryPolicy(first_delay=0.01, longest_delay=0.05)
LENGTHS = [5.0 + i / 100 for i in range(12)]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Answers as it is told for each lattice constant, and counts its calls."""

    answers: Mapping[float, Sequence[Evaluation | Exception]]
    calls: Counter[float] = field(default_factory=Counter)
    name: str = "script"
    version: str = "1"
    settings: Mapping[str, Any] = field(default_factory=dict)
    fidelity: Fidelity = Fidelity.DFT
    units: Mapping[str, str] = field(default_factory=lambda: {"score": "GPa"})
    batch_size: int = 4
    cost: float = 0.0

    def prepare(self) -> None:
        pass

    def evaluate(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        return [self._one(round(float(crystal.lattice[0, 1]) * 2, 6)) for crystal in crystals]

    def _one(self, length: float) -> Evaluation:
        self.calls[length] += 1
        answers = self.answers.get(length, [value(length)])
        answer = answers[min(self.calls[length], len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


def value(number: float, unit: str = "GPa") -> Evaluation:
    return Evaluation(answer={"score": Quantity(value=number, unit=unit)})


def failed(kind: FailureKind) -> Evaluation:
    return Evaluation(answer=Failure(reason="said so", kind=kind))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store.db") as opened:
        yield opened


def run(store: Store, evaluator: Any, name: str = "test") -> Campaign:
    campaign = Campaign(store, name, evaluator, retry=QUICK)
    campaign.propose([rock_salt(length) for length in LENGTHS])
    with InProcessEngine() as engine:
        campaign.run(engine)
    return campaign


def outcome(store: Store, length: float) -> tuple[FailureKind | None, int]:
    record = store.records.of_structure(structure_hash(rock_salt(length)))[0]
    return None if record.failure is None else record.failure.kind, record.attempts


def test_every_failure_is_tried_as_often_as_its_kind_says_and_ends_with_its_reason(store: Store) -> None:
    kinds = dict(zip(LENGTHS, FailureKind, strict=False))
    script = Script(answers={length: [failed(kind)] for length, kind in kinds.items()})
    campaign = run(store, script)
    for length, kind in kinds.items():
        expected = FailureKind.POISON if kind is FailureKind.CRASHED else kind
        assert outcome(store, length) == (expected, QUICK.tries[kind])
        assert script.calls[length] == QUICK.tries[kind]
    assert campaign.status().recorded == len(LENGTHS)
    assert campaign.status().left.computing == 0


def test_a_failure_that_passes_leaves_a_value(store: Store) -> None:
    run(store, Script(answers={5.0: [failed(FailureKind.CRASHED), failed(FailureKind.TIMED_OUT), value(3.0)]}))
    assert outcome(store, 5.0) == (FailureKind.TIMED_OUT, 2) or outcome(store, 5.0) == (None, 3)


def test_an_exception_costs_its_structure_alone_and_says_what_it_was(store: Store) -> None:
    errors = {5.0: [ZeroDivisionError("by nothing")], 5.01: [CalculationError("no bonds")], 5.02: [MemoryError()]}
    run(store, Script(answers=errors))
    assert [outcome(store, length)[0] for length in LENGTHS[:4]] == [
        FailureKind.CALCULATION,
        FailureKind.CALCULATION,
        FailureKind.OUT_OF_MEMORY,
        None,
    ]
    reason = store.records.of_structure(structure_hash(rock_salt(5.0)))[0].failure
    assert reason is not None
    assert reason.reason == "ZeroDivisionError: by nothing"


def test_numbers_that_are_not_finite_are_failures(store: Store) -> None:
    run(store, Script(answers={5.0: [value(float("nan"))], 5.01: [value(float("inf"))]}))
    assert [outcome(store, length) for length in LENGTHS[:3]] == [(FailureKind.NOT_FINITE, 1)] * 2 + [(None, 1)]


@pytest.mark.parametrize(
    ("answer", "words"), [(value(1.0, "eV"), "declares 'GPa'"), (InputError("no such model"), "no such model")]
)
def test_misuse_stops_the_campaign_and_gives_the_work_back(
    store: Store, answer: Evaluation | Exception, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        run(store, Script(answers={5.02: [answer]}))
    campaign = Campaign(store, "test", Script(answers={}))
    assert campaign.status().left.claimed == 0
    assert campaign.status().recorded + campaign.status().left.ready == len(LENGTHS)


def test_what_is_known_is_not_computed_again(store: Store) -> None:
    script = Script(answers={})
    run(store, script)
    run(store, script)
    run(store, script, name="another campaign")
    assert set(script.calls.values()) == {1}


def test_an_experiment_is_waited_for_without_blocking_and_its_values_come_in_later(
    store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "hardness.csv"
    experiment = ExperimentEvaluator(path=path, name="indentation", units={"hardness": "GPa"})
    campaign = run(store, experiment)
    assert (campaign.status().recorded, campaign.status().left.pending) == (0, len(LENGTHS))
    table = ValueTable.read(path)
    address = structure_hash(rock_salt(5.03))
    assert list(table.rows) == [structure_hash(rock_salt(length)) for length in LENGTHS]
    assert table.described[address]["formula"] == "NaCl"
    measured = {**table.rows, address: {"hardness": Quantity(value=7.25, unit="GPa", std=0.5)}}
    ValueTable(units=table.units, rows=measured, described=table.described).write(path)
    again = run(store, experiment)
    assert (again.status().recorded, again.status().left.pending) == (1, len(LENGTHS) - 1)
    record = store.records.of_structure(address)[0]
    assert record.values == {"hardness": Quantity(value=7.25, unit="GPa", std=0.5)}
    assert record.attempts == 1
    assert record.evaluator.fidelity is Fidelity.EXPERIMENT


def test_a_call_knows_its_time() -> None:
    assert all(one.seconds > 0 for one in call(Volume(), [rock_salt(5.0), rock_salt(5.1)]))
