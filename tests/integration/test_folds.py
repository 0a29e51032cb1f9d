"""Cross-validation from the command line: each record tested once, resumed after a kill, settings from a file."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from matwright.cli.application import run
from small_data import ENERGY, crystals, write_table

FOLDS = 3


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "crystals.csv"
    write_table(path, crystals(90))
    return path


def arguments(table: Path, out: Path, *more: str) -> list[str]:
    start = ["train", str(table), "--structure", "poscar", "--target", f"{ENERGY.name}:eV/atom", "--workers", "1"]
    return [*start, "--target", "metal:class", "--epochs", "2", "--out", str(out), "--quiet", *more]


@pytest.fixture(scope="module")
def validated(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "folds"
    settings = out.with_name("settings.toml")
    settings.write_text("width = 16\nlayers = 1\nlearning_rate = 0.01\n")
    assert run(arguments(table, out, "--folds", str(FOLDS), "--settings", str(settings))) == 0
    return out


def parts(folder: Path) -> dict[str, str]:
    with (folder / "split.csv").open() as file:
        return {row["id"]: row["part"] for row in csv.DictReader(file)}


def test_each_record_is_tested_once(validated: Path) -> None:
    tested: Counter[str] = Counter()
    for fold in range(1, FOLDS + 1):
        own = parts(validated / f"fold-{fold}")
        assert set(own.values()) == {"train", "val", "test"}
        tested.update(name for name, part in own.items() if part == "test")
        model = json.loads((validated / f"fold-{fold}" / "model.json").read_text())
        assert (model["config"]["width"], model["config"]["layers"]) == (16, 1)
    assert set(tested.values()) == {1}
    assert len(tested) == 90


def test_the_table_is_the_folds_own_numbers(validated: Path) -> None:
    runs = [json.loads((validated / f"fold-{fold}" / "metrics.json").read_text())["test"] for fold in (1, 2, 3)]
    summary = json.loads((validated / "folds.json").read_text())
    maes = [report[ENERGY.name]["mae"] for report in runs]
    assert summary[ENERGY.name]["mae"]["folds"] == maes
    assert summary[ENERGY.name]["mae"]["mean"] == pytest.approx(np.mean(maes))
    assert summary[ENERGY.name]["mae"]["std"] == pytest.approx(np.std(maes, ddof=1))
    assert summary["metal"]["auc"]["mean"] == pytest.approx(np.mean([report["metal"]["auc"] for report in runs]))
    assert {"rmse", "r2", "mape"} <= set(summary[ENERGY.name])
    assert {"f1", "accuracy"} <= set(summary["metal"])
    with (validated / "folds.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["property"] == ENERGY.name]
    assert [row["fold"] for row in rows] == ["1", "2", "3", "mean", "std", "min", "max"]
    assert float(rows[3]["mae"]) == pytest.approx(np.mean(maes), rel=1e-5)
    assert rows[3]["n"] == "90"
    assert rows[0]["auc"] == ""


def test_an_interrupted_run_keeps_its_finished_folds(
    validated: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ("--settings", str(validated.with_name("settings.toml")))
    again = arguments(table, validated, "--folds", str(FOLDS), *settings, "--resume")
    assert run(again) == 2
    assert "nothing to resume" in capsys.readouterr().err
    record = json.loads((validated / "run.json").read_text())
    (validated / "run.json").write_text(json.dumps({**record, "finished": None, "results": {}}))
    last = validated / f"fold-{FOLDS}"
    for path in sorted(last.rglob("*"), reverse=True):  # as if the run had been killed before the last fold
        path.rmdir() if path.is_dir() else path.unlink()
    before = (validated / "folds.json").read_text()
    first = (validated / "fold-1" / "member-0.safetensors").stat().st_mtime_ns
    assert run(again) == 0
    assert (validated / "folds.json").read_text() == before
    assert (validated / "fold-1" / "member-0.safetensors").stat().st_mtime_ns == first
    printed = capsys.readouterr().out
    assert f"{ENERGY.name}: MAE" in printed
    assert "±" in printed


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--folds", "1"), "2"),
        (("--folds", "3", "--split-column", "split"), "not a split column"),
        (("--folds", "80"), "groups"),
        (("--settings", "no-such.toml"), "does not exist"),
    ],
)
def test_wrong_input(
    table: Path, tmp_path: Path, more: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(table, tmp_path / "out", *more)) == 2
    assert message in capsys.readouterr().err
