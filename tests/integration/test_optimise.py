"""An optimisation from the command line: its files, its generator, its end after a kill, and wrong input."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from matwright.api.generate import load_generator
from matwright.api.optimise import OptimiseSettings, optimise
from matwright.api.optimise.run import STATE
from matwright.api.optimise.surrogate import surrogate_of
from matwright.api.predict import load_predictor
from matwright.cli import main
from matwright.errors import InputError
from matwright.generation.rl.settings import LearningConfig
from matwright.generation.wyckoff.decode import CrystalArrays
from matwright.materials.constraints import Constraints
from matwright.materials.target import parse_target
from matwright.serialization import read_json
from small_data import crystals

SETTINGS = OptimiseSettings(
    targets=(parse_target("bulk_modulus>=150 GPa"), parse_target("minimise density")),
    constraints=Constraints(forbidden=frozenset({82}), n_atoms=(1, 8), n_elements=(1, 3)),
    steps=6,
    learning=LearningConfig(batch=24, minibatch=12, replay=8, memory=60, least_unique=0.0),
    assessed=40,
    seed=5,
)


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


class Killed(BaseException):
    """Ends a run at once, like a signal."""


class KilledAfter:
    """A listener that ends the run when so many steps are done."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def start(self, stage: str, total: int | None = None) -> None: ...

    def advance(self, n: int = 1) -> None:
        self._left -= n
        if self._left < 0:
            raise Killed

    def note(self, text: str) -> None: ...

    def finish(self) -> None: ...


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    optimise(SETTINGS, folder)
    return folder


def test_a_run_leaves_curves_candidates_and_a_generator(whole: Path) -> None:
    curves = rows_of(whole / "curves.csv")
    assert [row["step"] for row in curves] == [str(step) for step in range(1, 7)]
    assert (whole / "curves.png").read_bytes().startswith(b"\x89PNG")
    candidates = rows_of(whole / "candidates.csv")
    hits = [row["hit"] for row in candidates]
    assert hits == sorted(hits, reverse=True)
    assert len({(row["formula"], row["space_group"], row["n_atoms"]) for row in candidates}) > 20
    for row in candidates:
        sure = float(row["bulk_modulus"]) - float(row["bulk_modulus_std"]) >= 150
        assert sure == (row["hit"] == "1")
        term = {name: float(row[f"{name}_term"]) for name in ("target", "met", "stability", "uncertainty")}
        weighted = term["target"] + 3 * term["met"] + 0.2 * term["stability"] - 0.1 * term["uncertainty"]
        assert float(row["reward"]) == pytest.approx(weighted, abs=1e-4)
    assert len(list((whole / "cifs").glob("*.cif"))) == len(candidates)
    record = read_json(whole / "run.json")
    assert record["finished"]
    assert record["results"]["after"]["drawn"] == 40


def test_learning_is_braked_where_crystals_grow_alike_and_the_best_step_is_kept(tmp_path: Path) -> None:
    strict = replace(SETTINGS, learning=replace(SETTINGS.learning, repeat_penalty=0.0, least_unique=1.0))
    narrow = replace(
        strict, constraints=replace(SETTINGS.constraints, space_groups=frozenset({225}), n_elements=(1, 1))
    )
    outcome = optimise(narrow, tmp_path / "run")
    reports = outcome.reports
    assert len(reports) == narrow.steps
    assert any(report.uniqueness < 1 for report in reports)
    for report, following in pairwise(reports):
        assert (following.brake > report.brake) == (report.uniqueness < 1)
    best = read_json(tmp_path / "run" / "run.json")["results"]["best_step"]
    assert best["step"] == max(reports, key=lambda report: report.merit(1.0)).step


def test_the_tuned_policy_is_a_generator(whole: Path) -> None:
    generator = load_generator(whole)
    candidates = generator.sample(5, constraints=SETTINGS.constraints, seed=1)
    assert generator.name == "mp-generator-ppo"
    assert all(82 not in candidate.crystal.numbers for candidate in candidates)
    assert read_json(whole / "model.json")["record"]["tuned"]["from"] == "mp-generator"
    shipped = load_generator("mp-generator").sample(5, constraints=SETTINGS.constraints, seed=1)
    assert [c.crystal.content_hash() for c in candidates] != [c.crystal.content_hash() for c in shipped]


def test_a_killed_run_ends_like_an_uninterrupted_one(whole: Path, tmp_path: Path) -> None:
    broken = tmp_path / "run"
    with pytest.raises(Killed):
        optimise(SETTINGS, broken, progress=KilledAfter(5))
    assert (broken / STATE).is_file()
    assert not (broken / "model.json").exists()
    with pytest.raises(InputError, match="seed was 5 and is 6"):
        optimise(replace(SETTINGS, seed=6), broken, resume=True)
    saved = (broken / STATE).read_bytes()
    (broken / STATE).write_bytes(saved[:100])
    with pytest.raises(InputError, match="cannot be read"):
        optimise(SETTINGS, broken, resume=True)
    (broken / STATE).write_bytes(saved)
    optimise(SETTINGS, broken, resume=True)
    for name in ("curves.csv", "candidates.csv", "model.safetensors"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes(), name


def test_models_under_conditions_judge_crystals_in_flat_arrays_as_one_by_one() -> None:
    some = crystals(6)
    arrays = CrystalArrays(
        lattices=np.stack([crystal.lattice for crystal in some]),
        frac_coords=np.concatenate([crystal.frac_coords for crystal in some]),
        numbers=np.concatenate([crystal.numbers for crystal in some]),
        offsets=np.cumsum([0, *map(len, some)]),
    )
    targets = [parse_target("zt>=0.5")]
    surrogate = surrogate_of(["thermoelectric", "mp-crystal"], targets, 0, ["temperature=700 K"])
    found = surrogate.predict(arrays)
    hot = load_predictor("thermoelectric").predict(some, {"temperature": 700.0})
    np.testing.assert_allclose(found["zt"].mean, hot["zt"].mean, rtol=1e-5)
    np.testing.assert_allclose(found["zt"].std, hot["zt"].std, rtol=1e-5)
    energies = load_predictor("mp-crystal").predict(some)["formation_energy_per_atom"].mean
    np.testing.assert_allclose(found["formation_energy_per_atom"].mean, energies, atol=1e-4)
    cold = surrogate_of(["thermoelectric", "mp-crystal"], targets, 0, ["temperature=300 K"]).predict(arrays)
    assert not np.allclose(cold["zt"].mean, found["zt"].mean, rtol=0.05)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["mp-generator"], "say what you want"),
        (["mp-generator", "--target", "bulk_modulus>=300 GPa", "--algorithm", "dqn"], "reinforce or ppo"),
        (["random", "--target", "bulk_modulus>=300 GPa"], "does not learn"),
        (["nobody", "--target", "bulk_modulus>=300 GPa"], "there is no generator"),
        (["mp-generator", "--target", "zt>=1"], "the shipped model `thermoelectric` does"),
        (["mp-generator", "--target", "band_gap>=1 eV", "--condition", "temperature=3 K"], "'temperature'"),
        (["mp-generator", "--target", "band_gap>=1 eV", "--processing-steps", "age 900 K"], "knows processing steps"),
        (["mp-generator", "--target", "band_gap>=1 eV", "--maximise", "band_gap"], "asked for twice"),
        (["mp-generator", "--target", "band_gap>=1 eV", "--model", "superalloy"], "formation_energy_per_atom"),
        (["mp-generator", "--target", "band_gap>=1 eV", "--require", "O", "--exclude", "O"], "required and excluded"),
        (["mp-generator", "--target", "band_gap>=1 eV", "--learning-rate", "0"], "positive"),
    ],
)
def test_wrong_input_is_one_sentence(
    words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["optimise", *words, "--out", str(tmp_path / "run"), "--quiet"])
    said = capsys.readouterr().err
    assert code == 2
    assert sentence in said
    assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_the_python_example_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "optimise.md"
    (block,) = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(block, page.name, "exec"), names)
    assert len(names["crystals"]) == 10  # type: ignore[arg-type]
