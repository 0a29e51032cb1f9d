"""Quantum ESPRESSO: the input of `pw.x` for one crystal, and what its output says."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import final

import numpy as np

from matwright.elements import ATOMIC_MASS, atomic_number, symbol
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.screening.dft.bands import band_gap
from matwright.screening.dft.problems import Problem, Trouble
from matwright.screening.dft.settings import DftSettings
from matwright.screening.potential import PointResult

RYDBERG = 13.605693122994
"""eV."""
BOHR = 0.529177210903
"""Å."""
DEBIAN = Path("/usr/share/espresso/pseudo")
"""Where Debian's package quantum-espresso-data keeps its pseudopotentials."""
INPUT, OUTPUT = "pw.in", "pw.out"
_STRESS = re.compile(r"total\s+stress .*\n((?:\s+[-\d.]+){6}\n(?:\s+[-\d.]+){6}\n(?:\s+[-\d.]+){6}\n)")
_BANDS = re.compile(r"bands \(ev\):\n\n((?:[ \t]*[-\d. ]+\n)+)")
_GEOMETRY = ("overlap", "too close", "lattice vectors are", "wrong lattice")


@final
class Espresso:
    """`pw.x` as found on the path or named."""

    def __init__(self, *, program: str = "pw.x", pseudopotentials: Path = DEBIAN) -> None:
        self._program = program
        self._folder = pseudopotentials

    def version(self) -> str:
        """For instance "6.7MaX".

        Raises:
            InputError: there is no such program.
        """
        if shutil.which(self._program) is None:
            raise InputError(f"there is no program {self._program!r}: install Quantum ESPRESSO, or name its pw.x")
        with tempfile.TemporaryDirectory() as folder:  # it leaves files where it stands
            said = subprocess.run(
                [self._program], input="", capture_output=True, text=True, timeout=60, check=False, cwd=folder
            )
        found = re.search(r"PWSCF v\.?\s*(\S+)", said.stdout)
        return found.group(1) if found else "unknown"

    def write(self, crystal: Crystal, settings: DftSettings, folder: Path) -> None:
        """The input file, in a folder that exists."""
        (folder / INPUT).write_text(espresso_input(crystal, settings, self._folder), encoding="utf-8")

    def command(self) -> list[str]:
        """What is run in that folder."""
        return [self._program, "-in", INPUT]

    def missing(self, crystal: Crystal, settings: DftSettings) -> Problem | None:
        """The pseudopotential that is not there, or None."""
        for number in sorted(set(crystal.numbers.tolist())):
            name = symbol(number)
            if name not in settings.pseudopotentials:
                return Problem(trouble=Trouble.NO_PSEUDOPOTENTIAL, detail=f"{settings.name} names none for {name}")
            file = settings.pseudopotentials[name]
            if not (self._folder / file).is_file():
                return Problem(trouble=Trouble.NO_PSEUDOPOTENTIAL, detail=f"{self._folder} has no {file}")
        return None

    def read(self, crystal: Crystal, folder: Path, *, stopped: bool) -> PointResult | Problem:
        """Energy, forces and stress of a run, or what became of it; `stopped` where it ran beyond its time."""
        output = folder / OUTPUT
        text = output.read_text(encoding="utf-8", errors="replace") if output.is_file() else ""
        return read_espresso(text, len(crystal), stopped=stopped)


def espresso_input(crystal: Crystal, settings: DftSettings, pseudopotentials: Path) -> str:
    """The text of an input file: one self-consistent calculation with forces and stress, without magnetism."""
    names = [symbol(number) for number in crystal.numbers.tolist()]
    species = sorted(set(names), key=atomic_number)
    cutoff = settings.cutoff / RYDBERG
    system: dict[str, str | float | int] = {
        "ibrav": 0,
        "nat": len(crystal),
        "ntyp": len(species),
        "ecutwfc": round(cutoff, 4),
        "ecutrho": round(cutoff * settings.density_ratio, 4),
    }
    if settings.smearing > 0:
        width = round(settings.smearing / RYDBERG, 8)
        system |= {"occupations": "smearing", "smearing": "cold", "degauss": width}
    blocks = [
        _namelist(
            "control",
            {
                "calculation": "scf",
                "prefix": "matwright",
                "outdir": "./scratch",
                "pseudo_dir": str(pseudopotentials),
                "verbosity": "high",  # else bands are left out where there are many k points
                "tprnfor": ".true.",
                "tstress": ".true.",
                "disk_io": "none",
                "max_seconds": round(60 * settings.wall_minutes, 1),
            },
        ),
        _namelist("system", system),
        _namelist(
            "electrons",
            {
                "conv_thr": settings.convergence * len(crystal) / RYDBERG,
                "electron_maxstep": settings.max_steps,
                "mixing_beta": settings.mixing,
            },
        ),
        "\n".join(
            ["ATOMIC_SPECIES"]
            + [
                f"{name} {ATOMIC_MASS[atomic_number(name)]:.4f} {settings.pseudopotentials.get(name, f'{name}.UPF')}"
                for name in species
            ]
        ),
        "\n".join(["CELL_PARAMETERS angstrom", *(_row(vector) for vector in crystal.lattice)]),
        "\n".join(
            ["ATOMIC_POSITIONS crystal"]
            + [f"{name} {_row(place)}" for name, place in zip(names, crystal.frac_coords, strict=True)]
        ),
        "K_POINTS automatic\n" + " ".join(map(str, (*settings.mesh(crystal.lattice), 0, 0, 0))),
    ]
    return "\n".join(blocks) + "\n"


def _namelist(name: str, values: Mapping[str, str | float | int]) -> str:
    return "\n".join([f"&{name}", *(f"  {key} = {_quoted(value)}" for key, value in values.items()), "/"])


def _quoted(value: str | float) -> str:
    """A word in quotes, unless it is a number or one of Fortran's .true. and .false."""
    if isinstance(value, str) and value not in (".true.", ".false."):
        return f"'{value}'"
    return str(value)


def _row(vector: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    return " ".join(f"{value:.12f}" for value in vector)


def read_espresso(text: str, n_atoms: int, *, stopped: bool = False) -> PointResult | Problem:
    """Energy, forces and stress out of the text that `pw.x` printed; with smearing the energy is the free energy."""
    trouble = _trouble(text, stopped=stopped)
    if trouble is not None:
        return trouble
    energies = re.findall(r"^!\s+total energy\s+=\s+([-\d.]+) Ry", text, flags=re.MULTILINE)
    forces = re.findall(r"atom\s+\d+ type\s+\d+\s+force =\s+([-\d.]+)\s+([-\d.]+)\s+([-\d.]+)", text)[:n_atoms]
    stress = _STRESS.search(text)
    if not energies or len(forces) != n_atoms or stress is None:
        return Problem(trouble=Trouble.CRASH, detail="the output holds no energy, forces or stress")
    rows = np.array(stress.group(1).split(), dtype=np.float64).reshape(3, 6)[:, :3]
    outward = rows * RYDBERG / BOHR**3  # positive where the crystal pushes outwards
    return PointResult(
        energy=float(energies[-1]) * RYDBERG,
        forces=np.array(forces, dtype=np.float64) * RYDBERG / BOHR,
        stress=-(outward + outward.T) / 2,
        band_gap=_gap(text),
    )


def _gap(text: str) -> float | None:
    """From the bands after the last self-consistent density; None where they are not printed."""
    electrons = re.search(r"number of electrons\s+=\s+([\d.]+)", text)
    bands = _BANDS.findall(text.rpartition("End of self-consistent calculation")[2])
    rows = [re.findall(r"-?\d+\.\d{4}", some) for some in bands]  # numbers of four decimals may touch
    if electrons is None or not rows or len({len(row) for row in rows}) > 1:
        return None
    return band_gap([np.array(rows, dtype=np.float64)], [float(electrons.group(1)) / 2])


def _trouble(text: str, *, stopped: bool) -> Problem | None:
    failed = re.search(r"Error in routine\s+(.+?):?\n\s*(.+?)\s*\n", text)
    if failed is not None:
        return _of_routine(f"{failed.group(1).strip()}: {failed.group(2).strip()}")
    if stopped or "Maximum CPU time exceeded" in text:
        return Problem(trouble=Trouble.WALL_TIME, detail="")
    if "convergence NOT achieved" in text:
        steps = re.search(r"convergence NOT achieved after\s+(\d+)", text)
        detail = f"{steps.group(1)} iterations" if steps else ""
        return Problem(trouble=Trouble.NO_CONVERGENCE, detail=detail)
    if "JOB DONE" not in text:
        last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no output")
        return Problem(trouble=Trouble.CRASH, detail=last[:200])
    return None


def _of_routine(said: str) -> Problem:
    """What a routine of the program stopped with."""
    if any(word in said.lower() for word in _GEOMETRY):
        return Problem(trouble=Trouble.BAD_GEOMETRY, detail=said)
    if "pseudo" in said.lower() or "readpp" in said.lower():
        return Problem(trouble=Trouble.NO_PSEUDOPOTENTIAL, detail=said)
    return Problem(trouble=Trouble.CRASH, detail=said)
