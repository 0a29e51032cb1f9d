"""The readiness report: where a target lies, how accurate the model is there, and the three sentences."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from matwright.api.knowledge import TargetKnowledge
from matwright.api.readiness import KnowingModel, Readiness, Standing, assess_readiness, knowing_models
from matwright.api.report.readiness import picture, readiness_section
from matwright.cli import main
from matwright.data.hull import Hull
from matwright.materials.constraints import Constraints
from matwright.materials.properties import PropertySpec
from matwright.materials.target import parse_target
from matwright.models.interface import bare_prediction

RNG = np.random.default_rng(0)


def knowledge(name: str, unit: str, values: np.ndarray, error: float) -> TargetKnowledge:
    spec = PropertySpec(name=name, unit=unit)
    truth = RNG.choice(values, 300)
    return TargetKnowledge.measured(
        spec, values, "test", truth, bare_prediction(spec, truth + RNG.normal(0, error, 300))
    )


MODULI = RNG.uniform(10.0, 400.0, 3000)
ENERGIES = RNG.normal(-1.5, 1.0, 5000)
MODEL = KnowingModel(
    name="toy",
    properties=frozenset({"bulk_modulus", "formation_energy_per_atom", "band_gap"}),
    knowledge={
        "bulk_modulus": knowledge("bulk_modulus", "GPa", MODULI, 8.0),
        "formation_energy_per_atom": knowledge("formation_energy_per_atom", "eV/atom", ENERGIES, 0.05),
    },
    elements=frozenset({3, 8, 11, 12, 13, 17}),
)
HULL = Hull.from_phases([({3: 2, 8: 1}, -2.0), ({11: 1, 17: 1}, -2.1), ({12: 1, 8: 1}, -3.0), ({13: 2, 8: 3}, -3.4)])


def ready(*targets: str, **constraints: frozenset[int]) -> Readiness:
    parsed = [parse_target(text) for text in targets]
    return assess_readiness(parsed, [MODEL], constraints=Constraints(**constraints), hull=HULL)


def test_a_target_inside_is_counted_and_its_errors_are_those_of_its_region() -> None:
    report = ready("bulk_modulus>=200 GPa")
    (one,) = report.targets
    assert one.standing is Standing.INSIDE
    assert one.n_inside == pytest.approx((MODULI >= 200).sum(), rel=0.03)
    assert one.region is not None
    assert one.region.mae == pytest.approx(8 * np.sqrt(2 / np.pi), rel=0.3)
    assert "inside what toy knows" in report.sentences[0]
    assert f"{one.region.n} held-out materials" in report.sentences[1]
    assert "4 stable compounds" in report.sentences[2]


def test_a_target_in_another_unit_is_the_same_target() -> None:
    first, second = ready("bulk_modulus>=200 GPa"), ready("bulk_modulus>=2 Mbar")
    assert first.targets[0].n_inside == second.targets[0].n_inside


def test_a_target_outside_says_how_far_the_model_has_seen() -> None:
    report = ready("bulk_modulus>=800 GPa")
    assert report.targets[0].standing is Standing.OUTSIDE
    assert re.search(r"reach from 10\.\d GPa to 400 GPa", report.sentences[0])
    assert "No training material is known" in report.sentences[2]
    assert ready("bulk_modulus=399..400 GPa").targets[0].standing is Standing.EDGE


def test_objectives_are_about_the_best_of_the_training_values() -> None:
    report = ready("maximise bulk_modulus", "minimise formation_energy_per_atom")
    best, lowest = report.targets
    assert best.lower == pytest.approx(np.quantile(MODULI, 0.95), rel=0.01)
    assert best.upper is None
    assert lowest.upper == pytest.approx(np.quantile(ENERGIES, 0.05), rel=0.05)
    assert best.n_inside == pytest.approx(150, abs=10)


def test_what_needs_no_model_and_what_no_model_says() -> None:
    report = ready("density<=5 g/cm^3", "minimise e_above_hull", "band_gap>=1 eV", "seebeck_coefficient>=100 µV/K")
    density, hull, gap, seebeck = report.targets
    assert density.standing is Standing.EXACT
    assert hull.basis == "formation_energy_per_atom"
    assert (gap.standing, gap.model) == (Standing.UNKNOWN, "toy")
    assert (seebeck.standing, seebeck.model) == (Standing.UNKNOWN, "")
    assert "no model here predicts seebeck_coefficient" in report.sentences[0]
    assert "formation energy has a mean error" in report.sentences[1]


def test_elements_decide_what_is_known_nearby() -> None:
    report = ready("formation_energy_per_atom<=-2.5 eV/atom", allowed=frozenset({3, 12, 8, 92}))
    assert (report.known.n_stable, report.known.n_stable_all, report.known.n_energy) == (2, 4, 1)
    assert report.unknown_elements == (92,)
    assert "no model has seen U in training" in report.sentences[0]
    assert ready("bulk_modulus>=1 GPa", required=frozenset({8})).known.n_stable == 3
    assert ready("bulk_modulus>=1 GPa", forbidden=frozenset({8})).known.n_stable == 1


def test_the_section_shows_sentences_and_one_picture_a_target_that_is_known() -> None:
    report = ready("bulk_modulus>=200 GPa", "band_gap>=1 eV")
    text = readiness_section(report)
    assert text.count("<svg") == 1
    for sentence in report.sentences:
        assert sentence.replace("&", "&amp;") in text
    drawn = picture(report.targets[0])
    zone = re.search(r'class="zone" x="([\d.]+)"', drawn)
    first = re.findall(r'class="trained" x="([\d.]+)"', drawn)
    assert zone is not None
    assert float(first[0]) < float(zone[1]) < float(first[-1])
    assert drawn.count('class="error"') > 5


def test_the_shipped_model_says_what_it_knows() -> None:
    (model,) = knowing_models(["mp-crystal"])
    assert set(model.knowledge) == model.properties
    report = assess_readiness([parse_target("bulk_modulus>=200 GPa")], [model])
    assert report.targets[0].standing is Standing.INSIDE
    assert report.targets[0].n_inside > 300


def test_the_command_says_three_sentences_and_writes_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "ready"
    words = ["readiness", "--target", "bulk_modulus>=200 GPa", "--exclude", "Pb"]
    assert main([*words, "--out", str(out)]) == 0
    shown = capsys.readouterr().out.strip().splitlines()
    content = json.loads((out / "readiness.json").read_text(encoding="utf-8"))
    assert shown == content["sentences"]
    assert len(shown) == 3
    assert content["targets"][0]["standing"] == "inside"
    assert "<svg" in (out / "readiness.html").read_text(encoding="utf-8")
    assert json.loads((out / "run.json").read_text())["finished"]
    assert main([*words, "--out", str(out)]) == 2
    assert main(["readiness"]) == 2
    assert "say what you want" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("conditions", "remark"),
    [
        ([], "; temperature is not given and taken as unknown."),
        (["temperature=426.85 degC"], ", at temperature = 700 K."),
        (
            ["temperature=2000 K"],
            ", at temperature = 2000 K; temperature lies outside of the 10 to 1275 K of the training data.",
        ),
    ],
)
def test_a_model_under_conditions_says_which_and_what_it_is_not_told(
    conditions: list[str], remark: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word for text in conditions for word in ("--condition", text)]
    models = ["--model", "thermoelectric", "--model", "mp-crystal"]
    command = ["readiness", "--target", "zt>=0.5", "--target", "bulk_modulus>=50 GPa", *models, *words]
    assert main([*command, "--out", str(tmp_path / "ready")]) == 0
    shown = capsys.readouterr().out.strip().splitlines()
    said = "thermoelectric predicts the figure of merit ZT from the composition alone, whatever the structure" + remark
    assert shown[3:] == [said]
    assert json.loads((tmp_path / "ready" / "readiness.json").read_text(encoding="utf-8"))["remarks"] == [said]
    assert said in (tmp_path / "ready" / "readiness.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "ready" / "run.json").read_text())["settings"]["conditions"] == conditions


def test_steps_and_categories_stand_in_the_remark_and_models_of_other_targets_in_none() -> None:
    models = knowing_models(["superalloy", "thermoelectric"])
    report = assess_readiness([parse_target("yield_strength>=500 MPa")], models, conditions=["Powder processed=No"])
    (remark,) = report.remarks
    assert "at Powder processed = No; temperature and processing steps are not given" in remark
    told = ["temperature=1000 K", "steps=treatment 1150 degC 4 h, air cooled > treatment 1400 degC 1 day"]
    report = assess_readiness([parse_target("yield_strength>=500 MPa")], models, conditions=told)
    (remark,) = report.remarks
    assert remark.endswith(
        "at temperature = 726.85 degC, after treatment 1423.15 K 4 h, air cooled > treatment 1673.15 K 24 h; "
        "temperature of a processing step lies outside of the 277.15 to 1589.15 K of the training data; "
        "Powder processed is not given and taken as unknown."
    )
    assert ready("bulk_modulus>=200 GPa").remarks == ()
