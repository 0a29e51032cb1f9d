"""Alloys with conditions and steps, molecules, disordered crystals beside formulas: the whole path on tiny tables."""

from __future__ import annotations

import csv
import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import molecule as g2

from matwright.api.predict import Predictor, load_predictor
from matwright.cli.application import run
from matwright.errors import InputError
from matwright.graphs.builder import build_graph
from matwright.graphs.ragged import Labels
from matwright.graphs.store import pack
from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal
from matwright.materials.interop import to_cif
from matwright.models.checkpoint import read_model_file
from matwright.models.config import FusionMode, HeadKind
from matwright.models.learned import Learned
from matwright.uncertainty.stored import load_trust

CHROMIUM, ALUMINIUM, TEMPERATURES = (10, 12, 15, 18, 20), (1, 2, 3, 5), (20, 300, 600, 900)
STEPS = ("", "solution 1150 degC 4 h", "solution 1150 degC 4 h > age 850 degC 24 h, air")


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def strength(chromium: int, temperature: int, route: str, steps: str) -> float:
    return 300 + 10 * chromium - 0.3 * temperature + 150 * (route == "powder") + 100 * len(steps.split(">"))


def alloy_rows(n: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    rows = []
    for index in range(n):
        chromium, temperature = int(rng.choice(CHROMIUM)), int(rng.choice(TEMPERATURES))
        route, steps = str(rng.choice(("cast", "powder"))), str(rng.choice(STEPS))
        value: object = strength(chromium, temperature, route, steps)
        row = {"wt_Cr": chromium, "wt_Al": int(rng.choice(ALUMINIUM)), "T [degC]": temperature, "Route": route}
        rows.append({"name": f"a{index}", **row, "Heat": steps, "YS [MPa]": value, "batch": index // 4})
    rows[0]["Heat"] = "solution 1150"
    rows[1]["Heat"] = "solution 2500 degC 4 h"
    rows[2]["YS [MPa]"] = ">200"
    rows[3]["YS [MPa]"] = ""
    rows[4] |= {"T [degC]": "", "Route": "", "Heat": ""}
    return rows


N = 180
ALLOYS = ["--composition-columns", "wt_*", "--balance", "Ni", "--target", "yield_strength=YS [MPa]:MPa"]
CONDITIONS = ["--condition", "temperature=T [degC]:degC", "--condition", "Route", "--steps", "Heat"]


def train(table: Path, out: Path, *more: str, epochs: int = 1) -> int:
    return run(["train", str(table), "--out", str(out), "--workers", "1", "--quiet", "--epochs", str(epochs), *more])


@pytest.fixture(scope="module")
def alloys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("alloys") / "alloys.csv", alloy_rows(N))


@pytest.fixture(scope="module")
def trained(alloys: Path) -> Path:
    out = alloys.parent / "model"
    assert train(alloys, out, *ALLOYS, *CONDITIONS, "--group-column", "batch", epochs=30) == 0
    return out


@pytest.fixture(scope="module")
def predictor(trained: Path) -> Predictor:
    return load_predictor(trained)


def predicted(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, float], str]:
    """The mean for each material, and what is said on standard error."""
    assert run(["predict", *arguments]) == 0
    said = capsys.readouterr()
    return {row["material"]: float(row["mean"]) for row in csv.DictReader(io.StringIO(said.out))}, said.err


def test_conditions_are_learned_and_stand_on_the_card(trained: Path) -> None:
    report = json.loads((trained / "metrics.json").read_text())["test"]["yield_strength"]
    assert report["mae"] < 0.4 * report["mae_of_mean"]
    card = (trained / "card.md").read_text()
    for words in (
        "temperature: 20 to 900 degC",
        "Route: cast (",
        "up to 2 in order",
        "operation age (",
        "unified fusion",
        "compositions from 2 columns in wt%, Ni makes up the rest",
        "by column 'batch'",
        "these count as missing",
        "1 records state no target",
    ):
        assert words in card, words
    assert "wt_Cr" not in json.dumps(json.loads((trained / "metrics.json").read_text()))


def test_bad_and_doubtful_rows_are_listed(trained: Path) -> None:
    with (trained / "rejected.csv").open() as file:
        assert [(row["id"], "without a unit" in row["reason"]) for row in csv.DictReader(file)] == [("a0", True)]
    with (trained / "suspicious.csv").open() as file:
        assert [(row["id"], "2773.15 K" in row["reason"]) for row in csv.DictReader(file)] == [("a1", True)]


def test_the_split_keeps_groups_together(alloys: Path, trained: Path) -> None:
    with alloys.open() as file:
        batch_of = {row["name"]: row["batch"] for row in csv.DictReader(file)}
    parts: dict[str, set[str]] = {}
    with (trained / "split.csv").open() as file:
        for row in csv.DictReader(file):
            if row["part"]:
                parts.setdefault(batch_of[row["id"]], set()).add(row["part"])
    assert all(len(found) == 1 for found in parts.values())


def test_a_prediction_follows_its_conditions(predictor: Predictor) -> None:
    alloy = Composition.from_weight_percent({24: 15, 13: 2}, balance=28)
    cold, hot = {"temperature": 20, "Route": "cast"}, {"temperature": "1172.15 K", "Route": "powder"}
    found = predictor.predict([alloy] * 3, [cold, hot, cold])["yield_strength"].mean
    assert found[0] == pytest.approx(found[2], abs=1e-2)
    assert predictor.predict([alloy], hot)["yield_strength"].mean[0] == pytest.approx(found[1], abs=1e-2)
    unknown = predictor.predict([alloy])["yield_strength"].mean
    assert np.isfinite(unknown).all()
    assert predictor.schema is not None
    at_rest = {**cold, "temperature": None}
    assert abs(predictor.predict([alloy], at_rest)["yield_strength"].mean[0] - found[0]) > 0.1
    for conditions, says in [
        ({"temprature": 3}, "did you mean 'temperature'"),
        ({"Route": "forged"}, "one of cast, powder"),
        ([cold], "2 structures need as many conditions"),
    ]:
        with pytest.raises(InputError, match=says):
            predictor.predict([alloy] * 2, conditions)  # type: ignore[arg-type]


def test_predict_from_the_command_line(trained: Path, alloys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    formula = ["--formula", "Ni0.8Cr0.15Al0.05"]
    stated = ["--condition", "temperature=20 degC", "--condition", "Route=cast"]
    mean, said = predicted([str(trained), *formula, *stated], capsys)
    assert said == ""
    aged, _ = predicted([str(trained), *formula, *stated, "--steps", STEPS[2]], capsys)
    assert aged != mean
    _, said = predicted([str(trained), *formula, "--condition", "temperature=2000 degF"], capsys)
    assert "temperature lies outside of the 20 to 900 degC of the training data" in said
    table, said = predicted([str(trained), str(alloys)], capsys)
    assert len(table) == N - 1
    assert "row 1 (a0)" in said
    own = alloy_rows(N)[7]
    values = [f"temperature={own['T [degC]']} degC", f"Route={own['Route']}"]
    same, _ = predicted(
        [str(trained), str(alloys), *(word for value in values for word in ("--condition", value))], capsys
    )
    assert same["a7"] == table["a7"]
    assert same != table


def test_a_model_of_compositions_sees_of_a_crystal_its_composition(
    trained: Path, predictor: Predictor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert read_model_file(trained).facts["data"]["learned_from"] == "compositions"
    assert "Learned from compositions alone" in (trained / "card.md").read_text()
    alloy = Crystal(lattice=2.9 * np.eye(3), frac_coords=np.array([[0.0] * 3, [0.5] * 3]), numbers=np.array([28, 13]))
    (tmp_path / "NiAl.cif").write_text(to_cif(alloy))
    stated = ["--condition", "temperature=20 degC", "--condition", "Route=cast"]
    of_crystal, said = predicted([str(trained), str(tmp_path / "NiAl.cif"), *stated], capsys)
    assert said.splitlines()[0] == (
        "matwright: warning: the model learned from compositions alone: of the structure only the composition counts"
    )
    of_formula, said = predicted([str(trained), "--formula", "NiAl", *stated], capsys)
    assert list(of_crystal.values()) == list(of_formula.values())
    assert "only the composition" not in said
    graphs = [build_graph(alloy, predictor.graph_settings)]
    labels = Labels.of_conditions(np.full((1, 2), np.nan))
    store = pack(graphs, settings=predictor.graph_settings, labels=labels, condition_names=("temperature", "Route"))
    with pytest.raises(InputError, match="learned from compositions alone"):
        predictor.predict_store(store)


def test_nothing_stands_on_standard_output_when_no_structure_could_be_used(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", str(trained), "--formula", "Nx"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.endswith("none of the 1 structures could be used\n")
    assert run(["predict", str(trained), "--formula", "Nx", "--formula", "Ni"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("material,property")
    assert [line.split(",")[0] for line in lines] == ["material", "Ni"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "nothing to predict"),
        (["--formula", "Ni", "--condition", "Route=forged"], "one of cast, powder"),
        (["--formula", "Ni", "--condition", "pressure=3 MPa"], "no condition 'pressure'"),
        (["--formula", "Ni", "--steps", "forge 900 K"], "'forge' of a processing step is not known"),
        (["--formula", "Nx"], "none of the 1 structures"),
        (["{other}"], "name the column that holds the structures"),
    ],
)
def test_a_question_that_makes_no_sense(
    trained: Path, tmp_path: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write(tmp_path / "other.csv", [{"a": 1, "b": 2}])
    assert run(["predict", str(trained), *(word.format(other=other) for word in arguments)]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--condition", "T [degC]:GPz"], "GPz"),
        (["--condition", "Tmp:K"], "no column 'Tmp'"),
        (["--steps", "Hit"], "did you mean 'Heat'"),
        (["--fusion", "mixed"], "unified"),
        (["--arrhenius", "yield_strength"], "--log yield_strength"),
        (["--arrhenius", "yield_strength", "--log", "yield_strength"], "needs one condition that is a temperature"),
        (["--arrhenius", "yield_strength", "--log", "yield_strength", "--target", "wt_Al:1"], "by themselves"),
        (["--residual", "ztt=1"], "did you mean 'zt'"),
        (["--residual", "zt=much"], "is a number"),
        (["--group-column", "batch", "--split", "formula"], "not both"),
        (["--structures", "nowhere.zip"], "nowhere.zip"),
    ],
)
def test_columns_that_make_no_sense(
    alloys: Path, tmp_path: Path, more: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(alloys, tmp_path / "out", *ALLOYS, *more) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_run_with_conditions_resumes_with_the_same_ones_only(
    alloys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from matwright.training import members

    out = tmp_path / "out"
    arguments = [*ALLOYS, *CONDITIONS]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(members, "default_at_once", lambda: 1)
        patched.setattr("matwright.api.train.assess", _interrupted)
        assert train(alloys, out, *arguments) == 130
    assert not (out / "model.json").exists()
    assert train(alloys, out, *arguments, "--fusion", "none", "--resume") == 2
    assert "fusion" in capsys.readouterr().err
    assert train(alloys, out, *arguments, "--resume") == 0
    straight = tmp_path / "straight"
    assert train(alloys, straight, *arguments) == 0
    assert (out / "member-0.safetensors").read_bytes() == (straight / "member-0.safetensors").read_bytes()


def _interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("mode", [mode.value for mode in FusionMode])
def test_every_fusion_trains(tmp_path: Path, mode: str) -> None:
    table = write(tmp_path / "few.csv", alloy_rows(40))
    assert train(table, tmp_path / mode, *ALLOYS, *CONDITIONS, "--fusion", mode) == 0
    config = read_model_file(tmp_path / mode).config
    assert (config.fusion, config.composition, config.bonds) == (FusionMode(mode), True, False)


def test_molecules_bring_their_bonds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("H2O", "CH4", "NH3", "C2H4", "C2H6", "C2H2", "CO2", "HCN", "C6H6", "CH3OH", "H2CO", "N2", "CO", "SiH4")
    rng, rows = np.random.default_rng(0), []
    for index in range(60):
        atoms = g2(names[index % len(names)])
        coords = atoms.positions + rng.normal(0, 0.01, atoms.positions.shape)
        elements = repr(list(atoms.symbols)).replace(" ", "")
        rows.append({"Elements": elements, "XYZ": json.dumps(coords.tolist()), "gap": len(atoms) + rng.normal(0, 0.1)})
    table = write(tmp_path / "molecules.csv", rows)
    arguments = ["--molecule-columns", "Elements,XYZ", "--target", "gap:eV", "--split", "random"]
    assert train(table, tmp_path / "out", *arguments) == 0
    assert read_model_file(tmp_path / "out").config.bonds
    assert read_model_file(tmp_path / "out").learned is Learned.STRUCTURES
    assert "molecules from the columns Elements and XYZ" in (tmp_path / "out" / "card.md").read_text()
    (tmp_path / "water.xyz").write_text("3\nwater\nO 0 0 0.117\nH 0 0.757 -0.47\nH 0 -0.757 -0.47\n")
    capsys.readouterr()
    found, _ = predicted([str(tmp_path / "out"), str(tmp_path / "water.xyz")], capsys)
    assert math.isfinite(found["water.xyz"])
    found, _ = predicted([str(tmp_path / "out"), str(table)], capsys)
    assert len(found) == 60


def disordered(lithium: float) -> Crystal:
    """Rock salt whose first site is shared by Li and Na."""
    return Crystal(
        lattice=5.2 * np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]),
        frac_coords=np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]),
        numbers=np.array([3 if lithium >= 0.5 else 11, 17]),
        occupancies=(((3, lithium), (11, 1.0 - lithium)), ((17, 1.0),)),
    )


def test_disordered_crystals_beside_formulas_with_bounds_and_a_law_of_temperature(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng, rows = np.random.default_rng(0), []
    with zipfile.ZipFile(tmp_path / "cifs.zip", "w") as archive:
        for index in range(60):
            share, kelvin = float(rng.integers(1, 10)) / 10, float(rng.choice((300, 400, 500)))
            if index % 2:
                archive.writestr(f"c{index}.cif", to_cif(disordered(share)))
            sigma = 10 ** (1 + share - 0.4 / (8.617e-5 * kelvin * math.log(10)))
            cell = f"<{sigma:.3g}" if index % 7 == 0 else f"{sigma:.3g}"
            formula = f"Li{share:.1f}Na{1 - share:.1f}Cl"
            rows.append({"ID": f"c{index}", "True Composition": formula, "T": kelvin, "sigma (S/cm)": cell})
    table = write(tmp_path / "electrolytes.csv", rows)
    arguments = ["--structure", "ID", "--structures", str(tmp_path / "cifs.zip"), "--formula", "True Composition"]
    arguments += ["--target", "ionic_conductivity=sigma (S/cm):S/cm", "--log", "ionic_conductivity"]
    arguments += ["--condition", "temperature=T:K", "--arrhenius", "ionic_conductivity", "--split", "random"]
    out = tmp_path / "out"
    assert train(table, out, *arguments, epochs=8) == 0
    assert "log10(S/cm)" in capsys.readouterr().out
    (head,) = read_model_file(out).config.heads
    assert (head.kind, head.temperature) == (HeadKind.ARRHENIUS, "temperature")
    assert "only known as bounds" in (out / "card.md").read_text()
    assert read_model_file(out).facts["data"]["learned_from"] == "compositions and structures"
    predictor = load_predictor(out)
    states = [{"temperature": kelvin} for kelvin in (300.0, 400.0, 500.0)]
    found = predictor.predict([disordered(0.3)] * 3, states)
    assert (np.diff(found["ionic_conductivity"].mean) > 0).all(), "conductivity rises with temperature"
    energy = found["activation_energy"].mean
    assert (energy > 0).all()
    assert np.ptp(energy) < 1e-5, "one activation energy for one material"
    inverse = 1 / (8.617333e-5 * math.log(10) * np.array([300.0, 400.0, 500.0]))
    slopes = -np.diff(found["ionic_conductivity"].mean) / np.diff(inverse)
    np.testing.assert_allclose(slopes, energy[0], rtol=1e-3)
    capsys.readouterr()
    table_arguments = [str(out), str(table), "--structures", str(tmp_path / "cifs.zip")]
    assert len(predicted([*table_arguments, "--condition", "temperature=300 K"], capsys)[0]) == 60
    by_formula = predictor.predict([Composition.from_formula("Li0.3Na0.7Cl")], states[0])
    assert np.isfinite(by_formula["ionic_conductivity"].mean).all()


def test_a_forest_stands_beside_the_networks(alloys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "both"
    assert train(alloys, out, *ALLOYS, *CONDITIONS, "--group-column", "batch", "--forest", "20", epochs=3) == 0
    card = (out / "card.md").read_text()
    assert "Trees stand beside the networks" in card
    assert "training records that no part of the model saw: " in card
    held_out = (out / "split.csv").read_text().count(",val")
    for calibration in load_trust(out).calibrations.values():
        assert len(calibration.scores) > held_out, "few compositions: records that a member left out calibrate too"
    capsys.readouterr()
    stated = ["--condition", "temperature=600 degC", "--condition", "Route=powder", "--steps", STEPS[1]]
    found, _ = predicted([str(out), "--formula", "Ni0.8Cr0.17Al0.03", *stated], capsys)
    assert all(abs(value - strength(15, 600, "powder", STEPS[1])) < 200 for value in found.values())
    (out / "forest.safetensors").unlink()
    assert run(["predict", str(out), "--formula", "Ni0.8Cr0.2", *stated]) == 2
    assert "forest.safetensors" in capsys.readouterr().err


@pytest.mark.parametrize("more", [(), ("--forest", "10")])
def test_one_alloy_in_many_states(tmp_path: Path, more: tuple[str, ...]) -> None:
    """Nothing is new about a composition that training knows: each record counts, and intervals have bounds."""
    rng, table, out = np.random.default_rng(0), tmp_path / "one.csv", tmp_path / "one"
    kelvin = rng.uniform(300, 1200, 120)
    values = 900 - 0.5 * kelvin + 20 * rng.normal(size=120)
    rows = [f"Ni0.8Cr0.2,{t:.1f},{v:.2f}" for t, v in zip(kelvin, values, strict=True)]
    table.write_text("\n".join(["formula,T [K],strength [MPa]", *rows]))
    columns = ["--formula", "formula", "--target", "strength=strength [MPa]:MPa", "--condition", "temperature=T [K]:K"]
    assert train(table, out, *columns, "--split", "random", *more, epochs=5) == 0
    found = load_predictor(out).predict([Composition.from_formula("Ni0.8Cr0.2")], {"temperature": 700.0})["strength"]
    assert 50 < found.upper[0] - found.lower[0] < 1000


def test_two_fidelities_teach_one_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for index in range(150):
        share = round(float(rng.uniform(0.05, 0.95)), 3)
        cheap = 1.0 + 2.0 * share
        rows.append({"formula": f"Ga{share}In{1 - share:.3f}N", "method": "PBE", "gap": cheap})
        if index % 3 == 0:  # the dear method lies higher, and few know it
            rows.append({"formula": f"Ga{share}In{1 - share:.3f}N", "method": "experiment", "gap": 1.3 * cheap})
    table, out = write(tmp_path / "gaps.csv", rows), tmp_path / "model"
    asked = ["--formula", "formula", "--target", "gap:eV", "--condition", "method"]
    assert train(table, out, *asked, epochs=40) == 0
    capsys.readouterr()
    gaps = {
        method: predicted([str(out), "--formula", "Ga0.5In0.5N", "--condition", f"method={method}"], capsys)[0]
        for method in ("PBE", "experiment")
    }
    cheap, dear = (next(iter(found.values())) for found in gaps.values())
    assert cheap == pytest.approx(2.0, abs=0.3)
    assert dear == pytest.approx(2.6, abs=0.3)
