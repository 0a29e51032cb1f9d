"""Finished calculations of VASP: real output files, and the ways in which a run ends without an answer."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from pymatgen.io.vasp.outputs import Vasprun
from vasp_runs import diamond, relaxation, salt, with_tag

from matwright.campaign.evaluators.dft import dft_quantities
from matwright.errors import InputError
from matwright.screening.dft.problems import Problem, Trouble
from matwright.screening.dft.settings import DftCode, DftSettings
from matwright.screening.dft.vasp import differences
from matwright.screening.dft.vasp_output import VaspRun, read_vasp
from matwright.screening.potential import FailureKind


def _run(folder: Path, text: str) -> VaspRun:
    (folder / "vasprun.xml").write_text(text, encoding="latin-1")
    found = read_vasp(folder)
    assert isinstance(found, VaspRun)
    return found


def _problem(folder: Path, text: str) -> Problem:
    (folder / "vasprun.xml").write_text(text, encoding="latin-1")
    found = read_vasp(folder)
    assert isinstance(found, Problem)
    return found


def test_a_point_under_pressure(tmp_path: Path) -> None:
    """The energy is that of the last iteration, without p V; at 3.57 Å the LDA pulls diamond (3.53 Å) inwards."""
    run = _run(tmp_path, diamond())
    assert run.point.energy == pytest.approx(-20.24695937, abs=1e-6)
    assert run.energy_sigma0 == pytest.approx(-20.24720095, abs=1e-6)
    assert run.result.numbers.tolist() == [6, 6]
    assert run.result.volume == pytest.approx(11.37482325)
    assert (run.steps, run.version) == (1, "6.3.0")
    found = dft_quantities(run.result, run.point)
    assert found["pressure"].value == pytest.approx(-16.59956258)
    assert found["smax"].value == pytest.approx(16.59956258)
    assert found["fmax"].value == 0.0
    assert found["energy_per_atom"].value == pytest.approx(run.point.energy / 2)
    assert run.facts["potcars"] == ["PAW C 22Mar2012"]
    assert run.facts["mesh"] == [4, 4, 4]
    assert run.facts["ENCUT"] == 400.0


def test_a_squeezed_salt_pushes_outwards_and_a_packed_file_is_read_alike(tmp_path: Path) -> None:
    plain = _run(tmp_path, salt())
    assert dft_quantities(plain.result, plain.point)["pressure"].value == pytest.approx(3.608907525)  # PBE: 5.69 Å
    (tmp_path / "vasprun.xml").unlink()
    with gzip.open(tmp_path / "vasprun.xml.gz", "wt", encoding="latin-1") as file:
        file.write(salt())
    packed = read_vasp(tmp_path)
    assert isinstance(packed, VaspRun)
    assert packed.point.energy == plain.point.energy == -6.74587304


def test_the_gap_is_that_of_the_last_eigenvalues(tmp_path: Path) -> None:
    for text in (diamond(), salt()):
        run = _run(tmp_path, text)
        independent = Vasprun(str(tmp_path / "vasprun.xml"), parse_potcar_file=False).eigenvalue_band_properties[0]
        assert run.point.band_gap == pytest.approx(independent)
        assert dft_quantities(run.result, run.point)["band_gap"].value == run.point.band_gap
    start, end = salt().rindex("<eigenvalues>"), salt().rindex("</eigenvalues>") + len("</eigenvalues>")
    bare = _run(tmp_path, salt()[:start] + salt()[end:])
    assert bare.point.band_gap is None
    assert "band_gap" not in dft_quantities(bare.result, bare.point)


def test_a_relaxation_ends_with_its_last_step(tmp_path: Path) -> None:
    run = _run(tmp_path, relaxation(limit=10))
    assert run.steps == 3
    assert run.point.energy == pytest.approx(-20.34695937, abs=1e-6)
    assert run.given.frac_coords[1].tolist() == [0.25] * 3
    assert run.result.frac_coords[1].tolist() == [0.24] * 3


def test_what_is_not_converged_is_no_value(tmp_path: Path) -> None:
    density = _problem(tmp_path, with_tag(diamond(), "NELM", "9"))
    assert density.trouble is Trouble.NO_CONVERGENCE
    assert "9 iterations" in density.reason
    atoms = _problem(tmp_path, relaxation(limit=3))
    assert atoms.reason == "the atoms did not come to rest: 3 ionic steps, as many as NSW"
    assert atoms.kind is density.kind is FailureKind.NOT_CONVERGED


def test_a_relaxation_that_somebody_stopped_is_no_value(tmp_path: Path) -> None:
    (tmp_path / "OUTCAR").write_text(" soft stop encountered!  aborting job ...\n", encoding="utf-8")
    assert _problem(tmp_path, relaxation(limit=10)).trouble is Trouble.WALL_TIME


@pytest.mark.parametrize(
    ("log", "said", "kind"),
    [
        (None, "vasprun.xml ends in the middle", FailureKind.CALCULATION),
        ("slurmstepd: error: *** JOB 7 CANCELLED AT 2026 DUE TO TIME LIMIT ***", "TIME LIMIT", FailureKind.TIMED_OUT),
        (" |  VERY BAD NEWS! internal error in subroutine SGRCON: |", "VERY BAD NEWS", FailureKind.CALCULATION),
        ("forrtl: severe (24): end-of-file during read, unit 10, file /x/POTCAR", "POTCAR", FailureKind.REFUSED),
        ("The distance between some ions is very small.", "very small", FailureKind.REFUSED),
    ],
)
def test_a_file_that_ends_in_the_middle(tmp_path: Path, log: str | None, said: str, kind: FailureKind) -> None:
    if log is not None:
        (tmp_path / "slurm-7.out").write_text(f"running\n{log}\n", encoding="utf-8")
    for share in (0.3, 0.6, 0.99):
        text = diamond()
        problem = _problem(tmp_path, text[: int(share * len(text))])
        assert said in problem.reason
        assert problem.kind is kind


def test_a_packed_file_that_ends_in_the_middle(tmp_path: Path) -> None:
    (tmp_path / "vasprun.xml.gz").write_bytes(gzip.compress(diamond().encode())[:5000])
    found = read_vasp(tmp_path)
    assert isinstance(found, Problem)
    assert "ends in the middle" in found.reason


def test_a_run_without_its_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no calculation of VASP"):
        read_vasp(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        read_vasp(tmp_path / "gone")
    (tmp_path / "INCAR").write_text("ENCUT = 400\n", encoding="utf-8")
    found = read_vasp(tmp_path)
    assert isinstance(found, Problem)
    assert found.reason == "the program ended without a result: there is no vasprun.xml"


def test_numbers_that_do_not_fit_their_columns_are_no_value(tmp_path: Path) -> None:
    force = "<v>       0.00000000       0.00000000      -0.00000000 </v>\n   <v>      -0.00000000      -0.00000000"
    broken = diamond().replace(force, force.replace("0.00000000", "**********", 1))
    assert broken != diamond()
    assert _problem(tmp_path, broken).kind is FailureKind.NOT_FINITE


@pytest.mark.parametrize(("kind", "what"), [("0", "dynamics"), ("6", "displaced atoms")])
def test_runs_whose_last_step_is_no_answer_are_refused(tmp_path: Path, kind: str, what: str) -> None:
    (tmp_path / "vasprun.xml").write_text(with_tag(relaxation(limit=3), "IBRION", kind), encoding="latin-1")
    with pytest.raises(InputError, match=what):
        read_vasp(tmp_path)


def test_other_settings_are_seen(tmp_path: Path) -> None:
    incar = {"PREC": "Accurate", "ISMEAR": 0, "ISPIN": 1, "LASPH": False}
    settings = DftSettings(
        name="mine",
        version="1",
        code=DftCode.VASP,
        functional="MPRelaxSet",
        cutoff=400.0,
        convergence=5e-9,
        smearing=0.1,
        incar=incar,
    )
    like = salt().replace("PAW_PBE Na 08Apr2002", "PAW_PBE Na_pv 19Sep2006")
    sparse = _run(tmp_path, like)
    assert differences(sparse, settings) == ["the k points are [3, 3, 3], fewer than [7, 7, 7]"]
    dense = like.replace('name="divisions">       3        3        3', 'name="divisions">       8        8        8')
    assert dense != like
    assert differences(_run(tmp_path, dense), settings) == []
    for text, word in (
        (salt(), "the potentials are PAW_PBE Na 08Apr2002"),
        (with_tag(dense, "ENMAX", "350.0"), "ENCUT is 350.0, not 400.0"),
        (with_tag(dense, "ISPIN", "2"), "ISPIN is 2, not 1"),
        (with_tag(dense, "EDIFF", "1e-5"), "EDIFF is 1e-05, not 1e-08"),
        (with_tag(dense, "PREC", "normal"), "PREC is"),
        (dense.replace("<incar>", '<incar><i type="string" name="METAGGA">scan</i>'), "METAGGA is SCAN"),
    ):
        told = differences(_run(tmp_path, text), settings)
        assert any(word in one for one in told), told
    assert np.allclose(sparse.given.lattice, sparse.result.lattice)
