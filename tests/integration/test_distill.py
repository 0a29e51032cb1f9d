"""A trained model in short formulas: files, repetition, resumption, and what a user may get wrong."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from matwright.api.distill import read_formulas
from matwright.api.predict import load_predictor
from matwright.cli.application import run
from matwright.explain import expression
from matwright.explain.descriptors import DESCRIPTORS, describe
from small_data import ENERGY, crystals, write_table

N = 150
QUICK = ["--restarts", "2", "--generations", "8", "--population", "80", "--quiet"]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "crystals.csv"
    write_table(path, crystals(N), bad_rows=1)
    return path


@pytest.fixture(scope="module")
def model(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "model"
    more = ["--target", f"{ENERGY.name}:eV/atom", "--target", "metal:class", "--epochs", "6", "--out", str(out)]
    assert run(["train", str(table), "--structure", "poscar", *more, "--workers", "1", "--quiet"]) == 0
    return out


def distill(model: Path, table: Path, out: Path, *more: str, name: str = ENERGY.name) -> int:
    start = ["distill", str(model), str(table), "--structure", "poscar", "--property", name, "--out", str(out)]
    return run([*start, *QUICK, *more])


@pytest.fixture(scope="module")
def distilled(model: Path, table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "formulas"
    assert distill(model, table, out) == 0
    return out


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "formulas.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_longer_formulas_are_nearer_to_the_model(distilled: Path) -> None:
    found = rows(distilled)
    assert len(found) >= 2
    assert [int(row["complexity"]) for row in found] == sorted(int(row["complexity"]) for row in found)
    errors = [float(row["mae_to_model [eV/atom]"]) for row in found]
    assert errors[-1] < 0.8 * errors[0]
    assert all(row["mae_to_truth [eV/atom]"] for row in found)
    record = json.loads((distilled / "run.json").read_text())
    assert record["finished"]
    assert record["results"]["rejected"] == 1
    assert (distilled / "front.png").read_bytes().startswith(b"\x89PNG")


def test_the_printed_formula_is_the_one_that_was_judged(distilled: Path, model: Path) -> None:
    content = json.loads((distilled / "formulas.json").read_text(encoding="utf-8"))
    formulas = read_formulas(distilled / "formulas.json")
    assert list(formulas) == [row["formula"] for row in rows(distilled)] == [e["text"] for e in content["formulas"]]
    some = crystals(N)
    table = np.array([describe(crystal) for crystal in some])
    values = {one.name: column for one, column in zip(DESCRIPTORS, table.T, strict=True)}
    predicted = load_predictor(model).predict(some)[ENERGY.name].mean
    for entry, formula in zip(content["formulas"], formulas.values(), strict=True):
        error = np.abs(expression.evaluate(formula, values, N) - predicted).mean()
        # held-out rows are a quarter of these
        assert error == pytest.approx(entry["mae_to_model"], rel=0.5)


def test_the_page_needs_nothing_from_outside(distilled: Path) -> None:
    text = (distilled / "report.html").read_text(encoding="utf-8")
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text
    assert 'src="front.png"' in text
    assert "formation energy" in text


def test_the_same_seed_gives_the_same_formulas_and_a_resumed_run_keeps_its_searches(
    distilled: Path, model: Path, table: Path, tmp_path: Path
) -> None:
    assert distill(model, table, tmp_path / "again") == 0
    assert (tmp_path / "again" / "formulas.csv").read_bytes() == (distilled / "formulas.csv").read_bytes()
    (tmp_path / "again" / "journal" / "search-1.json").unlink()
    (tmp_path / "again" / "formulas.csv").unlink()
    assert distill(model, table, tmp_path / "again", "--resume") == 0
    assert (tmp_path / "again" / "formulas.csv").read_bytes() == (distilled / "formulas.csv").read_bytes()


def test_wrong_input_is_one_sentence(
    model: Path, table: Path, distilled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert distill(model, table, distilled) == 2
    assert "nothing was overwritten" in capsys.readouterr().err
    assert distill(model, table, tmp_path / "a", name="metal") == 2
    assert "class" in capsys.readouterr().err
    assert distill(model, table, tmp_path / "b", name="formation_energy") == 2
    assert "did you mean 'formation_energy_per_atom'" in capsys.readouterr().err
    assert distill(model, table, tmp_path / "c", "--truth", "band_gap:GPa") == 2
    assert "eV/atom" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()
