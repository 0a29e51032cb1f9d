"""Settings for a quick gap: plane waves by element, criteria of GPAW by the wanted energy, and what they do not fit."""

from __future__ import annotations

import csv
import gzip
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from matwright.materials.crystal import Crystal
from matwright.materials.interop import from_cif
from matwright.screening.dft.gpaw import convergence
from matwright.screening.dft.quick_gap import HARD_CUTOFF, SOFT_CUTOFF, QuickGap, has_open_shells, quick_gap_settings

GPAW = os.environ.get("MATWRIGHT_GPAW_PYTHON", "python3")
HAS_GPAW = subprocess.run([GPAW, "-c", "import gpaw"], capture_output=True, check=False).returncode == 0
COMPUTED = Path(__file__).parents[3] / "scripts" / "computed_gaps.csv.gz"


def salt(*numbers: int) -> Crystal:
    return Crystal(
        lattice=5.6 * np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]),
        frac_coords=np.array([[0.0] * 3, [0.5] * 3]),
        numbers=np.array(numbers),
    )


@pytest.mark.parametrize(
    ("numbers", "cutoff"), [((11, 17), SOFT_CUTOFF), ((12, 8), HARD_CUTOFF), ((5, 15), HARD_CUTOFF)]
)
def test_elements_of_the_second_row_need_more_plane_waves(numbers: tuple[int, int], cutoff: float) -> None:
    assert quick_gap_settings(salt(*numbers)).cutoff == cutoff


def test_points_are_as_dense_as_asked() -> None:
    crystal = salt(11, 17)
    sparse, dense = (quick_gap_settings(crystal, spacing).mesh(crystal.lattice) for spacing in (0.5, 0.25))
    assert sparse == (4, 4, 4)  # 2π/(5.6/√3 Å) = 1.94 1/Å along each reciprocal vector
    assert dense == (8, 8, 8)


@pytest.mark.parametrize(
    ("metal", "is_open"),
    [(26, True), (28, True), (64, True), (92, True), (30, False), (57, False), (71, False)],
)
def test_open_shells(metal: int, is_open: bool) -> None:
    assert has_open_shells(salt(metal, 7)) is is_open


def test_a_frozen_shell_is_closed() -> None:
    assert not has_open_shells(salt(68, 7), frozen={"Er": 11})
    assert has_open_shells(salt(68, 26), frozen={"Er": 11})


@pytest.mark.slow
@pytest.mark.skipif(not HAS_GPAW, reason="no Python with gpaw (MATWRIGHT_GPAW_PYTHON names one)")
def test_f_electrons_in_the_core_hardly_change_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = ["gpaw", "dataset", "Lu", "-f", "PBE", "-C", "[Xe]4f14,5d1,6s2", "-P", "5s,6s,5p,6p,5d,d", "-r", "2.4"]
    made += ["-t", "fcore", "-w"]
    subprocess.run([GPAW, "-m", *made], cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.setenv("GPAW_SETUP_PATH", str(tmp_path))
    with gzip.open(COMPUTED, "rt", encoding="utf-8", newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["formula"] == "KLuTe2")
    gap = QuickGap(GPAW, datasets={"Lu": "fcore"}).gap(from_cif(row["cif"]))
    assert isinstance(gap, float)
    assert 0.001 < abs(gap - float(row["band_gap"])) < 0.1  # another data set, and nearly the same gap


def test_the_criteria_of_gpaw_are_its_own_at_a_millionth_and_never_tighter() -> None:
    assert convergence(1e-6, 2) == {"energy": 2e-6, "density": 1e-4, "eigenstates": 4e-8}
    assert convergence(1e-8, 2) == {"energy": 2e-8, "density": 1e-4, "eigenstates": 4e-8}
    assert convergence(1e-5, 2) == pytest.approx({"energy": 2e-5, "density": 1e-3, "eigenstates": 4e-6})
