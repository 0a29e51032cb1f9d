"""Verdicts of files and formulas, and the tables they are written to."""

from __future__ import annotations

import csv
import doctest
import json
from pathlib import Path

import numpy as np
import pytest

from matwright.api.rules import COLUMNS, judge, read_materials, write_verdicts
from matwright.cli import main
from matwright.errors import InputError
from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal
from matwright.materials.interop import to_cif
from matwright.physics.rules.base import REFERENCES
from matwright.screening.cascade import apply_rules
from matwright.screening.limits import DensityLimits
from matwright.screening.thresholds import Thresholds

FCC = 5.64 * np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
SALT = Crystal(lattice=FCC, frac_coords=np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), numbers=np.array([11, 17]))


@pytest.fixture
def cif(tmp_path: Path) -> Path:
    path = tmp_path / "salt.cif"
    path.write_text(to_cif(SALT))
    return path


def test_the_geometry_of_the_cascade_is_told_in_the_same_words() -> None:
    limits = Thresholds(density=DensityLimits(min_density=3.0))
    told = {verdict.rule: verdict for verdict in judge("salt", SALT, limits).verdicts}
    for verdict in apply_rules(SALT, limits, stop_at_first=False):
        if verdict.rule in ("charge_balance", "noble_gases"):
            continue
        assert told[verdict.rule].value == verdict.value
        assert (told[verdict.rule].outcome.value == "holds") == verdict.passed
        assert verdict.threshold in (told[verdict.rule].lower, told[verdict.rule].upper)
    assert told["min_density"].outcome.value == "broken"
    assert set(REFERENCES) < set(told)


def test_words_are_files_or_formulas(cif: Path) -> None:
    (first, crystal), (second, composition) = read_materials([str(cif), "Li0.5FePO4"])
    assert (first, second) == ("salt.cif", "Li0.5FePO4")
    assert isinstance(crystal, Crystal)
    assert isinstance(composition, Composition)
    with pytest.raises(InputError, match="neither a structure file nor a formula"):
        list(read_materials(["no-such-file.cif"]))
    with pytest.raises(InputError, match="folder"):
        list(read_materials([str(cif.parent)]))


def test_table_and_json_hold_the_same(tmp_path: Path) -> None:
    judged = [judge("NaCl", Composition.from_formula("NaCl")), judge("salt", SALT)]
    write_verdicts(judged, tmp_path / "v.csv")
    write_verdicts(judged, tmp_path / "v.json")
    with (tmp_path / "v.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    content = json.loads((tmp_path / "v.json").read_text(encoding="utf-8"))
    assert rows == content["verdicts"]
    assert content["made_by"]["version"]
    assert tuple(rows[0]) == COLUMNS
    assert {row["verdict"] for row in rows} <= {"holds", "broken", "does not apply"}
    assert all(row["reference"] and row["reason"] for row in rows)
    with pytest.raises(InputError, match="exists"):
        write_verdicts(judged, tmp_path / "v.csv")
    with pytest.raises(InputError, match=r"\.csv or \.json"):
        write_verdicts(judged, tmp_path / "v.txt")


def test_the_page_about_rules_names_each_and_its_example_is_true() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "rules.md"
    text = page.read_text(encoding="utf-8")
    assert all(f"`{rule}`" in text for rule in REFERENCES)
    block = text.split("```pycon\n")[1].split("```")[0]
    example = doctest.DocTestParser().get_doctest(block, {}, "rules.md", str(page), 0)
    found = doctest.DocTestRunner().run(example)
    assert (found.attempted, found.failed) == (5, 0)


def test_the_command_prints_reasons_and_sources(cif: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "verdicts.csv"
    assert main(["rules", str(cif), "NaCl7", "--references", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "salt.cif (NaCl)" in shown
    assert "at least 6 e are left over" in shown
    assert "V. M. Goldschmidt" not in shown  # its rule does not apply here
    assert "L. Pauling, J. Am. Chem. Soc. 51, 1010 (1929)" in shown
    assert out.is_file()
    assert main(["rules", "NaCl", "--out", str(out)]) == 2
    assert main(["rules", "Xx2"]) == 2
    assert "neither" in capsys.readouterr().err
