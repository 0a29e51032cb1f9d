"""Screening of files: every verdict kept, interrupted and resumed, wrong input refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from matwright.api.predict import load_predictor
from matwright.api.screen import RUNGS, Inputs, ScreenSettings, screen
from matwright.cli import main
from matwright.errors import InputError
from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal
from matwright.materials.interop import to_cif
from matwright.materials.target import parse_target
from matwright.screening.limits import DensityLimits, HullLimits, ResidualLimits
from matwright.screening.relaxing import RelaxationStage
from matwright.screening.stage import Climb, Climber
from matwright.screening.thresholds import Thresholds

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])


def rock_salt(first: int, second: int, edge: float) -> Crystal:
    return Crystal(
        lattice=edge * FCC, frac_coords=np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), numbers=np.array([first, second])
    )


CRYSTALS = {
    "salt": rock_salt(11, 17, 5.64),
    "magnesia": rock_salt(12, 8, 4.21),
    "wrong-charge": rock_salt(56, 9, 6.0),
    "helium": rock_salt(12, 2, 4.5),
    "empty": rock_salt(11, 17, 16.0),
    "crowded": rock_salt(55, 53, 2.4),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("structures")
    for name, crystal in CRYSTALS.items():
        (path / f"{name}.cif").write_text(to_cif(crystal))
    return path


@pytest.fixture(scope="module")
def finished(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("screened") / "run"
    settings = ScreenSettings(targets=(parse_target("bulk_modulus>=60 GPa"),))
    screen(Inputs(paths=(folder,)), settings, out)
    return out


def rows_of(out: Path, name: str = "verdicts.csv") -> list[dict[str, str]]:
    with (out / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def reached(out: Path) -> dict[str, str]:
    return {Path(row["parents"]).stem: row["reached"] for row in rows_of(out, "candidates.csv")}


def test_each_candidate_stops_where_it_should(finished: Path) -> None:
    assert reached(finished) == {
        "salt": "surrogate",  # its bulk modulus is about 25 GPa
        "magnesia": "hull",
        "wrong-charge": "chemistry",
        "helium": "chemistry",
        "empty": "density",
        "crowded": "density",
    }


def test_every_verdict_says_what_was_held_against_what(finished: Path) -> None:
    rows = rows_of(finished)
    assert {row["rung"] for row in rows} == set(ScreenSettings().rungs)
    for row in rows:
        assert (row["passed"] == "True") == (float(row["residual"]) == 0.0)
        assert (row["reason"] == "") == (row["passed"] == "True")
        assert float(row["seconds"]) >= 0
    crowded = {row["rule"]: row for row in rows if row["material"] == "crowded" and row["passed"] == "False"}
    assert set(crowded) == {"min_volume_per_atom", "max_density"}  # a rung says all that is wrong
    dense = {name: float(crowded["max_density"][name]) for name in ("value", "threshold", "residual")}
    assert dense["residual"] == pytest.approx(dense["value"] - dense["threshold"], rel=1e-4)
    hull = next(row for row in rows if row["rule"] == "e_above_hull")
    assert abs(float(hull["value"])) < 0.1
    assert hull["threshold"] == "0.1"


def test_survivors_stand_in_files_and_page(finished: Path) -> None:
    assert [path.name for path in (finished / "cifs").iterdir()] == ["0001_MgO_s00003.cif"]
    page = (finished / "report.html").read_text(encoding="utf-8")
    assert "1 of 6 candidates passed every rung" in page
    assert "cifs/0001_MgO_s00003.cif" in page
    record = json.loads((finished / "run.json").read_text(encoding="utf-8"))
    assert record["finished"]
    assert record["results"]["survivors"] == 1
    assert record["results"]["rungs"]["density"] == {
        "entered": 6,
        "passed": 4,
        "seconds": record["results"]["rungs"]["density"]["seconds"],
    }


def test_an_interrupted_screening_goes_on_and_ends_alike(
    finished: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ScreenSettings(targets=(parse_target("bulk_modulus>=60 GPa"),))
    out = tmp_path / "run"

    def interrupted(self: RelaxationStage, climbers: Sequence[Climber]) -> list[Climb]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RelaxationStage, "climb", interrupted)
        with pytest.raises(KeyboardInterrupt):
            screen(Inputs(paths=(folder,)), settings, out)
    lines = (out / "journal" / "rungs.jsonl").read_text(encoding="utf-8")
    assert '"surrogate"' in lines
    assert '"relaxation"' not in lines
    assert not (out / "verdicts.csv").exists()
    screen(Inputs(paths=(folder,)), settings, out, resume=True)
    assert (out / "candidates.csv").read_bytes() == (finished / "candidates.csv").read_bytes()


def test_other_settings_or_crystals_are_not_resumed(finished: Path, folder: Path) -> None:
    with pytest.raises(InputError, match="other settings"):
        screen(Inputs(paths=(folder,)), ScreenSettings(), finished, resume=True)
    settings = ScreenSettings(targets=(parse_target("bulk_modulus>=60 GPa"),))
    with pytest.raises(InputError, match="data_hash"):
        screen(Inputs(paths=(folder / "salt.cif",)), settings, finished, resume=True)
    with pytest.raises(InputError, match="already holds"):
        screen(Inputs(paths=(folder,)), settings, finished)


def test_epsilon_lets_small_violations_pass_and_weight_0_only_tells(folder: Path, tmp_path: Path) -> None:
    density = DensityLimits(max_volume_per_atom=20.0)  # salt has 22.4 Å³ an atom, an eighth too much
    lenient = Thresholds(density=density, residual=ResidualLimits(epsilon=0.2))
    silent = Thresholds(density=density, residual=ResidualLimits(weights=(("max_volume_per_atom", 0.0),)))
    for name, thresholds, last in (
        ("strict", Thresholds(density=density), "density"),
        ("lenient", lenient, "geometry"),
        ("silent", silent, "geometry"),
    ):
        screen(
            Inputs(paths=(folder / "salt.cif",)),
            ScreenSettings(thresholds=thresholds, until="geometry"),
            tmp_path / name,
        )
        assert reached(tmp_path / name) == {"salt": last}
    told = next(row for row in rows_of(tmp_path / "silent") if row["rule"] == "max_volume_per_atom")
    assert (told["passed"], told["weight"]) == ("False", "0")


def test_what_cannot_be_used_is_listed(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.cif").write_text("no structure")
    arguments = ["screen", str(tmp_path / "broken.cif"), str(folder / "salt.cif"), "--until", "density", "--quiet"]
    assert main([*arguments, "--out", str(tmp_path / "run")]) == 0
    shown = capsys.readouterr()
    assert "left out" in shown.err
    assert "1 survivor of 1 candidates" in shown.out
    assert rows_of(tmp_path / "run", "rejected.csv")[0]["file"].endswith("broken.cif")
    assert main([*arguments, "--strict", "--out", str(tmp_path / "strict")]) == 2
    assert not (tmp_path / "strict").exists()


def test_wrong_rungs_and_limits_are_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="did you mean 'geometry'"):
        ScreenSettings(until="geometri")
    assert ScreenSettings(until="hull", skip=("surrogate",)).rungs == tuple(
        rung for rung in RUNGS[: RUNGS.index("hull") + 1] if rung != "surrogate"
    )
    limits = tmp_path / "filter.toml"
    limits.write_text("[hull]\nmax_above_hull = 0.2\n")
    arguments = ["screen", str(folder), "--thresholds", str(limits), "--out", str(tmp_path / "run")]
    assert main(arguments) == 2
    assert "did you mean 'max_e_above_hull'" in capsys.readouterr().err
    assert Thresholds(hull=HullLimits(max_e_above_hull=0.2)).hull.max_e_above_hull == 0.2


def test_the_example_of_the_page_runs(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[3] / "docs" / "screening.md").read_text(encoding="utf-8")
    example = page.split("```python\n")[1].split("```")[0]
    (tmp_path / "candidates").symlink_to(folder, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "screening.md", "exec"), {})
    assert (tmp_path / "screened-in-python" / "verdicts.csv").is_file()


def test_the_whole_ladder_for_one_crystal(folder: Path, tmp_path: Path) -> None:
    settings = ScreenSettings(until="phonon", skip=("surrogate",))
    screen(Inputs(paths=(folder / "magnesia.cif",)), settings, tmp_path / "run")
    (row,) = rows_of(tmp_path / "run", "candidates.csv")
    assert (row["status"], row["reached"]) == ("survivor", "phonon")
    assert float(row["elastic.elastic_c11 [GPa]"]) == pytest.approx(213, rel=0.03)  # in the standard frame
    assert float(row["elastic.elastic_bulk_modulus [GPa]"]) == pytest.approx((213 + 2 * 81) / 3, rel=0.03)
    assert float(row["equation_of_state.bulk_modulus_eos [GPa]"]) == pytest.approx(130, rel=0.1)
    assert float(row["phonon.lowest_frequency [THz]"]) > 1
    assert float(row["specimen.specimen_residual.value"]) < 1e-8
    assert row["elastic.code"].startswith("chgnet")
    assert "lowest frequency away from Γ" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_what_cannot_be_computed_is_said_before_anything_is_written(folder: Path, tmp_path: Path) -> None:
    for settings, message in (
        (ScreenSettings(potential="no-such"), "choose one of chgnet, sevennet-0"),
        (ScreenSettings(skip=("relaxation",)), "skip both or neither"),
        (ScreenSettings(models=("no-such-model",)), "no-such-model"),
        (ScreenSettings(models=("elastic",), targets=(parse_target("band_gap>=1 eV"),)), "no model here predicts"),
    ):
        with pytest.raises(InputError, match=message):
            screen(Inputs(paths=(folder,)), settings, tmp_path / "run")
        assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_number_of_workers_changes_nothing(folder: Path, tmp_path: Path) -> None:
    settings = ScreenSettings(skip=("density", "chemistry", "surrogate"), until="elastic")
    for workers in (1, 2):
        screen(Inputs(paths=(folder,) * 4), settings, tmp_path / f"run{workers}", workers=workers)
    first, second = ((tmp_path / f"run{n}" / "candidates.csv").read_bytes() for n in (1, 2))
    assert first == second
    assert b"survivor" in first


def test_a_screening_under_conditions(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def figures(out: str, *conditions: str) -> list[float]:
        words = [word for text in conditions for word in ("--condition", text)]
        models = ["--model", "thermoelectric", "--model", "mp-crystal", "--target", "zt>=0"]
        command = ["screen", str(folder / "salt.cif"), *models, *words, "--until", "surrogate", "--quiet"]
        assert main([*command, "--out", str(tmp_path / out)]) == 0
        return [float(row["surrogate.zt"]) for row in rows_of(tmp_path / out, "candidates.csv")]

    hot = figures("hot", "temperature=700 K")
    assert "whatever the structure, at temperature = 700 K." in capsys.readouterr().out
    by_formula = load_predictor("thermoelectric").predict([Composition.from_formula("NaCl")], {"temperature": 700.0})
    assert hot == pytest.approx(by_formula["zt"].mean.tolist(), rel=1e-4)
    assert json.loads((tmp_path / "hot" / "run.json").read_text())["settings"]["conditions"] == ["temperature=700 K"]
    assert figures("unknown") != hot
    assert "temperature is not given and taken as unknown" in capsys.readouterr().out
    assert "conditions" not in json.loads((tmp_path / "unknown" / "run.json").read_text())["settings"]
    command = ["screen", str(folder / "salt.cif"), "--condition", "temperature=700 K", "--out", str(tmp_path / "none")]
    assert main(command) == 2
    assert "no model here knows a condition 'temperature' (mp-crystal knows none)" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_screening_after_processing(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def strength(out: str, *words: str) -> float:
        models = ["--model", "superalloy", "--target", "yield_strength>=0 MPa", "--condition", "temperature=20 degC"]
        command = ["screen", str(folder / "salt.cif"), *models, *words, "--until", "surrogate", "--quiet"]
        assert main([*command, "--out", str(tmp_path / out)]) == 0
        (row,) = rows_of(tmp_path / out, "candidates.csv")
        return float(row["surrogate.yield_strength [MPa]"])

    steps = "treatment 1150 degC 4 h, air cooled > treatment 850 degC 24 h"
    aged = strength("aged", "--steps", steps)
    assert "after treatment 1423.15 K 4 h, air cooled > treatment 1123.15 K 24 h;" in capsys.readouterr().out
    asked = {"temperature": "20 degC", "steps": steps}
    alone = load_predictor("superalloy").predict([CRYSTALS["salt"]], asked)["yield_strength"].mean[0]
    assert aged == pytest.approx(float(alone), rel=1e-5)
    recorded = json.loads((tmp_path / "aged" / "run.json").read_text())["settings"]["conditions"]
    assert recorded == ["temperature=20 degC", f"steps={steps}"]
    assert strength("unknown") != pytest.approx(aged, rel=1e-3)
    before = (tmp_path / "aged" / "candidates.csv").read_bytes()
    assert strength("aged", "--steps", steps, "--resume") == aged
    assert (tmp_path / "aged" / "candidates.csv").read_bytes() == before
    command = ["screen", str(folder / "salt.cif"), "--steps", steps, "--out", str(tmp_path / "none")]
    assert main(command) == 2
    assert capsys.readouterr().err.count("no model here knows processing steps (mp-crystal knows none)") == 1
    assert not (tmp_path / "none").exists()
