"""`matwright dft` at the command line: files written, a real run, one sentence for what is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from matwright.cli import main
from matwright.materials.crystal import Crystal
from matwright.materials.interop import to_cif

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
SETTINGS = """
name = "quick"
version = "1"
code = "qe"
functional = "PBE"
cutoff = 250.0
density_ratio = 4.0
kspacing = 1.5
convergence = 1e-5
max_steps = {steps}

[pseudopotentials]
Si = "Si.pbe-rrkj.UPF"
"""


@pytest.fixture
def silicon(tmp_path: Path) -> Path:
    crystal = Crystal(
        lattice=5.43 * FCC, frac_coords=np.array([[0, 0, 0], [0.25, 0.25, 0.25]]), numbers=np.array([14, 14])
    )
    path = tmp_path / "si.cif"
    path.write_text(to_cif(crystal), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("settings", "file", "holds"),
    [("qe-pbe-debian", "pw.in", "K_POINTS"), ("gpaw-pbe", "job.json", "PBE")],
)
def test_inputs_are_written(
    silicon: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: str, file: str, holds: str
) -> None:
    out = tmp_path / "out"
    assert main(["dft", "write", str(silicon), "--settings", settings, "--out", str(out)]) == 0
    assert file in capsys.readouterr().out
    assert holds in (out / file).read_text(encoding="utf-8")
    assert main(["dft", "write", str(silicon), "--settings", settings, "--out", str(out)]) == 2


@pytest.mark.skipif(shutil.which("pw.x") is None, reason="pw.x is not installed (quantum-espresso)")
def test_a_run_leaves_its_numbers_or_its_reason(
    silicon: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for steps, code in ((50, 0), (1, 1)):
        settings, out = tmp_path / f"{steps}.toml", tmp_path / f"out-{steps}"
        settings.write_text(SETTINGS.format(steps=steps), encoding="utf-8")
        assert main(["dft", "run", str(silicon), "--settings", str(settings), "--out", str(out)]) == code
        run = json.loads((out / "run.json").read_text(encoding="utf-8"))
        assert run["settings"]["name"] == "quick"
        said = capsys.readouterr()
        if code == 0:
            assert run["values"]["fmax"]["value"] < 0.05
            assert "energy_per_atom: -1" in said.out
        else:
            assert run["failure"]["kind"] == "not converged"
            assert "the density did not converge" in said.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["compute", "{cif}", "--settings", "gpaw-pbe"], "dft does write or run"),
        (["write", "{cif}", "--settings", "qe-pbe"], "there are no settings 'qe-pbe'"),
        (["run", "{cif}", "--settings", "vasp-mp-relax"], "written, not run"),
        (["write", "gone.cif", "--settings", "gpaw-pbe"], "there is no file 'gone.cif'"),
    ],
)
def test_wrong_input_is_one_sentence(
    silicon: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    given = [argument.format(cif=silicon) for argument in arguments]
    assert main(["dft", *given, "--out", str(tmp_path / "out")]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
