"""A student of a small ensemble: it learns what the teacher says, is judged by known values, and is a model itself."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from matwright.api.compress.measuring import form_verdict, worst_loss
from matwright.api.predict import load_predictor
from matwright.cli.application import run
from matwright.graphs.store import GraphStore
from small_data import ENERGY, GAP, crystals, write_table

N = 150
SMALL = ["--width", "16", "--layers", "1", "--epochs", "6", "--workers", "1", "--quiet"]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "crystals.csv"
    write_table(path, crystals(N))
    return path


@pytest.fixture(scope="module")
def teacher(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "teacher"
    targets = ["--target", f"{ENERGY.name}:eV/atom", "--target", f"{GAP.name}:eV", "--epochs", "8"]
    start = ["train", str(table), "--structure", "poscar", "--split-column", "split", "--workers", "1", "--quiet"]
    assert run([*start, *targets, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def student(teacher: Path, table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "student"
    assert run(["compress", str(teacher), str(table), "--split-column", "split", "--out", str(out), *SMALL]) == 0
    return out


def test_the_student_learned_what_the_teacher_says(student: Path, teacher: Path) -> None:
    taught, known = GraphStore.open(student / "taught"), GraphStore.open(student / "store")
    found = load_predictor(teacher).predict_store(known)
    for column, name in enumerate((ENERGY.name, GAP.name)):
        np.testing.assert_allclose(taught.targets[:, column], found[name].mean, rtol=1e-5, atol=1e-6)
    assert np.isnan(known.targets[:, 1]).any(), "the table lacks gaps"
    assert not np.isnan(taught.targets).any(), "the teacher has an answer for every material"


def test_it_is_judged_by_known_values_and_nearer_to_the_teacher_than_a_constant(student: Path, teacher: Path) -> None:
    content = json.loads((student / "compression.json").read_text(encoding="utf-8"))
    forms = {form["name"]: form for form in content["forms"]}
    assert set(forms) == {"teacher", "float32", "float16", "bfloat16", "int8", "pruned"}
    assert content["n_test"] == N // 5
    metrics = json.loads((student / "metrics.json").read_text())["test"]
    of_teacher = json.loads((teacher / "metrics.json").read_text())["test"]
    for name in (ENERGY.name, GAP.name):
        assert forms["float32"]["errors"][name] == pytest.approx(metrics[name]["mae"], rel=1e-4)
        assert forms["teacher"]["errors"][name] == pytest.approx(of_teacher[name]["mae"], rel=1e-4)
        assert forms["teacher"]["to_teacher"][name] == 0.0
        assert 0 < forms["float32"]["to_teacher"][name] < metrics[name]["mae_of_mean"]
    assert forms["float32"]["kilobytes"] < 0.2 * forms["teacher"]["kilobytes"]
    assert forms["float16"]["kilobytes"] < 0.6 * forms["float32"]["kilobytes"]
    with (student / "compression.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["form"] for row in rows] == list(forms)
    assert all(float(row["ms a material"]) > 0 and row["verdict"] for row in rows)


def test_the_student_is_a_model_like_any_other(student: Path) -> None:
    predictor = load_predictor(student)
    found = predictor.predict(crystals(5))
    assert list(found) == [ENERGY.name, GAP.name]
    assert np.isfinite(found[ENERGY.name].lower).all()
    card = (student / "card.md").read_text(encoding="utf-8")
    assert card.count("## Compression") == 1
    assert "distilled" in card
    kept = json.loads((student / "compression.json").read_text())["kept"]
    size = (student / "member-0.safetensors").stat().st_size / 1000
    forms = {form["name"]: form for form in json.loads((student / "compression.json").read_text())["forms"]}
    assert size == pytest.approx(forms[kept]["kilobytes"], rel=0.5)  # a header of names stands before the numbers


def test_measuring_is_done_again_after_an_interruption_but_training_is_not(
    student: Path, teacher: Path, table: Path
) -> None:
    before = json.loads((student / "compression.json").read_text())
    weights = (student / "member-0.safetensors").read_bytes()
    (student / "compression.json").unlink()
    command = ["compress", str(teacher), str(table), "--split-column", "split", "--out", str(student), *SMALL]
    assert run([*command, "--resume"]) == 0
    assert (student / "member-0.safetensors").read_bytes() == weights
    after = json.loads((student / "compression.json").read_text())
    assert after["forms"][0]["errors"] == before["forms"][0]["errors"]
    assert (student / "card.md").read_text(encoding="utf-8").count("## Compression") == 1
    assert run([*command, "--resume"]) == 2
    assert run(command) == 2


def test_a_table_without_known_values_is_refused(
    teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bare.csv"
    path.write_text("id,poscar\n1,x\n")
    assert run(["compress", str(teacher), str(path), "--out", str(tmp_path / "s"), *SMALL]) == 2
    assert "no column of known values" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_a_form_helps_only_where_it_costs_nothing() -> None:
    assert form_verdict(0.0, 1.0, 2.0) == "helps: smaller"
    assert form_verdict(-0.02, 1.5, 2.0) == "helps: faster and smaller"
    assert form_verdict(0.05, 3.0, 4.0) == "does not help: it costs accuracy"
    assert form_verdict(0.0, 0.7, 3.0) == "does not help: slower"
    assert form_verdict(0.0, 1.0, 1.0) == "does not help: no gain"
    assert worst_loss({"a": 1.1, "b": 2.0}, {"a": 1.0, "b": 2.5}) == pytest.approx(0.1)
    assert worst_loss({"a": float("nan")}, {"a": float("nan")}) == 0.0
