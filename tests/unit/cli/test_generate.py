"""`matwright generate` at the command line: exit codes and sentences."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from matwright.cli import main
from matwright.materials.crystal import Crystal
from matwright.materials.interop import to_cif


def test_generate_writes_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    code = main(["generate", "mp-generator", "-n", "4", "--formula", "NaCl", "--out", str(out), "--quiet"])
    assert code == 0
    assert "4 crystals" in capsys.readouterr().out
    assert len(list((out / "cifs").glob("*.cif"))) == 4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["mp-generator", "--elements", "Li,Xq"], "there is no element 'Xq'"),
        (["mp-generator", "--formula", "LiFe2P0"], "amount zero"),
        (["mp-generator", "--space-group", "231"], "space groups are numbered 1..230"),
        (["mp-generator", "--require", "O", "--exclude", "O"], "O is required and excluded"),
        (["mp-generator", "--min-atoms", "9", "--max-atoms", "3"], "--min-atoms 9 is above --max-atoms 3"),
        (["no-such"], "there is no generator 'no-such'"),
    ],
)
def test_wrong_input_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    out = tmp_path / "out"
    assert main(["generate", *arguments, "--out", str(out)]) == 2
    message = capsys.readouterr().err.strip()
    assert sentence in message
    assert "\n" not in message
    assert not out.exists()


def _rock_salt(path: Path, first: int, share: float = 1.0) -> Path:
    """A CIF of a rock salt of an alkali metal; below 1 its site is shared with potassium."""
    salt = Crystal(
        lattice=(1 - np.eye(3)) * 2.83,
        frac_coords=np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]),
        numbers=np.array([first, 17]),
        occupancies=None if share == 1 else (((first, share), (19, 1 - share)), ((17, 1.0),)),
    )
    path.write_text(to_cif(salt))
    return path


def test_generate_near_materials_and_between_them(tmp_path: Path) -> None:
    sodium, lithium = (_rock_salt(tmp_path / f"{z}.cif", z) for z in (11, 3))
    modes = {"around": ["--around", str(sodium)], "between": ["--between", str(sodium), str(lithium)]}
    for name, mode in modes.items():
        out = tmp_path / name
        assert main(["generate", "mp-generator", "-n", "3", *mode, "--seed", "4", "--out", str(out), "--quiet"]) == 0
        aim = json.loads((out / "run.json").read_text())["settings"]["aim"]
        assert aim["kind"] == name
        assert aim["materials"][0]["formula"] == "NaCl"
        assert len(list((out / "cifs").glob("*.cif"))) == 3


def test_modes_that_cannot_be_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sodium, half = _rock_salt(tmp_path / "a.cif", 11), _rock_salt(tmp_path / "b.cif", 11, 0.5)
    cases = [
        (["mp-generator", "--spread", "0.3"], "belong to --around or --between"),
        (["mp-generator", "--around", str(half)], "disordered"),
        (["mp-generator", "--around", str(sodium), "--between", str(sodium), str(sodium)], "exclude each other"),
        (["mp-generator", "--around", str(sodium), "--order", "dice"], "--order is ewald"),
        (["random", "--around", str(sodium)], "has no latents"),
        (["random", "--target", "bulk_modulus>=100 GPa"], "has no latents to search"),
        (["mp-generator", "--target", "bulk_modulus>=100 GPa", "--resume"], "not resumed"),
    ]
    for arguments, sentence in cases:
        out = tmp_path / "out"
        assert main(["generate", *arguments, "--out", str(out), "--quiet"]) == 2
        assert sentence in capsys.readouterr().err
        assert not out.exists()


def test_generate_for_a_target(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    arguments = ["generate", "mp-generator", "-n", "5", "--target", "bulk_modulus>=150 GPa", "--draws", "64"]
    assert main([*arguments, "--rounds", "1", "--out", str(out), "--quiet"]) == 0
    assert "gradient round 1" in capsys.readouterr().out
    with (out / "candidates.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    hits = [int(row["hit"]) for row in rows]
    assert len(rows) == 5
    assert hits == sorted(hits, reverse=True)
    assert all(float(row["bulk_modulus"]) >= 150 for row in rows if row["hit"] == "1")
    assert len((out / "rounds.csv").read_text().splitlines()) == 3
