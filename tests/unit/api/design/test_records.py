"""A candidate's record: a prefix of rungs, exact on paper."""

from __future__ import annotations

import json

import numpy as np
from toy import prototype

from matwright.api.design.outcomes import outcome_from_json, outcome_to_json
from matwright.api.design.records import DesignRecord, Measurement, Rung, record_from_json, record_to_json
from matwright.generation.interface import Candidate, Provenance
from matwright.screening.potential import Failure
from matwright.screening.relax import Relaxation
from matwright.screening.verdict import Verdict


def a_record() -> DesignRecord:
    candidate = Candidate(
        crystal=prototype(0, 22, 6), provenance=Provenance(generator="g", seed=7, index=3, parents=("mp-1", "mp-2"))
    )
    return DesignRecord(id="c00003", candidate=candidate)


def test_record_survives_json_bit_for_bit() -> None:
    verdict = Verdict(rule="r", residual=float("inf"), value=float("nan"), threshold=1 / 3, passed=False, reason="why")
    rung = Rung(
        name="rules",
        passed=False,
        reason="why",
        verdicts=(verdict,),
        measurements=(Measurement(name="m", value=0.1 + 0.2, unit="eV", lower=0.0, upper=None, level=0.9),),
    )
    record = a_record().climbed(rung, relaxed=prototype(1, 22, 6, 1.0123456789))
    back = record_from_json(json.loads(json.dumps(record_to_json(record))))
    assert json.dumps(record_to_json(back)) == json.dumps(record_to_json(record))
    assert back.crystal.content_hash() == record.crystal.content_hash()
    assert back.candidate.provenance == record.candidate.provenance


def test_the_last_measurement_counts_and_a_failed_rung_ends_the_climb() -> None:
    record = a_record()
    assert record.alive
    assert record.reached == "generated"
    for number, passed in ((1.0, True), (2.0, False)):
        taken = (Measurement(name="score", value=number, unit="1"),)
        record = record.climbed(Rung(name=f"r{number}", passed=passed, reason="no" * (not passed), measurements=taken))
    measured = record.measured("score")
    assert measured is not None
    assert measured.value == 2.0
    assert (record.alive, record.reason, record.reached) == (False, "no", "r2.0")
    assert record.measured("absent") is None


def test_outcomes_survive_json() -> None:
    relaxed = Relaxation(
        crystal=prototype(0, 12, 8),
        energy=-1.25,
        initial_energy=-1.0,
        fmax=0.01,
        smax=0.2,
        steps=12,
        converged=True,
        reason="",
        seconds=0.5,
        potential="chgnet 0.3.0",
    )
    back = outcome_from_json(json.loads(json.dumps(outcome_to_json(relaxed))))
    assert isinstance(back, Relaxation)
    assert np.array_equal(back.crystal.lattice, relaxed.crystal.lattice)
    assert back.energy == relaxed.energy
    failure = Failure(reason="no", seconds=1.0)
    assert outcome_from_json(outcome_to_json(failure)) == failure
