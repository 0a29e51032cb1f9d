"""`evaluate` on crystals whose answers are known: measures, files, refusals, and trials that are continued."""

from __future__ import annotations

import csv
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from matwright.api.evaluate.measures import CrystalSet, crystal_systems, paired_name
from matwright.api.evaluate.settings import EvaluationSettings
from matwright.api.evaluate.stability import read_trials
from matwright.cli import main
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.materials.interop import to_cif
from matwright.screening.trials import Trial


def _caesium_chloride(numbers: tuple[int, int], length: float = 4.1) -> Crystal:
    coords = np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
    return Crystal(lattice=np.eye(3) * length, frac_coords=coords, numbers=np.array(numbers))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Generated: CsCl twice, CsBr, and a colliding one; reference: CsCl and CsI."""
    generated, reference = tmp_path / "generated", tmp_path / "reference"
    crystals = {
        generated: {
            "one": _caesium_chloride((55, 17)),
            "one_2": _caesium_chloride((55, 17), 4.15),
            "two": _caesium_chloride((55, 35), 4.3),
            "flat": _caesium_chloride((55, 53), 0.5),
        },
        reference: {"one": _caesium_chloride((55, 17)), "two": _caesium_chloride((55, 53), 4.6)},
    }
    for folder, named in crystals.items():
        folder.mkdir()
        for name, crystal in named.items():
            (folder / f"{name}.cif").write_text(to_cif(crystal))
    return generated, reference


def _evaluate(out: Path, generated: Path, reference: Path | str, *more: str) -> dict[str, float]:
    arguments = ["evaluate", str(generated), "--reference", str(reference), "--out", str(out), "--quiet", *more]
    assert main(arguments) == 0
    with (out / "measures.csv").open(encoding="utf-8") as handle:
        return {row["measure"]: float(row["value"]) for row in csv.DictReader(handle)}


def test_measures_of_known_crystals(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    out = tmp_path / "out"
    found = _evaluate(out, *folders, "--paired")
    assert found["structural_validity"] == 0.75
    assert found["compositional_validity"] == 0.75  # the colliding one is no crystal, and counts
    assert found["uniqueness"] == pytest.approx(2 / 3)
    assert found["new_formula"] == pytest.approx(1 / 3)
    assert found["space_group_1"] == 0.0
    assert found["metre"] == 0.5
    assert found["match_rate"] == 0.5
    record = json.loads((out / "evaluation.json").read_text())
    assert record["run"]["settings"]["settings"]["same"] == {"ltol": 0.2, "stol": 0.3, "angle_tol": 5.0}
    assert all(one["setting"] for one in record["measures"])
    assert (out / "evaluation.png").read_bytes().startswith(b"\x89PNG")


def test_the_shipped_library_knows_formulas_only(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    found = _evaluate(tmp_path / "out", folders[0], "shipped")
    assert found["new_formula"] == 0.0
    assert "metre" not in found


def test_refusals(tmp_path: Path, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    generated, reference = folders
    cases = [
        (["--reference", "shipped", "--coverage", "mp-20"], "need reference crystals"),
        (["--reference", str(reference), "--coverage", "mp-21"], "cut-offs are those of mp-20"),
        (["--reference", str(reference), "--coverage-scale", "own"], "published or reference"),
        (["--reference", str(tmp_path / "nowhere")], "nowhere"),
        (["--reference", str(reference), "--part", "split"], "--part names a column and a word"),
    ]
    for number, (arguments, sentence) in enumerate(cases):
        assert main(["evaluate", str(generated), *arguments, "--out", str(tmp_path / f"o{number}"), "--quiet"]) == 2
        assert sentence in capsys.readouterr().err


def test_disordered_crystals_are_rejected_with_a_reason(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    generated, _ = folders
    text = (generated / "two.cif").read_text()
    lines = [line[:-3] + " 0.5" if line.strip().startswith("Br") else line for line in text.splitlines()]
    (generated / "half.cif").write_text("\n".join(lines) + "\n")
    out = tmp_path / "out"
    _evaluate(out, generated, "shipped")
    assert "disordered" in (out / "rejected.csv").read_text()


@pytest.mark.skipif(importlib.util.find_spec("matminer") is None, reason="matminer is not installed")
@pytest.mark.slow
def test_a_set_covers_itself(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    _, reference = folders
    found = _evaluate(tmp_path / "out", reference, reference, "--coverage", "mp-20")
    assert found["cov_recall"] == found["cov_precision"] == 1.0
    assert found["density_distance"] == 0.0


@pytest.mark.skipif(importlib.util.find_spec("matminer") is None, reason="matminer is not installed")
@pytest.mark.slow
def test_coverage_states_its_scale_and_counts_every_crystal(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    """Of four generated crystals one is none, and lowers the precision; the setting names the scale that was used."""
    generated, reference = folders
    for scale, words in (("published", "published with CDVAE"), ("reference", "standardised by the reference")):
        out = tmp_path / f"by-{scale}"
        found = _evaluate(out, generated, reference, "--coverage", "mp-20", "--coverage-scale", scale)
        assert found["cov_structure_precision"] == 0.75
        assert found["cov_precision"] <= found["cov_composition_precision"] <= 0.75
        assert words in (out / "measures.csv").read_text()


def test_trials_are_read_back_and_half_lines_left_out(tmp_path: Path) -> None:
    trial = Trial(key="a", crystal=_caesium_chloride((55, 17)), energies={"chgnet": -3.2}, steps=4, converged=True)
    path = tmp_path / "trials.jsonl"
    line = json.dumps(trial.to_plain())
    path.write_text(f"{line}\n{line[: len(line) // 2]}")
    found = read_trials(path)
    assert list(found) == ["a"]
    assert found["a"].energies == {"chgnet": -3.2}
    assert found["a"].crystal is not None
    assert found["a"].crystal.content_hash() == _caesium_chloride((55, 17)).content_hash()


def test_names_of_pairs_and_systems() -> None:
    reference = CrystalSet.of(["mp-1", "mp_2"], [_caesium_chloride((55, 17))] * 2, 0.01)
    names = ["mp-1", "mp-1_7", "mp_2", "mp_2_0", "else_1"]
    assert [paired_name(name, reference) for name in names] == ["mp-1", "mp-1", "mp_2", "mp_2", "else_1"]
    assert crystal_systems(np.array([1, 2, 3, 15, 16, 75, 143, 168, 194, 195, 230])) == [
        0,
        0,
        1,
        1,
        2,
        3,
        4,
        5,
        5,
        6,
        6,
    ]


def test_settings_refuse_what_cannot_be() -> None:
    with pytest.raises(InputError, match="at least 1"):
        EvaluationSettings(sample=0)
