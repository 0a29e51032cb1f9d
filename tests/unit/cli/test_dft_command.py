"""`matwright dft` at the command line: files written, a real run, one sentence for what is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from vasp_runs import diamond, salt

from matwright.campaign.evaluators.lookup import LookupEvaluator
from matwright.campaign.store.address import structure_hash
from matwright.cli import main
from matwright.materials.crystal import Crystal
from matwright.materials.interop import read_structure, to_cif, to_poscar

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
        assert run["program"].startswith("1 (qe ")
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
        (["compute", "{cif}", "--settings", "gpaw-pbe"], "dft does one of write, run, read"),
        (["write", "{cif}", "--settings", "qe-pbe"], "there are no settings 'qe-pbe'"),
        (["run", "{cif}", "--settings", "vasp-mp-relax"], "written, not run"),
        (["run", "{cif}"], "dft run needs --settings"),
        (["read", "gone"], "gone does not exist"),
        (["read", "{cif}"], "si.cif is a file, not a folder"),
        (["read", "{folder}"], "holds no calculation of VASP"),
        (["read", "{folder}", "--settings", "gpaw-pbe"], "the settings gpaw-pbe are of gpaw"),
        (["write", "gone.cif", "--settings", "gpaw-pbe"], "there is no file 'gone.cif'"),
    ],
)
def test_wrong_input_is_one_sentence(
    silicon: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    given = [argument.format(cif=silicon, folder=tmp_path) for argument in arguments]
    assert main(["dft", *given, "--out", str(tmp_path / "out")]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def _two_calculations(folder: Path) -> Crystal:
    """A salt whose inputs are written, then computed elsewhere; and one that was ended by its scheduler."""
    third = Crystal(
        lattice=5.45479102 * FCC, frac_coords=np.array([[1 / 2] * 3, [1.0, 0.0, 0.0]]), numbers=np.array([17, 11])
    )  # not in the order in which inputs are written
    salt_file = folder / "NaCl.vasp"
    salt_file.write_text(to_poscar(third), encoding="utf-8")
    back = read_structure(salt_file)
    assert main(["dft", "write", str(salt_file), "--settings", "vasp-mp-relax", "--out", str(folder / "all/a")]) == 0
    (folder / "all/a/vasprun.xml").write_text(salt(), encoding="latin-1")
    broken = folder / "all/b"
    broken.mkdir()
    (broken / "vasprun.xml").write_text(diamond()[:20000], encoding="latin-1")
    (broken / "slurm-1.out").write_text("slurmstepd: error: CANCELLED DUE TO TIME LIMIT\n", encoding="utf-8")
    return back


def test_results_from_elsewhere_come_back_into_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crystal = _two_calculations(tmp_path)
    everything, out = tmp_path / "all", tmp_path / "out"
    assert main(["dft", "read", str(everything), "--out", str(out)]) == 1
    said = capsys.readouterr()
    assert "1 of 2 calculations with values" in said.out
    assert "b: the time was used up: slurmstepd: error: CANCELLED DUE TO TIME LIMIT" in said.err
    record = json.loads((out / "a.json").read_text(encoding="utf-8"))
    assert record["values"]["energy_per_atom"] == {"value": pytest.approx(-6.74587304 / 2), "unit": "eV/atom"}
    assert record["values"]["pressure"]["value"] == pytest.approx(3.6089, abs=1e-4)
    assert record["program"] == "vasp 6.3.2"
    assert record["structure"] == structure_hash(crystal)
    assert np.shape(record["forces"]["value"]) == (2, 3)
    failure = json.loads((out / "b.json").read_text(encoding="utf-8"))["failure"]
    assert failure["kind"] == "timed out"
    lookup = LookupEvaluator.of(out / "values.csv", name="vasp")
    (answer,) = lookup.evaluate([crystal])
    assert answer.values["energy_per_atom"].value == pytest.approx(-6.74587304 / 2)
    assert answer.values["energy_per_atom"].unit == "eV/atom"


def test_results_of_other_settings_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _two_calculations(tmp_path)
    one, out = tmp_path / "all/a", tmp_path / "out"
    assert main(["dft", "read", str(one), "--settings", "vasp-mp-relax", "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert "a was not computed with vasp-mp-relax 1: ENCUT is 400.0, not 520.0" in said
    assert not out.exists()


def test_a_start_from_another_structure_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crystal = _two_calculations(tmp_path)
    one, out = tmp_path / "all/a", tmp_path / "out"
    (one / "vasprun.xml").write_text(diamond(), encoding="latin-1")
    assert main(["dft", "read", str(one), "--out", str(out)]) == 0
    assert "started from another structure than its crystal.json" in capsys.readouterr().err
    assert json.loads((out / "a.json").read_text(encoding="utf-8"))["structure"] != structure_hash(crystal)


def test_two_calculations_of_one_crystal_are_not_mixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _two_calculations(tmp_path)
    shutil.copytree(tmp_path / "all/a", tmp_path / "all/c")
    assert main(["dft", "read", str(tmp_path / "all"), "--out", str(tmp_path / "out")]) == 2
    assert "are of one crystal; keep one of them" in capsys.readouterr().err
