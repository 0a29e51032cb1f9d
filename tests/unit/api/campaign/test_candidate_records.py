"""What the store says of one candidate, and that its numbers come out again."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from campaign_toys import write_campaign

from matwright.api.campaign import load_campaign, run_campaign
from matwright.api.campaign.candidate import find_candidates
from matwright.api.campaign.reproduce import reproduce
from matwright.campaign.campaign import Campaign
from matwright.campaign.engine.in_process import InProcessEngine
from matwright.campaign.evaluator import evaluator_hash
from matwright.campaign.evaluators.moduli import ModuliEvaluator
from matwright.campaign.evaluators.potential import PotentialEvaluator
from matwright.campaign.evaluators.stability import StabilityEvaluator
from matwright.campaign.store.store import Store
from matwright.cli import main
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.screening.relax import RelaxationSettings

ROCK_SALT = Crystal(
    lattice=(1 - np.eye(3)) / 2 * 5.8,
    frac_coords=np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]),
    numbers=np.array([11, 17]),
)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sklearn")
    path = write_campaign(tmp_path_factory.mktemp("campaign"), rounds=2)
    run_campaign(load_campaign(path))
    return path


def test_show_prints_numbers_units_code_and_time(ran: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = str(ran.with_suffix(".db"))
    with Store.open(store) as opened:
        address = next(iter(opened.candidates(opened.campaign_id("salts"))))
    assert main(["show", address[:12], "--store", store]) == 0
    shown = capsys.readouterr().out
    assert address in shown
    assert "candidate of salts, round" in shown
    assert re.search(r"1\. lookup [0-9a-f]{12} \(dft\), \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", shown)
    assert re.search(r"bulk_modulus +[\d.]+ GPa", shown)
    assert re.search(r"e_above_hull +[\d.]+ eV/atom", shown)
    assert "recorded by matwright" in shown


def test_several_of_one_formula_are_listed(ran: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Store.open(ran.with_suffix(".db")) as opened:
        formulas = [member.formula for member in opened.members(opened.campaign_id("salts"))]
    twice = next(name for name in formulas if formulas.count(name) > 1)
    assert main(["show", twice, "--store", str(ran.with_suffix(".db"))]) == 0
    assert f"{formulas.count(twice)} candidates" in capsys.readouterr().out
    assert main(["show", "Xe9", "--store", str(ran.with_suffix(".db"))]) == 2
    assert "no candidate 'Xe9'" in capsys.readouterr().err


def test_a_number_comes_out_again_and_a_changed_table_is_told(ran: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = str(ran.with_suffix(".db"))
    with Store.open(store) as opened:
        address = next(iter(opened.candidates(opened.campaign_id("salts"))))
    assert main(["reproduce", address, "lookup", "--store", store]) == 0
    said = capsys.readouterr().out
    assert said.rstrip().endswith("equal")
    assert "bulk_modulus" in said
    assert main(["reproduce", address, "lokup", "--store", store]) == 2
    assert "did you mean 'lookup'" in capsys.readouterr().err
    table = ran.parent / "known.csv"
    kept = table.read_text()
    table.write_text(kept.replace(".", ".1", 1))
    try:
        assert main(["reproduce", address, "lookup", "--store", store]) == 2
        assert "cannot be made again: lookup as it can be made now has another version" in capsys.readouterr().err
    finally:
        table.write_text(kept)


def test_the_ladder_of_a_potential_is_one_record_and_comes_out_again(tmp_path: Path) -> None:
    relaxation = RelaxationSettings()  # its limit in seconds, infinite, has no word in JSON
    stability, moduli = StabilityEvaluator(relaxation=PotentialEvaluator(relaxation=relaxation)), ModuliEvaluator()
    with Store.open(tmp_path / "store.db") as store, InProcessEngine() as engine:
        first = Campaign(store, "salt", stability)
        first.propose([ROCK_SALT])
        first.run(engine)
        relaxed = next(store.records.iterate())
        assert relaxed.result != relaxed.structure
        second = Campaign(store, "salt/moduli", moduli)
        second.propose([relaxed.crystal])
        second.run(engine)
        [candidate] = find_candidates(store, "NaCl")
        assert [step.record.evaluator.name for step in candidate.steps] == [stability.name, moduli.name]
        assert candidate.steps[1].record.structure == relaxed.result
        values = candidate.steps[0].record.values
        assert abs(values["e_above_hull"].value) < 0.1
        assert 15 < candidate.steps[1].record.values["bulk_modulus"].value < 35
        for rung in ("stability", "equation-of-state"):
            again = reproduce(store, candidate, rung)
            assert again.equal, again.lines()
        with pytest.raises(InputError, match="several rungs 'potential'"):
            reproduce(store, candidate, "potential")


def test_another_number_is_called_different(ran: Path) -> None:
    with Store.open(ran.with_suffix(".db")) as store:
        address = next(iter(store.candidates(store.campaign_id("salts"))))
        [candidate] = find_candidates(store, address)
        result = reproduce(store, candidate, "dft")
        one = result.comparisons[0]
        assert one.recorded is not None
        moved = type(one.recorded)(value=one.recorded.value * 1.001, unit=one.recorded.unit)
        changed = type(one)(name=one.name, recorded=one.recorded, again=moved, tolerance=one.tolerance)
        assert one.equal
        assert not changed.equal
        assert "DIFFERENT" in changed.line()


def test_the_hull_is_part_of_what_a_stability_is() -> None:
    settings = StabilityEvaluator().settings
    assert {"fmax", "smax", "hull", "references"} <= settings.keys()
    assert evaluator_hash(StabilityEvaluator()) == evaluator_hash(StabilityEvaluator())


def test_the_report_draws_the_ladders(ran: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["campaign", "report", str(ran)]) == 0
    page = (ran.parent / "salts.html").read_text()
    assert capsys.readouterr().out.strip().endswith("salts.html")
    assert page.count('<div class="rung"') >= 1
    assert "Hits over evaluations" in page
    assert "http" not in re.sub(r"http://www.w3.org/\S+", "", page)
    assert main(["campaign", "report", str(ran), "--out", str(ran.parent / "salts.html")]) == 2
    assert "nothing was overwritten" in capsys.readouterr().err
