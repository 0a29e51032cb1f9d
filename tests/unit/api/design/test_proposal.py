"""Uniqueness, novelty, targets and selection: what each rung lets pass, and in which words it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy import FormulaPredictor, PrototypeGenerator, prototype

from matwright.api.design import DesignSettings, result
from matwright.api.design.distinct import Seen, fingerprint, group_of
from matwright.api.design.ingredients import gather
from matwright.api.design.judging import target_verdicts
from matwright.api.design.novelty import Library, read_known
from matwright.api.design.proposal import CHUNK, Proposer
from matwright.api.design.records import DesignRecord, Measurement
from matwright.api.design.run import tasks_of
from matwright.api.design.selection import Scoring, chosen_in_order, select
from matwright.data.known import KnownMaterials
from matwright.errors import InputError
from matwright.materials.constraints import Constraints
from matwright.materials.crystal import Crystal
from matwright.materials.interop import to_cif
from matwright.materials.target import parse_target

HARD = parse_target("bulk_modulus>=150 GPa")
SETTINGS = DesignSettings(targets=(HARD, parse_target("minimise e_above_hull")), budget=6, pool=60, per_formula=1)


@pytest.fixture(scope="module")
def pool() -> list[DesignRecord]:
    parts = gather(SETTINGS, generator=PrototypeGenerator(), predictors={"toy": FormulaPredictor()})
    proposer = Proposer(parts.settings, parts.generator, parts.surrogates, parts.library)
    return proposer.chunk(0)


def supercell(crystal: Crystal) -> Crystal:
    doubled = np.concatenate([crystal.frac_coords, crystal.frac_coords + np.array([1, 0, 0])]) / [2, 1, 1] + 0.1
    return Crystal(
        lattice=crystal.lattice * [[2], [1], [1]], frac_coords=doubled, numbers=np.concatenate(2 * [crystal.numbers])
    )


def test_group_and_fingerprint_do_not_depend_on_cell_and_origin() -> None:
    crystal = prototype(3, 20, 9)
    assert group_of(crystal) == group_of(supercell(crystal))
    assert group_of(crystal)[:2] == ("CaF2", 225)
    assert np.allclose(fingerprint(crystal), fingerprint(supercell(crystal)))


def test_a_twin_is_found_in_another_cell_and_a_polymorph_is_none() -> None:
    seen = Seen()
    crystal = prototype(0, 12, 8)
    seen.add("first", crystal, group_of(crystal))
    other = supercell(prototype(0, 12, 8, 1.02))
    assert seen.twin(other, group_of(other)) == "first"
    blende = prototype(1, 12, 8)
    assert seen.twin(blende, group_of(blende)) is None
    assert seen.twin(blende, group_of(crystal)) is None  # not even when the groups were the same


def test_known_structures_are_told_from_new_ones_of_known_compositions() -> None:
    library = Library()
    (rock_salt,) = library.verdicts(prototype(0, 11, 17), 225)
    assert not rock_salt.passed
    assert rock_salt.reason == "NaCl with space group 225 is a known material"
    (strange,) = library.verdicts(prototype(0, 12, 8), 3)
    assert (strange.passed, strange.reason) == (
        True,
        "known composition, this structure is not in the library",
    )
    (_, listed) = Library(only_new_compositions=True).verdicts(prototype(0, 12, 8), 3)
    assert (listed.rule, listed.passed) == ("known_composition", False)
    own = Library([prototype(1, 12, 8)])
    shipped, mine = own.verdicts(supercell(prototype(1, 12, 8)), 1)
    assert not mine.passed
    assert mine.rule == "known_table"
    assert shipped.passed


def test_the_library_of_fingerprints_answers_exactly() -> None:
    known = KnownMaterials.from_pairs(["NaCl", "MgO"], [("NaCl", 225)])
    assert known.has_formula("MgO")
    assert not known.has_formula("KCl")
    assert known.has_structure("NaCl", 225)
    assert not known.has_structure("NaCl", 221)
    shipped = KnownMaterials.load()
    assert shipped.has_structure("NaCl", 225)
    assert shipped.has_structure("MgO", 225)
    assert not shipped.has_formula("XeAu7")


def test_known_materials_are_read_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.cif").write_text(to_cif(prototype(1, 12, 8)))
    assert len(read_known(str(tmp_path))) == 1
    with pytest.raises(InputError, match="no file or folder"):
        read_known(str(tmp_path / "absent"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no structure files"):
        read_known(str(tmp_path / "empty"))


def test_a_target_rejects_only_when_the_whole_interval_misses_it() -> None:
    def verdict(low: float, high: float):
        measured = Measurement(
            name="bulk_modulus", value=(low + high) / 2, unit="GPa", lower=low, upper=high, level=0.9
        )
        return target_verdicts([HARD], [measured])[0]

    assert verdict(100, 151).passed
    miss = verdict(100, 140)
    assert not miss.passed
    assert miss.residual == pytest.approx(10)
    assert miss.reason == "bulk_modulus 120 (100..140) GPa lies below 150 GPa"
    window = parse_target("band_gap=1..2 eV")
    above = Measurement(name="band_gap", value=4.0, unit="eV", lower=3.0, upper=5.0, level=0.9)
    assert target_verdicts([window], [above])[0].threshold == 2.0


def test_every_rejection_has_a_verdict_and_a_reason(pool: list[DesignRecord]) -> None:
    rejected = [record for record in pool if not record.alive]
    assert {record.reached for record in rejected} >= {result.UNIQUE, result.RULES}
    for record in rejected:
        assert record.reason
        assert any(not verdict.passed and verdict.reason for verdict in record.rungs[-1].verdicts)
        assert all(rung.passed for rung in record.rungs[:-1])


def test_duplicates_name_an_earlier_candidate(pool: list[DesignRecord]) -> None:
    twins = [record for record in pool if record.reached == result.UNIQUE]
    assert twins
    for record in twins:
        twin = record.reason.removeprefix("same structure as ")
        assert twin < record.id


def test_selection_takes_the_best_scores_one_of_a_formula(pool: list[DesignRecord]) -> None:
    scoring = Scoring(SETTINGS, pool)
    selected = select(pool, SETTINGS, scoring)
    chosen = chosen_in_order(selected)
    assert len(chosen) == SETTINGS.budget

    def score_of(record: DesignRecord) -> float:
        measured = record.measured("score")
        assert measured is not None
        assert measured.value is not None
        return measured.value

    scores = [score_of(record) for record in chosen]
    assert scores == sorted(scores, reverse=True)
    over_budget = [r for r in selected if r.reached == result.SELECTION and not r.alive and "formula" not in r.reason]
    beaten = [r for r in over_budget if r.rungs[-1].verdicts[-1].rule == "budget"]
    assert beaten
    assert max(map(score_of, beaten)) <= scores[-1]
    formulas = {frozenset(record.candidate.crystal.numbers.tolist()) for record in chosen}
    assert len(formulas) == len(chosen)


def test_a_chunk_repeats_exactly_and_follows_remembered_ones() -> None:
    settings = replace(SETTINGS, pool=CHUNK + 20)
    made = []
    for remember in (False, True):
        parts = gather(settings, generator=PrototypeGenerator(), predictors={"toy": FormulaPredictor()})
        proposer = Proposer(parts.settings, parts.generator, parts.surrogates, parts.library)
        if remember:
            proposer.remember(made[0])
            made.append(proposer.chunk(1))
        else:
            made += [proposer.chunk(0), proposer.chunk(1)]
    once, again = made[1], made[2]
    assert [(r.id, r.reached, r.reason) for r in once] == [(r.id, r.reached, r.reason) for r in again]
    assert len(once) == 20
    assert once[0].id == f"c{CHUNK:05d}"


def test_elements_that_nobody_knows_are_refused_before_anything_is_done() -> None:
    settings = replace(SETTINGS, constraints=Constraints(allowed=frozenset({54, 8})))
    with pytest.raises(InputError, match="Xe"):
        gather(settings, generator=PrototypeGenerator(), predictors={"toy": FormulaPredictor()})


def test_a_target_without_model_names_the_command_that_trains_one() -> None:
    settings = replace(SETTINGS, targets=(parse_target("refractive_index>=2"),))
    with pytest.raises(InputError, match=r"matwright train .* --target refractive_index:1 .*--model"):
        gather(settings, generator=PrototypeGenerator(), predictors={"toy": FormulaPredictor()})


def test_tasks_depend_on_the_number_of_candidates_alone(pool: list[DesignRecord]) -> None:
    tasks = tasks_of(pool[:20])
    assert [len(task) for task in tasks] == [3] * 6 + [2]
    assert [identity for task in tasks for identity, _ in task] == [record.id for record in pool[:20]]
    assert max(len(task) for task in tasks_of(list(pool) * 5)) == 8


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"targets": ()}, "at least one"),
        ({"budget": 0}, "at least 1"),
        ({"budget": 50, "pool": 10}, "smaller than the budget"),
        ({"per_formula": 0}, "per_formula"),
        ({"targets": (HARD, parse_target("bulk_modulus<=300 GPa"))}, "twice"),
        ({"fmax": 0.0}, "fmax"),
    ],
)
def test_settings_are_checked_at_the_door(wrong: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(SETTINGS, **wrong)
