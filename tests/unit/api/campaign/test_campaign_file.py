"""The campaign's file: what is wrong in it is said in one sentence, with the nearest known name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from campaign_toys import write_campaign

from matwright.api.campaign import load_campaign, run_campaign
from matwright.api.campaign.rungs import make_evaluator
from matwright.campaign.evaluators.conduction import ConductionEvaluator
from matwright.campaign.evaluators.dft import DftEvaluator
from matwright.cli import main
from matwright.errors import InputError

WRONG = [
    ("batch = 4", "bacth = 6", "has no 'bacth'; did you mean 'batch'"),
    ("batch = 4", 'batch = "six"', "acquisition.batch must be a whole number, found 'six'"),
    ("batch = 4", "batch = 5000", "acquisition.batch lies in"),
    ('kind = "ei"', 'kind = "eii"', "acquisition.kind is one of"),
    ("seed = 3", "sead = 3", "has no 'sead'; did you mean 'seed'"),
    ("bulk_modulus>=60 GPa", "bulk_modulus>=60 eV", "bulk_modulus is given in GPa"),
    ("bulk_modulus>=60 GPa", "band_gap>=1 eV", "no evaluator gives band_gap"),
    ('kind = "lookup"', 'kind = "lockup"', "did you mean 'lookup'"),
    ('table = "known.csv"', 'tabel = "known.csv"', "has no 'tabel'; did you mean 'table'"),
    ('table = "known.csv"', 'table = "unknown.csv"', "cannot be read"),
    ('until = "geometry"', 'until = "phonon"', "filter.until is one of"),
    ("rounds = 3", "rounds = 0", "stop.rounds must be above 0"),
    ("seed = 3", 'conditions = "temperature=3 K"', "conditions is a list of texts"),
    ("seed = 3", 'conditions = ["temperature"]', "a condition is written name=value"),
    (
        "seed = 3",
        'conditions = ["temperature=3 K"]',
        "no model here knows a condition 'temperature' (no model is asked)",
    ),
    ("seed = 3", 'steps = ["age 900 K"]', "steps must be a text"),
    ("seed = 3", 'steps = "age 900 K"', "no model here knows processing steps"),
    ("trees = 10", 'kind = "oak"', "surrogate.kind is one of"),
    ('pool = "pool.csv"', 'pool = "pool.csv"\ngenerator = "random"', "either a pool"),
    ('pool = "pool.csv"', 'pool = "no.csv"', "does not exist"),
    ("[stop]", "[engine]\nworkers = 0\n[stop]", "engine.workers must be"),
    ("[filter]", "[filter.densty]\nx = 1\n[filter]", "no table"),
    ("targets = ", "targets = [", "is not valid TOML (line "),
]


@pytest.mark.parametrize(("old", "new", "sentence"), WRONG)
def test_a_wrong_file_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, sentence: str
) -> None:
    path = write_campaign(tmp_path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert main(["campaign", "run", str(path), "--quiet"]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert sentence in said[0]


def test_actions_have_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_campaign(tmp_path)
    assert main(["campaign", "runn", str(path)]) == 2
    assert "did you mean 'run'" in capsys.readouterr().err
    assert main(["campaign", "status", str(path)]) == 2
    assert "has not been run" in capsys.readouterr().err


def test_two_evaluators_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = '[[evaluator]]\nkind = "lookup"\ntable = "known.csv"\n' * 2
    with pytest.raises(InputError, match="two evaluators are called 'lookup'"):
        run_campaign(load_campaign(write_campaign(tmp_path, ladder=twice)))


@pytest.mark.parametrize("name", ["campaign.toml", "closed-loop.toml"])
def test_the_examples_are_read(name: str) -> None:
    assert load_campaign(Path(__file__).parents[4] / "configs" / name).evaluators


def test_the_dear_kinds_take_their_settings(tmp_path: Path) -> None:
    table = {
        "kind": "conduction",
        "ion": "Na",
        "temperatures": [500, 600, 700, 800],
        "timestep": 3.0,
        "production": 4.0,
    }
    moved = make_evaluator(table, tmp_path)
    assert isinstance(moved, ConductionEvaluator)
    assert moved.conduction.temperatures == (500.0, 600.0, 700.0, 800.0)
    assert (moved.conduction.ion, moved.conduction.dynamics.interval) == ("Na", 30.0)
    for wrong, why in (
        ({"kind": "conduction", "temperatures": 500}, "temperatures is a list"),
        ({"kind": "conduction", "ion": "Xe"}, "no ion that is followed"),
        ({"kind": "dft"}, "settings must be a text"),
        ({"kind": "dft", "settings": "vasp-mp-relax"}, "written, not run"),
    ):
        with pytest.raises(InputError, match=why):
            make_evaluator(wrong, tmp_path)


@pytest.mark.skipif(shutil.which("pw.x") is None, reason="pw.x is not installed (quantum-espresso)")
def test_density_functional_theory_is_a_kind(tmp_path: Path) -> None:
    point = make_evaluator({"kind": "dft", "settings": "qe-pbe-debian"}, tmp_path)
    relaxed = make_evaluator({"kind": "dft", "settings": "qe-pbe-debian", "fmax": 0.03}, tmp_path)
    assert isinstance(point, DftEvaluator)
    assert isinstance(relaxed, DftEvaluator)
    assert (point.name, relaxed.name) == ("qe-pbe-debian-point", "qe-pbe-debian-relaxation")
    assert relaxed.relaxation is not None
    assert relaxed.relaxation.fmax == 0.03
