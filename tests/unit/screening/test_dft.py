"""Density functional theory: settings, inputs, real runs of pw.x and GPAW, every known trouble with its policy."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from matwright.campaign.evaluator import checked
from matwright.campaign.evaluators.dft import DftEvaluator
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.materials.interop import from_poscar
from matwright.screening.dft.calculation import DftPotential, Programs, run
from matwright.screening.dft.espresso import DEBIAN, espresso_input, read_espresso
from matwright.screening.dft.gpaw import Gpaw, read_gpaw
from matwright.screening.dft.problems import REMEDIES, Problem, Trouble
from matwright.screening.dft.settings import DftCode, DftSettings, load_dft_settings, preset_names
from matwright.screening.dft.vasp import write_vasp
from matwright.screening.potential import Failure, FailureKind, PointResult

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
GPAW = os.environ.get("MATWRIGHT_GPAW_PYTHON", "python3")
HAS_GPAW = subprocess.run([GPAW, "-c", "import gpaw"], capture_output=True, check=False).returncode == 0
needs_espresso = pytest.mark.skipif(shutil.which("pw.x") is None, reason="pw.x is not installed (quantum-espresso)")
needs_gpaw = pytest.mark.skipif(not HAS_GPAW, reason="no Python with gpaw (MATWRIGHT_GPAW_PYTHON names one)")


def pair(length: float, numbers: tuple[int, int], place: float) -> Crystal:
    """Two atoms in a face-centred cell, the second moved a little along x."""
    coords = np.array([[0.0, 0.0, 0.0], [place + 0.01, place, place]])
    return Crystal(lattice=length * FCC, frac_coords=coords, numbers=np.array(numbers))


def at_rest(length: float, numbers: tuple[int, int], place: float) -> Crystal:
    """Two atoms in a face-centred cell, both at their places."""
    return Crystal(lattice=length * FCC, frac_coords=np.array([[0.0] * 3, [place] * 3]), numbers=np.array(numbers))


SILICON, MAGNESIA, SALT = pair(5.43, (14, 14), 0.25), pair(4.21, (12, 8), 0.5), pair(5.64, (11, 17), 0.5)
COINCIDENT = Crystal(lattice=5.4 * FCC, frac_coords=np.full((2, 3), 0.1), numbers=np.array([14, 14]))


def quick(preset: str, cutoff: float, kspacing: float = 0.8) -> DftSettings:
    """A preset, coarser: seconds instead of minutes."""
    return replace(load_dft_settings(preset), cutoff=cutoff, kspacing=kspacing, convergence=1e-6)


def quick_silicon() -> DftSettings:
    return replace(quick("qe-pbe-debian", 300.0), pseudopotentials={"Si": "Si.pbe-rrkj.UPF"}, density_ratio=4.0)


def slopes_agree(potential: DftPotential, crystal: Crystal, tolerance: float) -> None:
    """Forces and stress against central differences of the energy."""
    (centre,) = potential.evaluate([crystal])
    assert isinstance(centre, PointResult), centre
    assert centre.forces.sum(axis=0) == pytest.approx(0.0, abs=tolerance)
    step = 0.01  # of the fractional coordinate
    sides = []
    for sign in (1.0, -1.0):
        coords = crystal.frac_coords.copy()
        coords[1, 0] += sign * step
        sides.append(Crystal(lattice=crystal.lattice, frac_coords=coords, numbers=crystal.numbers))
    above, below = (found.energy for found in potential.evaluate(sides) if isinstance(found, PointResult))
    slope = (above - below) / (2 * step)
    assert -centre.forces[1] @ crystal.lattice[0] == pytest.approx(slope, abs=tolerance * 5)
    np.testing.assert_allclose(centre.stress, centre.stress.T)


def test_every_preset_reads_and_wrong_files_are_told(tmp_path: Path) -> None:
    assert {"qe-pbe-debian", "qe-lda-debian", "gpaw-pbe", "vasp-mp-relax"} <= set(preset_names())
    for name in preset_names():
        found = load_dft_settings(name)
        assert found.name == name
        assert found.version
    with pytest.raises(InputError, match="known: gpaw-pbe"):
        load_dft_settings("nothing")
    good = 'name = "mine"\nversion = "3"\ncode = "qe"\nfunctional = "PBE"\n'
    for extra, why in (
        ("cutof = 3\n", "did you mean 'cutoff'|nearest|cutoff"),
        ("cutoff = -1\n", "above 0"),
        ('cutoff = "high"\n', "is a number"),
        ('[pseudopotentials]\nXx = "a"\n', "no element"),
    ):
        path = tmp_path / "mine.toml"
        path.write_text(good + extra, encoding="utf-8")
        with pytest.raises(InputError, match=why):
            load_dft_settings(path)
    path.write_text(good.replace('"qe"', '"abc"'), encoding="utf-8")
    with pytest.raises(InputError, match="code is one of qe, gpaw, vasp"):
        load_dft_settings(path)


def test_the_mesh_follows_the_reciprocal_cell() -> None:
    settings = replace(load_dft_settings("qe-pbe-debian"), kspacing=0.5)
    assert settings.mesh(np.diag([2.0, 4.0, 40.0])) == (7, 4, 1)


def test_the_input_of_pw_names_everything() -> None:
    text = espresso_input(MAGNESIA, load_dft_settings("qe-lda-debian"), DEBIAN)
    for line in ("ntyp = 2", "Mg 24.3050 Mg.pz-n-vbc.UPF", "O 15.9990 O.pz-rrkjus.UPF", "tstress = .true."):
        assert line in text
    assert "occupations = 'smearing'" in text
    assert "pseudo_dir = '/usr/share/espresso/pseudo'" in text


@needs_espresso
@pytest.mark.parametrize("crystal", [SILICON, MAGNESIA], ids=["Si, PBE", "MgO, LDA"])
def test_a_real_run_of_pw_gives_slopes_of_its_energy(crystal: Crystal) -> None:
    settings = quick_silicon() if crystal is SILICON else quick("qe-lda-debian", 450.0, 1.2)
    slopes_agree(DftPotential(settings), crystal, 0.02)


@needs_espresso
def test_gaps_of_pw_are_those_of_its_functional() -> None:
    """LDA: MgO 4.7 eV, Al a metal; PBE: Si 0.6 eV where its edge is a point of the mesh, more beside it."""
    settings = replace(quick("qe-lda-debian", 450.0), kspacing=0.6)
    metal = Crystal(lattice=4.05 * FCC, frac_coords=np.zeros((1, 3)), numbers=np.array([13]))
    points = DftPotential(settings).evaluate([at_rest(4.21, (12, 8), 0.5), metal])
    points += DftPotential(quick_silicon()).evaluate([at_rest(5.43, (14, 14), 0.25)])
    gaps = [point.band_gap for point in points if isinstance(point, PointResult)]
    assert gaps == [pytest.approx(4.7, abs=0.2), 0.0, pytest.approx(0.65, abs=0.1)]


@needs_espresso
def test_pressure_of_silicon_has_the_sign_of_compression() -> None:
    potential = DftPotential(quick_silicon())
    evaluator = DftEvaluator(dft=quick_silicon(), version=potential.version)
    pressures = []
    for length in (5.2, 5.7):
        (answer,) = checked(evaluator, [pair(length, (14, 14), 0.25)])
        assert set(answer.blobs) >= {"pw.in", "pw.out"}
        pressures.append(answer.values["pressure"].value)
    assert pressures[0] > 5.0 > -5.0 > pressures[1]


@needs_espresso
def test_every_trouble_of_pw_has_its_reason_and_kind() -> None:
    settings = quick_silicon()
    cases = {
        "did not converge: 4 iterations": (replace(settings, max_steps=2, mixing=0.01), SILICON),
        "cannot be computed": (settings, COINCIDENT),
        "names none for Na": (settings, SALT),
        "has no gone.UPF": (replace(settings, pseudopotentials={"Si": "gone.UPF"}), SILICON),
    }
    kinds = []
    for why, (chosen, crystal) in cases.items():
        (found,) = DftPotential(chosen).evaluate([crystal])
        assert isinstance(found, Failure)
        assert why in found.reason
        kinds.append(found.kind)
    assert kinds == [FailureKind.NOT_CONVERGED, *[FailureKind.REFUSED] * 3]


@needs_espresso
def test_the_second_try_converges_where_the_first_did_not() -> None:
    """Eight iterations are too few for silicon here, sixteen are enough."""
    settings = replace(quick_silicon(), max_steps=5, mixing=1.0, convergence=1e-7)
    (found,) = DftPotential(settings).evaluate([SILICON])
    assert isinstance(found, PointResult), found
    (plain,) = DftPotential(quick_silicon()).evaluate([SILICON])
    assert isinstance(plain, PointResult)
    assert found.energy == pytest.approx(plain.energy, abs=1e-3)


def _program(folder: Path, body: str) -> str:
    """A program that takes the place of pw.x and behaves badly."""
    path = folder / "bad"
    version = 'import sys\nif "-in" not in sys.argv:\n    print("Program PWSCF v.0.0 starts")\n    sys.exit()\n'
    path.write_text(f"#!{sys.executable}\n{version}{body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    return str(path)


@pytest.mark.parametrize(
    ("body", "kind", "why"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", FailureKind.CALCULATION, "no output, also with"),
        ("print('half an out')", FailureKind.CALCULATION, "half an out"),
        ("print('     Maximum CPU time exceeded')", FailureKind.TIMED_OUT, "also with twice the time"),
    ],
    ids=["killed", "cut", "stopped by itself"],
)
def test_programs_that_end_badly(body: str, kind: FailureKind, why: str, tmp_path: Path) -> None:
    (tmp_path / "Si.pbe-rrkj.UPF").touch()
    programs = Programs(espresso=_program(tmp_path, body), pseudopotentials=tmp_path, scratch=tmp_path)
    (found,) = DftPotential(quick_silicon(), programs).evaluate([SILICON])
    assert isinstance(found, Failure)
    assert found.kind is kind
    assert why in found.reason
    assert not list(tmp_path.glob("matwright-dft-*"))  # nothing is left behind


def test_a_program_that_hangs_is_stopped_with_all_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matwright.screening.dft.calculation._GRACE", 0.0)
    body = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(600)"
    start = time.perf_counter()
    assert run([sys.executable, "-c", body], tmp_path, 3.0)
    assert time.perf_counter() - start < 60.0
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text(encoding="utf-8")), 0)


def test_every_trouble_has_one_policy() -> None:
    assert set(REMEDIES) == set(Trouble)
    start = load_dft_settings("qe-pbe-debian")
    gentler = REMEDIES[Trouble.NO_CONVERGENCE].second
    longer = REMEDIES[Trouble.WALL_TIME].second
    assert gentler is not None
    assert longer is not None
    assert (gentler(start).max_steps, gentler(start).mixing) == (200, pytest.approx(0.21))
    assert longer(start).wall_minutes == 120.0


def test_texts_without_an_answer_are_problems() -> None:
    assert isinstance(read_espresso("", 2), Problem)
    done = read_espresso("!    total energy              =     -15.7 Ry\n   JOB DONE.\n", 2)
    assert isinstance(done, Problem)
    assert "no energy, forces or stress" in done.detail
    odd = read_gpaw({"energy": 1.0, "forces": [[0.0, 0.0, 0.0]], "stress": np.zeros((3, 3)).tolist()}, 2)
    assert isinstance(odd, Problem)


def test_gpaw_takes_data_sets_by_name(tmp_path: Path) -> None:
    settings = replace(load_dft_settings("gpaw-pbe"), pseudopotentials={"Er": "fcore"})
    Gpaw().write(
        Crystal(lattice=4 * np.eye(3), frac_coords=np.zeros((1, 3)), numbers=np.array([68])), settings, tmp_path
    )
    assert json.loads((tmp_path / "job.json").read_text())["setups"] == {"Er": "fcore"}


@needs_gpaw
@pytest.mark.slow
@pytest.mark.parametrize("crystal", [SILICON, MAGNESIA, SALT], ids=["Si", "MgO", "NaCl"])
def test_a_real_run_of_gpaw_gives_slopes_of_its_energy(crystal: Crystal) -> None:
    slopes_agree(DftPotential(quick("gpaw-pbe", 300.0, 1.5), Programs(python=GPAW)), crystal, 0.05)


@needs_gpaw
@pytest.mark.slow
def test_gaps_of_gpaw_are_those_of_pbe() -> None:
    """PBE: NaCl 5.1 eV, Si 0.6 eV where its edge is a point of the mesh; both measured at about twice as much."""
    crystals = [at_rest(5.64, (11, 17), 0.5), at_rest(5.43, (14, 14), 0.25)]
    points = DftPotential(quick("gpaw-pbe", 350.0, 0.6), Programs(python=GPAW)).evaluate(crystals)
    gaps = [point.band_gap for point in points if isinstance(point, PointResult)]
    assert gaps == [pytest.approx(5.1, abs=0.1), pytest.approx(0.65, abs=0.1)]


@needs_gpaw
@pytest.mark.slow
def test_troubles_of_gpaw() -> None:
    programs = Programs(python=GPAW)
    settings = quick("gpaw-pbe", 250.0, 1.5)
    (few,) = DftPotential(replace(settings, max_steps=2), programs).evaluate([SILICON])
    assert isinstance(few, Failure)
    assert few.kind is FailureKind.NOT_CONVERGED
    (near,) = DftPotential(settings, programs).evaluate([COINCIDENT])
    assert isinstance(near, Failure)
    assert near.kind is FailureKind.REFUSED
    (unknown,) = DftPotential(settings, programs).evaluate([pair(8.0, (92, 94), 0.5)])
    assert isinstance(unknown, Failure)
    assert unknown.kind is FailureKind.REFUSED


def test_inputs_for_vasp_read_back(tmp_path: Path) -> None:
    settings = load_dft_settings("vasp-mp-relax")
    written = {path.name for path in write_vasp(MAGNESIA, settings, tmp_path)}
    assert written == {"INCAR", "POSCAR", "KPOINTS", "POTCAR.spec"}
    incar = (tmp_path / "INCAR").read_text(encoding="utf-8")
    assert "LWAVE = False" in incar
    assert "ENCUT = 520" in incar
    assert "Mg_pv" in (tmp_path / "POTCAR.spec").read_text(encoding="utf-8")
    back = from_poscar((tmp_path / "POSCAR").read_text(encoding="utf-8"))
    assert back.volume == pytest.approx(MAGNESIA.volume)
    with pytest.raises(InputError, match="MPRelaxSet"):
        write_vasp(MAGNESIA, replace(settings, functional="PBE"), tmp_path)


def test_what_cannot_run_is_refused_at_the_door() -> None:
    with pytest.raises(InputError, match="written, not run"):
        DftPotential(load_dft_settings("vasp-mp-relax"))
    with pytest.raises(InputError, match="no program 'pw-of-nobody'"):
        DftPotential(load_dft_settings("qe-pbe-debian"), Programs(espresso="pw-of-nobody"))
    with pytest.raises(InputError, match="has no gpaw"):
        DftPotential(load_dft_settings("gpaw-pbe"), Programs(python=_without_gpaw()))
    assert load_dft_settings("gpaw-pbe").code is DftCode.GPAW


def _without_gpaw() -> str:
    found = shutil.which("true")
    assert found is not None
    return sys.executable
