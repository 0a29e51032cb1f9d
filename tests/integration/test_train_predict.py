"""Train on a table, predict from files, ask for the card: the whole path on a small set of crystals."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from matwright.api.models import model_hash
from matwright.api.predict import load_predictor
from matwright.api.predict_files import COLUMNS
from matwright.api.start import without_ancestors
from matwright.cli.application import run
from matwright.errors import InputError
from small_data import ENERGY, GAP, crystals, energy, poscar, targets, write_table

N = 400
ENERGY_TARGET, GAP_TARGET = f"{ENERGY.name}:eV/atom", f"{GAP.name}:eV"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "crystals.csv"
    write_table(path, crystals(N), bad_rows=2)
    return path


def arguments(table: Path, out: Path, *more: str) -> list[str]:
    start = ["train", str(table), "--structure", "poscar", "--target", ENERGY_TARGET, "--split-column", "split"]
    return [*start, "--out", str(out), "--workers", "1", "--quiet", *more]


@pytest.fixture(scope="module")
def trained(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "model"
    more = ["--target", GAP_TARGET, "--target", "metal:class", "--epochs", "25", "--ensemble", "2"]
    assert run(arguments(table, out, *more)) == 0
    return out


def test_a_run_folder_holds_everything(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    expected = {"model.json", "member-0.safetensors", "member-1.safetensors", "calibration.safetensors", "card.md"}
    expected |= {"metrics.json", "log.csv", "learning-curve.png", "run.json", "split.csv", "rejected.csv"}
    expected |= {f"parity-{ENERGY.name}.png", f"parity-{GAP.name}.png"}
    assert expected <= names
    assert not list(trained.rglob("fit.safetensors")), "the state of a finished fit is of no use"
    with (trained / "rejected.csv").open() as file:
        assert [row["id"] for row in csv.DictReader(file)] == ["bad0", "bad1"]
    with (trained / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["member"] for row in rows} == {"0", "1"}
    assert {f"val_mae_{ENERGY.name}", f"val_mae_{GAP.name}", "val_nll_metal"} <= set(rows[0])
    record = json.loads((trained / "run.json").read_text())
    assert record["finished"]
    assert record["results"]["rejected"] == 2


def test_a_model_starts_from_another_and_replaces_its_word(table: Path, trained: Path, tmp_path: Path) -> None:
    """One pass at a tenth of the rate: little of the start is lost, where a fresh model is still blind."""
    assert run(arguments(table, tmp_path / "tuned", "--epochs", "1", "--start", str(trained))) == 0
    assert run(arguments(table, tmp_path / "fresh", "--epochs", "1")) == 0
    tuned, fresh = (json.loads((tmp_path / name / "metrics.json").read_text())["test"] for name in ("tuned", "fresh"))
    before = json.loads((trained / "metrics.json").read_text())["test"][ENERGY.name]["mae"]
    assert tuned[ENERGY.name]["mae"] < 2 * before
    assert tuned[ENERGY.name]["mae"] < 0.5 * fresh[ENERGY.name]["mae"]
    described = json.loads((tmp_path / "tuned" / "model.json").read_text())
    assert described["facts"]["start"] == {"model": str(trained), "hash": model_hash(trained)}
    assert "Started from the weights" in (tmp_path / "tuned" / "card.md").read_text()
    both = {name: load_predictor(path) for name, path in (("old", trained), ("new", tmp_path / "tuned"))}
    assert list(without_ancestors(both)) == ["new"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--start", "mp-generator"], "does not describe a property model"),
        (["--start", "superalloy"], "knows no conditions"),
        (["--start", "elastic"], "elastic tensors"),
        (["--start", "nowhere"], "there is no model"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert run(arguments(table, tmp_path / "out", "--epochs", "1", *more)) == 2
    assert said in capsys.readouterr().err


def test_it_learned_and_its_intervals_hold(trained: Path) -> None:
    metrics = json.loads((trained / "metrics.json").read_text())["test"]
    for name in (ENERGY.name, GAP.name):
        assert metrics[name]["mae"] < 0.5 * metrics[name]["mae_of_mean"]
        assert 0.75 < metrics[name]["coverage"]["0.9"] <= 1
    assert metrics["metal"]["accuracy"] > 0.8
    assert metrics[ENERGY.name]["n"] == N // 5


def test_predictions_of_crystals_agree_with_the_metrics(trained: Path) -> None:
    predictor = load_predictor(trained)
    assert list(predictor.specs) == [ENERGY.name, GAP.name, "metal"]
    some = [crystal for index, crystal in enumerate(crystals(N)) if index % 5 == 4]
    found = predictor.predict(some)
    mae = np.abs(found[ENERGY.name].mean - [energy(crystal) for crystal in some]).mean()
    metrics = json.loads((trained / "metrics.json").read_text())["test"]
    assert mae == pytest.approx(metrics[ENERGY.name]["mae"], rel=1e-3)
    truth = targets(crystals(N))[4::5, 1]
    known = ~np.isnan(truth)
    inside = (truth >= found[GAP.name].lower - 1e-6) & (truth <= found[GAP.name].upper + 1e-6)
    assert inside[known].mean() == pytest.approx(metrics[GAP.name]["coverage"]["0.9"], abs=0.03)
    assert (found[GAP.name].mean >= 0).all()
    np.testing.assert_allclose(found["metal=no"].mean + found["metal=yes"].mean, 1)
    assert (found[ENERGY.name].epistemic > 0).all()
    assert 0.2 < found[ENERGY.name].domain_score.mean() < 0.8
    one = predictor.predict(some[:1])
    assert one[ENERGY.name].mean[0] == pytest.approx(found[ENERGY.name].mean[0], abs=1e-5)
    assert load_predictor(trained, level=0.5).predict(some)[ENERGY.name].level == 0.5


def test_predict_writes_a_table_and_reports_bad_files(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "structures"
    folder.mkdir()
    for index, crystal in enumerate(crystals(3, seed=9)):
        (folder / f"c{index}.vasp").write_text(poscar(crystal))
    (folder / "broken.cif").write_text("data_x\n_cell_length_a nan\n")
    out = tmp_path / "pred.csv"
    command = ["predict", str(trained), str(folder), "--out", str(out), "--quiet"]
    assert run(command) == 0
    assert "broken.cif" in capsys.readouterr().err
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 3 * 4
    assert {row["unit"] for row in rows if row["property"] == GAP.name} == {"eV"}
    for row in rows:
        if row["property"] in (ENERGY.name, GAP.name):
            assert float(row["lower"]) <= float(row["mean"]) <= float(row["upper"])
            assert float(row["level"]) == 0.9
            assert float(row["std"]) > 0
    with (tmp_path / "pred.rejected.csv").open() as file:
        assert [Path(row["file"]).name for row in csv.DictReader(file)] == ["broken.cif"]
    before = out.read_bytes()
    assert run(command) == 2
    assert "exists" in capsys.readouterr().err
    assert out.read_bytes() == before
    assert run([*command, "--overwrite"]) == 0
    assert run([*command, "--overwrite", "--strict"]) == 2
    assert out.read_bytes() == before


def test_predict_reads_tables_and_prints(trained: Path, table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", str(trained), str(table), "--structure", "poscar", "--quiet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert len(lines) == 1 + 4 * N
    assert lines[1].startswith(f"c0,{ENERGY.name},eV/atom,")
    assert run(["predict", str(trained), str(table)]) == 0, "a table like that of the training needs no word on columns"
    assert capsys.readouterr().out.splitlines() == lines
    other = table.with_name("other.csv")
    other.write_text(table.read_text().replace("poscar", "where", 1))
    assert run(["predict", str(trained), str(other)]) == 2
    assert "--structure" in capsys.readouterr().err


def test_info_shows_the_card(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", str(trained)]) == 0
    card = capsys.readouterr().out
    for words in ("## Data", "## Errors on the test part", ENERGY.name, "coverage", "## Limits", "2 rejected", "Li"):
        assert words in card
    assert run(["info"]) == 0
    assert run(["info", "no-such-model"]) == 2
    assert "there is no model 'no-such-model'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--target": "band_gap"}, "name:unit"),
        ({"--target": "band_gap:GPa"}, "eV"),
        ({"--target": "bandgap:eV"}, "no column 'bandgap'"),
        ({"--target": "split:eV"}, "not a number"),
        ({"--target": "colour:class"}, "no column 'colour'"),
        ({"--structure": "cif"}, "no column 'cif'"),
        ({"--split-column": "id"}, "train, val or test"),
        ({"--protocol": "papre"}, "protocol"),
        ({"--loss": "l2"}, "mae, gaussian"),
        ({"--device": "tpu"}, "cpu, cuda or auto"),
        ({"--ensemble": "0"}, "at least 1"),
        ({"--minutes": "1"}, "not both"),
    ],
)
def test_wrong_input_is_one_sentence(
    table: Path, tmp_path: Path, change: dict[str, str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"--structure": "poscar", "--target": ENERGY_TARGET, "--split-column": "split", "--epochs": "1", **change}
    command = ["train", str(table), "--out", str(tmp_path / "out"), "--workers", "1", "--quiet"]
    assert run([*command, *(word for pair in given.items() for word in pair)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_nothing_is_overwritten(trained: Path, table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in trained.iterdir() if path.is_file()}
    assert run(arguments(table, trained, "--epochs", "1")) == 2
    assert "already holds" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in trained.iterdir() if path.is_file()} == before


def test_strict_stops_at_the_first_bad_row(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments(table, tmp_path / "out", "--epochs", "1", "--strict")) == 2
    assert "bad0" in capsys.readouterr().err
    with pytest.raises(InputError, match="no finished model"):
        load_predictor(tmp_path / "out")


def test_a_killed_run_resumes_to_the_same_model(table: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    more = ["--epochs", "6", "--store", str(tmp_path / "store")]
    assert run(arguments(table, whole, *more)) == 0
    command = [sys.executable, "-m", "matwright.cli", *arguments(table, killed, *more), "--save-every", "0.05"]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    state = killed / "members" / "0" / "fit.safetensors"
    deadline = time.monotonic() + 300  # seconds; only a machine that is very busy comes near it
    while not state.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "model.json").exists(), "the run ended before it could be killed"
    assert run(arguments(table, killed, *more, "--resume")) == 0
    for name in ("member-0.safetensors", "calibration.safetensors", "metrics.json"):
        assert (whole / name).read_bytes() == (killed / name).read_bytes(), name
    assert run(arguments(table, killed, *more, "--resume")) == 2, "a finished run has nothing to resume"
