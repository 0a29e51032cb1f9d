"""The rungs after relaxation: hull distances, duplicates, failures, ranking."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import finished
import numpy as np
import pytest

from matwright.api.design import result
from matwright.api.design.records import DesignRecord
from matwright.api.design.tables import candidates_csv, cif_text
from matwright.materials.crystal import Crystal
from matwright.materials.interop import from_cif
from matwright.screening.relax import Outcome


def test_hull_distance_is_what_the_energies_say_and_the_limit_holds() -> None:
    outcome = finished.finish()
    distances = []
    for record in outcome.relaxed:
        rung = record.rung(result.HULL)
        assert rung is not None
        measured = rung.measured("e_above_hull")
        assert measured is not None
        assert measured.value is not None
        distances.append(measured.value)
        assert rung.passed == (measured.value <= 0.1)
        assert (rung.code, rung.version) == ("chgnet", "0.3.0")
    assert sorted(distances) == pytest.approx([0.02 * place for place in range(8)], abs=1e-9)
    assert 0 < len(outcome.ranked) < 8


def test_a_failure_costs_one_candidate_and_is_told_apart_from_not_converged() -> None:
    def outcomes(place: int, record: DesignRecord, hull: float) -> Outcome:
        if place == 0:
            return finished.failure(place, record, hull)
        return finished.relaxation(record, hull, fmax=0.5 if place == 1 else 0.01)

    outcome = finished.finish(outcomes)
    stopped = {record.reason for record in outcome.relaxed if record.reached == result.RELAXATION}
    assert stopped == {"no energy", "fmax 0.5 eV/Å is above the upper limit 0.1 eV/Å"}
    assert len(outcome.ranked) == 6


def test_of_equal_relaxed_structures_the_lowest_in_energy_stays() -> None:
    shared: list[Crystal] = []

    def outcomes(place: int, record: DesignRecord, hull: float) -> Outcome:
        done = finished.relaxation(record, hull - 0.001 * place)
        if place < 2:  # the first two end in one and the same crystal, the second of them lower
            shared.append(record.candidate.crystal)
            crystal = shared[0]
            return replace(done, crystal=crystal, energy=(hull - 0.001 * place) * len(crystal))
        return done

    outcome = finished.finish(outcomes)
    twins = [r for r in outcome.relaxed if r.reached == result.RECHECK and not r.alive]
    assert len(twins) == 1
    assert twins[0].reason.startswith("same structure as c")


def test_a_run_in_which_everything_fails_has_no_survivors_but_a_table() -> None:
    outcome = finished.finish(finished.failure)
    assert outcome.ranked == ()
    rows = list(csv.DictReader(io.StringIO(candidates_csv(outcome))))
    assert len(rows) == 80
    assert sum(row["reached"] == result.RELAXATION for row in rows) == 8


def test_the_table_has_the_same_bytes_whatever_the_clock_says() -> None:
    def slower(place: int, record: DesignRecord, hull: float) -> Outcome:
        return replace(finished.relaxation(record, hull + 0.02 * place), seconds=99.0)

    assert candidates_csv(finished.finish()) == candidates_csv(finished.finish(slower))


def test_survivors_are_ranked_by_score() -> None:
    outcome = finished.finish()
    scores = []
    for record in outcome.survivors:
        rung = record.rung(result.PREDICTION)
        assert rung is not None
        factors = [m.value for m in rung.measurements if m.name.startswith("P(") and m.value is not None]
        measured = rung.measured("score")
        assert measured is not None
        assert measured.value == pytest.approx(float(np.prod(factors)))
        scores.append(measured.value)
    assert scores == sorted(scores, reverse=True)


def test_a_cif_is_the_same_crystal() -> None:
    record = finished.finish().survivors[0]
    back = from_cif(cif_text(record.crystal))
    assert back.volume / len(back) == pytest.approx(record.crystal.volume / len(record.crystal), rel=1e-6)
