"""GPAW in a process of its own, under a Python that has it: a job file in, an answer file out."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, final

import numpy as np

from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.screening.dft import gpaw_job
from matwright.screening.dft.bands import band_gap
from matwright.screening.dft.problems import Problem, Trouble
from matwright.screening.dft.settings import DftSettings
from matwright.screening.potential import PointResult

JOB, ANSWER = "job.json", "answer.json"
_CLOSEST = 0.4
"""Å; nearer than this the PAW spheres overlap beyond any meaning, and GPAW ends in numbers that are not finite."""
_ANSWERS = {
    "not_converged": Trouble.NO_CONVERGENCE,
    "no_setup": Trouble.NO_PSEUDOPOTENTIAL,
    "geometry": Trouble.BAD_GEOMETRY,
    "error": Trouble.CRASH,
}


def convergence(energy: float, n_atoms: int) -> dict[str, float]:
    """GPAW's criteria for an energy in eV/atom: its own for density and states at 1e-6, looser where that is looser.

    Energy in eV, density in electrons and squared residuals of the states in eV², both a valence electron. An
    eigenvalue errs by about its squared residual over the distance to the next one.
    """
    loose = max(energy / 1e-6, 1.0)
    return {"energy": energy * n_atoms, "density": 1e-4 * loose, "eigenstates": 4e-8 * loose**2}


@final
class Gpaw:
    """A Python that can import gpaw."""

    def __init__(self, *, python: str = "python3") -> None:
        self._python = python

    def version(self) -> str:
        """For instance "26.7.0".

        Raises:
            InputError: that Python is not there, or has no gpaw.
        """
        if shutil.which(self._python) is None:
            raise InputError(f"there is no program {self._python!r}")
        asked = [self._python, "-c", "import gpaw; print(gpaw.__version__)"]
        said = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=False)
        if said.returncode != 0:
            raise InputError(f"{self._python} has no gpaw: pip install gpaw gpaw-data, or name another Python")
        return said.stdout.strip().splitlines()[-1]

    def write(self, crystal: Crystal, settings: DftSettings, folder: Path) -> None:
        """The job file and the program that reads it, in a folder that exists."""
        job = {
            "numbers": crystal.numbers.tolist(),
            "lattice": crystal.lattice.tolist(),
            "frac_coords": crystal.frac_coords.tolist(),
            "mesh": list(settings.mesh(crystal.lattice)),
            "cutoff": settings.cutoff,
            "functional": settings.functional,
            "setups": dict(settings.pseudopotentials),
            "smearing": settings.smearing,
            "mixing": settings.mixing,
            "convergence": convergence(settings.convergence, len(crystal)),
            "max_steps": settings.max_steps,
        }
        (folder / JOB).write_text(json.dumps(job, indent=1), encoding="utf-8")
        shutil.copy(str(gpaw_job.__file__), folder / "gpaw_job.py")

    def command(self) -> list[str]:
        """What is run in that folder."""
        return [self._python, "gpaw_job.py"]

    def missing(self, crystal: Crystal, settings: DftSettings) -> Problem | None:  # noqa: ARG002 (found while it runs)
        """Nothing: GPAW says itself which data set it lacks; atoms in one place are refused before it starts."""
        from matwright.materials.overlap import closest_pair

        closest = closest_pair(crystal)
        if closest is not None and closest[2] < _CLOSEST:
            return Problem(trouble=Trouble.BAD_GEOMETRY, detail=f"two atoms are {closest[2]:.2f} Å apart")
        return None

    def read(self, crystal: Crystal, folder: Path, *, stopped: bool) -> PointResult | Problem:
        """Energy, forces and stress of a run, or what became of it; `stopped` where it ran beyond its time."""
        answer = folder / ANSWER
        if not answer.is_file():
            if stopped:
                return Problem(trouble=Trouble.WALL_TIME, detail="")
            return Problem(trouble=Trouble.CRASH, detail=_last_words(folder))
        return read_gpaw(json.loads(answer.read_text(encoding="utf-8")), len(crystal))


def read_gpaw(answer: dict[str, Any], n_atoms: int) -> PointResult | Problem:
    """What the answer file says."""
    for key, trouble in _ANSWERS.items():
        if key in answer:
            return Problem(trouble=trouble, detail=str(answer[key])[:200])
    forces, stress = np.array(answer["forces"], dtype=np.float64), np.array(answer["stress"], dtype=np.float64)
    if forces.shape != (n_atoms, 3) or stress.shape != (3, 3):
        return Problem(trouble=Trouble.CRASH, detail="the answer has other atoms")
    levels = np.array(answer["eigenvalues"], dtype=np.float64)
    return PointResult(
        energy=float(answer["energy"]),
        forces=forces,
        stress=(stress + stress.T) / 2,
        band_gap=band_gap([levels], [float(answer["n_electrons"]) / 2]),
    )


def _last_words(folder: Path) -> str:
    errors = folder / "stderr"
    lines = errors.read_text(encoding="utf-8", errors="replace").splitlines() if errors.is_file() else []
    return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "no output")
