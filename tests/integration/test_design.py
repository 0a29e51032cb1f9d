"""The main job from end to end on a small pipeline with the real potential: files, interruption, repetition."""

from __future__ import annotations

import csv
import itertools
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import toy_design
from toy import FormulaPredictor, PrototypeGenerator

from matwright.api.design import DesignResult, DesignSettings, design, result
from matwright.api.predict import load_predictor
from matwright.cli import main
from matwright.errors import InputError
from matwright.materials.composition import Composition
from matwright.materials.interop import read_structure
from matwright.materials.material import amounts_of
from matwright.materials.target import parse_target

SCRIPT = Path(__file__).with_name("toy_design.py")
PATIENCE = 240.0  # seconds; the machine may be busy


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DesignResult]:
    out = tmp_path_factory.mktemp("design") / "run"
    return out, toy_design.run(str(out), workers=2)


def table(out: Path) -> list[dict[str, str]]:
    with (out / "candidates.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_folder_holds_every_candidate_with_its_reason(finished: tuple[Path, DesignResult]) -> None:
    out, outcome = finished
    rows = table(out)
    assert len(rows) == len(outcome.records) == toy_design.SETTINGS.pool_size
    assert outcome.ranked
    assert [row["id"] for row in rows if row["rank"]] == list(outcome.ranked)
    for row in rows:
        assert (row["status"] == "survivor") == (row["reason"] == "")
    relaxed = [row for row in rows if row["relaxation.passed"]]
    assert len(relaxed) == toy_design.SETTINGS.budget
    survivors = [row for row in rows if row["status"] == "survivor"]
    for row in survivors:
        assert float(row["hull.e_above_hull.residual [eV/atom]"]) == 0.0
        assert float(row["hull.e_above_hull [eV/atom]"]) <= float(row["hull.e_above_hull.threshold [eV/atom]"])
        assert float(row["prediction.bulk_modulus.upper [GPa]"]) >= 40.0
    scores = [float(row["prediction.score"]) for row in survivors]
    assert scores == sorted(scores, reverse=True)
    rejected_early = next(row for row in rows if row["reached"] == result.RULES and row["status"] == "rejected")
    assert rejected_early["relaxation.passed"] == ""
    assert rejected_early["reason"]


def test_the_funnel_adds_up(finished: tuple[Path, DesignResult]) -> None:
    _, outcome = finished
    steps = outcome.funnel()
    assert steps[0].entered == len(outcome.records)
    for before, after in itertools.pairwise(steps):
        assert before.passed == after.entered
    for step in steps:
        assert step.entered - step.passed == sum(count for _, count in step.stopped_by)
    assert steps[-1].passed == len(outcome.ranked)


def test_survivors_have_cifs_of_the_relaxed_crystal(finished: tuple[Path, DesignResult]) -> None:
    out, outcome = finished
    files = sorted((out / "cifs").iterdir())
    assert len(files) == len(outcome.ranked)
    for file, record in zip(files, outcome.survivors, strict=True):
        crystal = read_structure(file)
        per_atom = crystal.volume / len(crystal)
        assert per_atom == pytest.approx(record.crystal.volume / len(record.crystal), rel=1e-3)


def test_readiness_is_said_before_the_run_and_kept(finished: tuple[Path, DesignResult]) -> None:
    out, outcome = finished
    content = json.loads((out / "readiness.json").read_text(encoding="utf-8"))
    assert outcome.readiness is not None
    assert content["sentences"] == list(outcome.readiness.sentences)
    assert [entry["target"] for entry in content["targets"]] == ["bulk_modulus>=40.0 GPa", "minimise e_above_hull"]
    assert "Before the run: readiness" in (out / "report.html").read_text(encoding="utf-8")


def test_run_json_says_what_made_it(finished: tuple[Path, DesignResult]) -> None:
    out, outcome = finished
    record = json.loads((out / "run.json").read_text())
    assert record["kind"] == "design"
    assert record["finished"]
    assert record["seed"] == 0
    assert record["settings"]["targets"] == ["bulk_modulus>=40.0 GPa", "minimise e_above_hull"]
    assert len(record["settings"]["ingredients"]["mp_hull_stable.npz"]) == 64
    assert record["results"]["survivors"] == len(outcome.ranked)


class Links(HTMLParser):
    """Collects what a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.references: list[str] = []
        self.ids: set[str] = set()
        self.stack: list[str] = []

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.references += [value for name in ("href", "src") if (value := values.get(name))]
        if identity := values.get("id"):
            self.ids.add(identity)


def test_the_report_is_one_file_whose_links_lead_somewhere(finished: tuple[Path, DesignResult]) -> None:
    out, outcome = finished
    text = (out / "report.html").read_text(encoding="utf-8")
    assert len(text) < 5_000_000
    page = Links()
    page.feed(text)
    for reference in page.references:
        assert not re.match(r"(https?:)?//", reference), f"the page refers to {reference}"
        if reference.startswith("#"):
            assert reference[1:] in page.ids
        else:
            assert (out / reference).is_file()
    for identity in re.findall(r"url\(#(\w+)\)", text):
        assert identity in page.ids
    assert "@import" not in text
    assert set(outcome.ranked) <= page.ids
    assert "nan" not in re.sub(r"<script.*?</script>|<style.*?</style>", "", text, flags=re.S).lower().split()


def no_process_left(group: int) -> bool:
    """Whether the process group is empty; Python's own resource tracker may take a moment to see its parent go."""
    for _ in range(200):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def heed_interrupts() -> None:
    """A shell starts its background jobs deaf to SIGINT, and their children inherit that: tests run there too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def journal_lines(out: Path) -> int:
    path = out / "journal" / "relaxations.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_an_interrupted_run_ends_its_workers_and_resumes_to_the_same_table(
    finished: tuple[Path, DesignResult], tmp_path: Path
) -> None:
    whole, _ = finished
    out = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(out)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},  # it shares modules with the tests
        start_new_session=True,
        preexec_fn=heed_interrupts,  # noqa: PLW1509 (no threads yet in the child)
    )
    end = time.monotonic() + PATIENCE
    while journal_lines(out) == 0:
        assert process.poll() is None, "the run ended before it could be interrupted"
        assert time.monotonic() < end
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    assert process.wait(timeout=PATIENCE) == 130
    assert no_process_left(process.pid), "a worker outlived the run"
    done = journal_lines(out)
    assert 0 < done < toy_design.SETTINGS.budget
    assert not (out / "candidates.csv").exists()

    toy_design.run(str(out), resume=True)
    assert (out / "candidates.csv").read_bytes() == (whole / "candidates.csv").read_bytes()
    assert journal_lines(out) == toy_design.SETTINGS.budget
    assert multiprocessing.active_children() == []


def test_a_finished_run_is_not_computed_again(finished: tuple[Path, DesignResult]) -> None:
    out, _ = finished
    before = (out / "candidates.csv").read_bytes()
    start = time.monotonic()
    toy_design.run(str(out), resume=True)
    assert (out / "candidates.csv").read_bytes() == before
    assert time.monotonic() - start < PATIENCE / 4


def test_a_folder_with_another_run_is_left_alone(finished: tuple[Path, DesignResult]) -> None:
    out, _ = finished
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="already holds a design run"):
        toy_design.run(str(out))
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


CONDITIONED = DesignSettings(
    targets=(parse_target("zt>=0.1"),),
    constraints=toy_design.SETTINGS.constraints,
    budget=1,
    pool=12,
    models=("thermoelectric", "mp-crystal"),
    conditions=("temperature=700 K",),
    max_steps=2,
)


def test_a_run_under_conditions_predicts_records_and_shows_them(tmp_path: Path) -> None:
    out = tmp_path / "run"
    outcome = design(CONDITIONED, out, generator=PrototypeGenerator(), workers=1)
    judged = [record for record in outcome.records if record.rung(result.SURROGATE) is not None]
    assert judged
    formulas = [Composition.from_amounts(amounts_of(record.candidate.crystal)) for record in judged]
    hot = load_predictor("thermoelectric").predict(formulas, {"temperature": "700 K"})["zt"]
    energies = load_predictor("mp-crystal").predict([record.candidate.crystal for record in judged])
    for place, record in enumerate(judged):
        rung = record.rung(result.SURROGATE)
        assert rung is not None
        taken = {measured.name: measured.value for measured in rung.measurements}
        assert taken["zt"] == pytest.approx(float(hot.mean[place]), rel=1e-4, abs=1e-5)
        expected = float(energies["formation_energy_per_atom"].mean[place])
        assert taken["formation_energy_per_atom"] == pytest.approx(expected, abs=1e-4)
    assert json.loads((out / "run.json").read_text())["settings"]["conditions"] == ["temperature=700 K"]
    assert "at temperature = 700 K" in json.loads((out / "readiness.json").read_text())["remarks"][0]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Under the conditions temperature=700 K." in page
    assert "whatever the structure, at temperature = 700 K." in page
    before = (out / "candidates.csv").read_bytes()
    design(CONDITIONED, out, generator=PrototypeGenerator(), workers=1, resume=True)
    assert (out / "candidates.csv").read_bytes() == before
    for other in (("temperature=300 K",), ()):
        with pytest.raises(InputError, match="conditions was"):
            design(replace(CONDITIONED, conditions=other), out, generator=PrototypeGenerator(), resume=True)
    with pytest.raises(InputError, match="given predictors bring their own"):
        design(CONDITIONED, tmp_path / "other", predictors={"toy": FormulaPredictor()})


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--model", "mp-crystal"], "the shipped model `thermoelectric` does"),
        (["--model", "thermoelectric", "--condition", "pressure=1 GPa"], "no model here knows a condition 'pressure'"),
        (["--model", "thermoelectric", "--steps", "age 900 K"], "no model here knows processing steps"),
        (["--model", "thermoelectric", "--condition", "temperature=1 GPa"], "cannot be given in 'K'"),
    ],
)
def test_what_no_model_knows_is_one_sentence(
    words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["design", "--target", "zt>=0.5", *words, "--quiet", "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()
