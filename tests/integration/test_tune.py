"""Tune from the command line: bounded settings, no look at the test part, the same search after a kill."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from matwright.api import tune as tune_module
from matwright.api.hyperparameters import HyperParameters
from matwright.cli.application import run
from small_data import ENERGY, crystals, write_table

N = 90


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "crystals.csv"
    write_table(path, crystals(N))
    return path


def arguments(table: Path, out: Path, trials: int, *more: str) -> list[str]:
    start = ["tune", str(table), "--structure", "poscar", "--target", f"{ENERGY.name}:eV/atom", "--workers", "1"]
    start += ["--split-column", "split", "--epochs", "2", "--range", "width=8:16", "--range", "layers=1:2"]
    return [*start, "--out", str(out), "--trials", str(trials), "--quiet", *more]


@pytest.fixture(scope="module")
def tuned(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "tuned"
    assert run(arguments(table, out, 7)) == 0
    return out


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "trials.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_folder_says_what_was_found(tuned: Path, table: Path, tmp_path: Path) -> None:
    found = rows(tuned)
    assert len(found) == 7
    complete = [row for row in found if row["state"] == "complete"]
    best = min(complete, key=lambda row: float(row["score"]))
    chosen = HyperParameters.read(tuned / "best.toml")
    assert chosen.given()["learning_rate"] == float(best["learning_rate"])
    assert {int(row["width"]) for row in found} <= set(range(8, 17))
    assert {int(row["layers"]) for row in found} <= {1, 2}
    assert found[0]["learning_rate"] == "0.004", "the first trial takes the usual settings"
    assert (tuned / "search.png").read_bytes().startswith(b"\x89PNG")
    record = json.loads((tuned / "run.json").read_text())
    assert record["results"]["best"] == chosen.given()
    train = ["train", str(table), "--structure", "poscar", "--target", f"{ENERGY.name}:eV/atom", "--epochs", "1"]
    train += ["--settings", str(tuned / "best.toml"), "--workers", "1", "--quiet", "--out", str(tmp_path / "model")]
    assert run(train) == 0
    model = json.loads((tmp_path / "model" / "model.json").read_text())
    assert model["config"]["width"] == chosen.width


def test_a_killed_search_goes_on_as_if_it_had_not_been(
    tuned: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, fitted = tmp_path / "killed", []
    real = tune_module.fit_member

    def dies(job: object, *rest: object) -> object:
        fitted.append(job)
        if len(fitted) == 4:
            raise KeyboardInterrupt
        return real(job, *rest)

    monkeypatch.setattr(tune_module, "fit_member", dies)
    assert run(arguments(table, out, 7)) == 130
    assert len((out / "trials.jsonl").read_text().splitlines()) == 3
    assert run(arguments(table, out, 7, "--resume")) == 0
    assert [(row["score"], row["width"], row["dropout"]) for row in rows(out)] == [
        (row["score"], row["width"], row["dropout"]) for row in rows(tuned)
    ]
    assert run(arguments(table, out, 7, "--resume")) == 2, "there is nothing more to do"


def test_the_test_part_is_not_looked_at(tuned: Path, table: Path, tmp_path: Path) -> None:
    with table.open(newline="") as file:
        content = list(csv.reader(file))
    place, part = content[0].index(ENERGY.name), content[0].index("split")
    for row in content[1:]:
        if row[part] == "test":
            row[place] = "1e6"
    changed = tmp_path / "changed.csv"
    with changed.open("w", newline="") as file:
        csv.writer(file).writerows(content)
    assert run(arguments(changed, tmp_path / "out", 2)) == 0
    assert [row["score"] for row in rows(tmp_path / "out")] == [row["score"] for row in rows(tuned)][:2]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--range", "widht=8:16"), "did you mean 'width'"),
        (("--range", "width=16"), "name=low:high"),
        (("--range", "width=16:8"), "its first end below its second"),
        (("--range", "layers=1.5:3"), "whole number"),
        (("--minutes", "1"), "not both"),
        (("--resume",), "holds no run"),
    ],
)
def test_wrong_input(
    table: Path, tmp_path: Path, more: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(table, tmp_path / "out", 2, *more)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
