"""`matwright match` at the command line, with the shipped matcher and library."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from matwright.cli import main
from matwright.materials.crystal import Crystal
from matwright.physics.diffraction.pattern import powder_pattern, powder_peaks

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rock salt with its measured cell, whose edge is 0.9 % smaller than the library's calculated one."""
    salt = Crystal(lattice=5.640 * FCC, frac_coords=np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), numbers=np.array([11, 17]))
    angles = np.arange(15.0, 90.0, 0.02)
    counts = powder_pattern(powder_peaks(salt), angles, width=0.12, mixing=0.5)
    noisy = 500 * counts / counts.max() + 40 + 5 * np.random.default_rng(0).standard_normal(len(angles))
    path = tmp_path_factory.mktemp("pattern") / "salt.xy"
    np.savetxt(path, np.column_stack([angles, noisy]), fmt="%.3f")
    return path


def test_rock_salt_is_found_in_the_shipped_library(
    pattern: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["match", str(pattern), "--elements", "Na,Cl", "--phases", "1", "--out", str(out), "--quiet"]) == 0
    assert "report.html" in capsys.readouterr().out
    with (out / "matches.csv").open() as file:
        best = next(csv.DictReader(file))
    assert (best["formula"], best["space_group"]) == ("NaCl", "225")
    assert float(best["similarity"]) > 0.9
    assert float(best["volume_strain_percent"]) == pytest.approx(-2.7, abs=0.2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.xy"], "there is no file 'none.xy'"),
        (["{pattern}", "--wavelength", "CuKq"], "there is no wavelength 'CuKq'"),
        (["{pattern}", "--elements", "Xq"], "there is no element 'Xq'"),
        (["{pattern}", "--library", "nowhere"], "there is no file or folder 'nowhere'"),
        (["{pattern}", "--model", "mp-crystal"], "does not hold a pattern matcher"),
        (["{pattern}", "--max-strain", "50"], "largest strain lies in"),
        (["{pattern}", "--elements", "Og"], "no crystal of the library"),
    ],
)
def test_wrong_input_is_one_sentence(
    pattern: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    given = [argument.format(pattern=pattern) for argument in arguments]
    assert main(["match", *given, "--out", str(tmp_path / "out"), "--quiet"]) == 2
    message = capsys.readouterr().err.strip()
    assert sentence in message
    assert "\n" not in message
    assert not (tmp_path / "out").exists()
