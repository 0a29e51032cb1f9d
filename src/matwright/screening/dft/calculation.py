"""Density functional theory behind the `Potential` protocol: one process a crystal, one policy a trouble."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, final

import numpy as np

from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.screening.dft.espresso import DEBIAN, Espresso
from matwright.screening.dft.gpaw import Gpaw
from matwright.screening.dft.problems import REMEDIES, Problem, Trouble
from matwright.screening.dft.settings import DftCode, DftSettings
from matwright.screening.potential import Failure, FailureKind, PointResult

_GRACE = 30.0
"""s after the wall time that a program gets to stop by itself."""
_LAUNCH = """
import ctypes, os, signal, sys
if sys.platform.startswith("linux"):
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Becomes the program, which the kernel ends when the worker that started it is killed (PR_SET_PDEATHSIG)."""


class Code(Protocol):
    """A program that computes."""

    def version(self) -> str:
        """Of the program; InputError where it is not there."""
        ...

    def write(self, crystal: Crystal, settings: DftSettings, folder: Path) -> None:
        """Write the input files."""
        ...

    def command(self) -> list[str]:
        """What is run in the folder."""
        ...

    def missing(self, crystal: Crystal, settings: DftSettings) -> Problem | None:
        """What forbids the calculation before it starts."""
        ...

    def read(self, crystal: Crystal, folder: Path, *, stopped: bool) -> PointResult | Problem:
        """The answer."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Where the programs are.

    Attributes:
        espresso: pw.x; pseudopotentials: folder of its files.
        python: that can import gpaw.
        scratch: folder for the files of a calculation, deleted after it; None for that of the system.
    """

    espresso: str = "pw.x"
    pseudopotentials: Path = DEBIAN
    python: str = "python3"
    scratch: Path | None = None


def make_code(settings: DftSettings, programs: Programs | None = None) -> Code:
    """The program that settings ask for.

    Raises:
        InputError: the settings are those of VASP, whose inputs are only written.
    """
    found = programs or Programs()
    if settings.code is DftCode.ESPRESSO:
        return Espresso(program=found.espresso, pseudopotentials=found.pseudopotentials)
    if settings.code is DftCode.GPAW:
        return Gpaw(python=found.python)
    raise InputError("inputs for VASP are written, not run; take settings of qe or gpaw")


@final
class DftPotential:
    """A code with named settings as a potential; energies are those of the cell in eV, as the code gives them."""

    def __init__(self, settings: DftSettings, programs: Programs | None = None) -> None:
        """Find the program.

        Raises:
            InputError: it is not there, or the settings are those of VASP.
        """
        self._settings = settings
        self._programs = programs or Programs()
        self._code = make_code(settings, self._programs)
        self._program_version = self._code.version()

    @property
    def name(self) -> str:
        """Name of the settings."""
        return self._settings.name

    @property
    def version(self) -> str:
        """Of settings and program."""
        return f"{self._settings.version} ({self._settings.code.value} {self._program_version})"

    def evaluate(self, crystals: Sequence[Crystal]) -> list[PointResult | Failure]:
        """Energies, forces and stresses in the order of `crystals`; what fails does so with the reason."""
        return [self.calculate(crystal)[0] for crystal in crystals]

    def calculate(self, crystal: Crystal) -> tuple[PointResult | Failure, dict[str, bytes]]:
        """One single point with the files of its last try; a second try where the trouble's policy has one."""
        start = time.perf_counter()
        if not crystal.is_ordered or not all(crystal.pbc):
            reason = "density functional theory takes ordered crystals, periodic in three directions"
            return Failure(reason=reason, kind=FailureKind.REFUSED), {}
        answer, files = self._try(crystal, self._settings)
        if isinstance(answer, Problem):
            second = REMEDIES[answer.trouble].second
            if second is not None:
                answer, files = self._try(crystal, second(self._settings))
        seconds = time.perf_counter() - start
        if isinstance(answer, Problem):
            remedy = REMEDIES[answer.trouble]
            tried = f", also with {remedy.says}" if remedy.second is not None else ""
            return Failure(reason=f"{answer.reason}{tried}", seconds=seconds, kind=remedy.kind), files
        if not all(np.isfinite(one).all() for one in (answer.energy, answer.forces, answer.stress)):
            lost = Problem(trouble=Trouble.NOT_FINITE, detail=f"energy, forces or stress of {self.name}")
            return Failure(reason=lost.reason, seconds=seconds, kind=lost.kind), files
        return answer, files

    def _try(self, crystal: Crystal, settings: DftSettings) -> tuple[PointResult | Problem, dict[str, bytes]]:
        problem = self._code.missing(crystal, settings)
        if problem is not None:
            return problem, {}
        with tempfile.TemporaryDirectory(dir=self._programs.scratch, prefix="matwright-dft-") as name:
            folder = Path(name)
            self._code.write(crystal, settings, folder)
            stopped = run(self._code.command(), folder, 60 * settings.wall_minutes)
            kept = [one for one in folder.iterdir() if one.is_file() and one.suffix != ".py"]
            files = {one.name: one.read_bytes() for one in sorted(kept)}
            return self._code.read(crystal, folder, stopped=stopped), files


def run(command: Sequence[str], folder: Path, seconds: float) -> bool:
    """Run a program in a folder with one thread, its output in pw.out and stderr; True where it had to be stopped."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with (folder / "pw.out").open("wb") as out, (folder / "stderr").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, *command],
            cwd=folder,
            stdout=out,
            stderr=err,
            stdin=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        try:
            process.wait(timeout=seconds + _GRACE)
        except subprocess.TimeoutExpired:
            _stop(process)
            return True
        except BaseException:
            _stop(process)
            raise
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the program and what it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
