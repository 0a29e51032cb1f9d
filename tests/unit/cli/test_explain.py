"""`matwright explain` and `matwright map` from the command line: conditions, and one sentence for wrong input."""

from __future__ import annotations

import csv
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from explained_materials import SALT, SPECS, untrained

from matwright.cli import main
from matwright.materials.crystal import Crystal
from matwright.materials.interop import to_cif
from matwright.models.checkpoint import ModelFile, read_model_file, save_member, write_model_file
from matwright.uncertainty.stored import Trust, save_trust


@pytest.fixture(scope="module")
def cif(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cif") / "NaCl.cif"
    path.write_text(to_cif(SALT))
    return path


@pytest.fixture(scope="module")
def conditioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder whose model knows temperature, atmosphere and processing steps."""
    folder = tmp_path_factory.mktemp("model")
    members = [untrained(seed) for seed in (0, 1)]
    for index, member in enumerate(members):
        save_member(folder, index, member)
    save_trust(folder, Trust(calibrations={}, domain=None))
    facts = {"data": {"elements": ["Li", "O", "P", "S", "Cl"], "learned_from": "compositions and structures"}}
    write_model_file(folder, ModelFile(specs=SPECS, config=members[0].network.config, n_members=2, facts=facts))
    return folder


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("matwright: ")
    assert "\n" not in said, said
    return said


def test_conditions_and_steps_of_a_formula_are_explained(
    conditioned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["--formula", "Li6PS5Cl", "--condition", "temperature=177 degC", "--steps", "age 1100 K 24 h"]
    command = ["explain", str(conditioned), *arguments, "--property", "conductivity", "--out", str(out), "--quiet"]
    assert main(command) == 0, capsys.readouterr().err
    assert "1 material explained" in capsys.readouterr().out
    with (out / "attributions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    conditions = [row["name"] for row in rows if row["part"] == "condition"]
    assert conditions == ["temperature = 450.15 K", "atmosphere unknown", "processing (1 step)"]
    values = {row["name"]: float(row["contribution"]) for row in rows if row["part"] == "condition"}
    assert values["temperature = 450.15 K"] != 0
    assert values["atmosphere unknown"] == pytest.approx(0.0, abs=1e-12)  # what is unknown adds nothing
    assert values["processing (1 step)"] != 0
    assert [row["name"] for row in rows if row["part"] == "atom"] == ["Li", "P", "S", "Cl"]
    total = sum(float(row["contribution"]) for row in rows if row["part"] != "prediction")
    (prediction,) = [float(row["contribution"]) for row in rows if row["part"] == "prediction"]
    assert total == pytest.approx(prediction, rel=0.01)
    page = (out / "explanation.html").read_text(encoding="utf-8")
    assert "temperature = 450.15 K" in page
    assert "a composition, without structure" in page


def test_a_model_of_compositions_explains_the_composition_of_a_crystal(
    cif: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def rows(folder: str, *what: str) -> list[tuple[str, ...]]:
        command = [
            "explain",
            "thermoelectric",
            *what,
            "--condition",
            "temperature=700 K",
            "--property",
            "zt",
            "--quiet",
        ]
        assert main([*command, "--out", str(tmp_path / folder)]) == 0
        with (tmp_path / folder / "attributions.csv").open(newline="") as file:
            return [tuple(row.values())[1:] for row in csv.DictReader(file)]

    of_crystal = rows("crystal", str(cif))
    assert "of the structure only the composition counts" in capsys.readouterr().err
    assert of_crystal == rows("formula", "--formula", "NaCl")
    assert "only the composition" not in capsys.readouterr().err


def test_a_law_without_temperature_rejects_the_material(
    conditioned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["explain", str(conditioned), "--formula", "Li2S", "--out", str(tmp_path / "out"), "--quiet"]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert "follows a law of temperature; state the temperature" in said
    assert "none of the 1 materials could be used" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--property", "band_gpa"], "did you mean 'band_gap'"),
        (["--condition", "temperature=300 K"], "knows no conditions"),
        (["missing.cif"], "missing.cif does not exist"),
    ],
)
def test_what_cannot_be_explained(
    more: list[str], words: str, cif: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert words in refused(["explain", "mp-crystal", str(cif), "--out", str(out), "--quiet", *more], capsys)
    assert not out.exists()


def test_nothing_to_explain_and_a_folder_that_is_not_empty(
    cif: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "nothing to predict" in refused(["explain", "mp-crystal", "--out", str(tmp_path / "a")], capsys)
    (tmp_path / "mine.txt").write_text("kept")
    for command in (["explain", "mp-crystal", str(cif)], ["map", "mp-crystal", str(cif)]):
        assert "not empty (mine.txt)" in refused([*command, "--out", str(tmp_path), "--quiet"], capsys)
    assert (tmp_path / "mine.txt").read_text() == "kept"


@pytest.mark.parametrize(("command", "library"), [("explain", "captum"), ("map", "plotly")])
def test_a_missing_library_is_named(
    command: str,
    library: str,
    cif: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    said = refused([command, "mp-crystal", str(cif), "--out", str(tmp_path / "out"), "--quiet"], capsys)
    assert library in said
    assert "pip install 'matwright[explain]'" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--projection", "tnse"], "one of tsne, pca, found 'tnse'; did you mean 'tsne'"),
        (["--sample", "2"], "--sample"),
        ([], "at least 5 materials, found 1"),
    ],
)
def test_what_cannot_be_mapped(
    more: list[str], words: str, cif: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert words in refused(["map", "mp-crystal", str(cif), "--out", str(out), "--quiet", *more], capsys)
    assert not out.exists()


def test_a_folder_of_structures_is_mapped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "structures"
    folder.mkdir()
    for index, edge in enumerate(np.linspace(5.6, 5.8, 6)):
        crystal = Crystal(lattice=SALT.lattice * edge / 5.69, frac_coords=SALT.frac_coords, numbers=SALT.numbers)
        (folder / f"salt{index}.cif").write_text(to_cif(crystal))
    command = ["map", "mp-crystal", str(folder), "--projection", "pca", "--out", str(tmp_path / "out"), "--quiet"]
    assert main(command) == 0, capsys.readouterr().err
    assert "6 of 6 rows mapped" in capsys.readouterr().out
    with (tmp_path / "out" / "map.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["formula"] for row in rows] == ["NaCl"] * 6
    x = np.array([float(row["x"]) for row in rows])
    assert (np.diff(x) > 0).all() or (np.diff(x) < 0).all()  # the axis follows the one thing that varies


def test_a_model_that_does_not_name_its_elements_has_no_reference(
    conditioned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(conditioned, folder)
    described = read_model_file(folder)
    write_model_file(folder, replace(described, facts={}))
    command = ["explain", str(folder), "--formula", "Li2S", "--condition", "temperature=300 K", "--quiet"]
    assert "which elements" in refused([*command, "--out", str(tmp_path / "out")], capsys)
