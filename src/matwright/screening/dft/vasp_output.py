"""Finished VASP calculations read back: energy, forces, stress and what made them, or why there is nothing."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.materials.interop import from_pymatgen
from matwright.materials.silence import quiet_warnings
from matwright.screening.dft.bands import band_gap
from matwright.screening.dft.problems import Problem, Trouble
from matwright.screening.potential import GPA_PER_EV_A3, PointResult

FILES = ("vasprun.xml", "vasprun.xml.gz")
_OTHERS = ("INCAR", "OUTCAR", "POTCAR")
_LOGS = ("OUTCAR", "*.out", "*.err", "stdout*", "stderr*", "std_*")
_TAIL = 200_000
"""Bytes of a log, from its end, in which words of failure are looked for."""
_SAID: tuple[tuple[re.Pattern[str], Trouble], ...] = (
    (re.compile(r"due to time limit|walltime .*exceeded|exceeded .*wall ?time|TERM_RUNLIMIT", re.I), Trouble.WALL_TIME),
    (re.compile(r"(hard|soft) stop encountered", re.I), Trouble.WALL_TIME),
    (
        re.compile(r"POTCAR.*(not found|missing|does not exist|no such file)|end-of-file.*POTCAR", re.I),
        Trouble.NO_PSEUDOPOTENTIAL,
    ),
    (re.compile(r"distance between some ions is very small", re.I), Trouble.BAD_GEOMETRY),
    (
        re.compile(r"VERY BAD NEWS|ZBRENT: fatal|EDDDAV|EDWAV|BRMIX: very serious|ZPOTRF fail|internal error", re.I),
        Trouble.CRASH,
    ),
    (re.compile(r"out of memory|oom.kill|not enough memory|insufficient virtual memory", re.I), Trouble.CRASH),
    (re.compile(r"\berror\b|forrtl: severe|segmentation fault", re.I), Trouble.CRASH),
)
"""What VASP and schedulers say at the end of a run that gave nothing, the most telling words first."""
_OF_STEPS = frozenset({1, 2, 3, 44})
"""IBRION of runs whose last step is the answer: relaxations and the dimer method."""
_AT_ONCE = frozenset({-1, 7, 8})
"""IBRION of runs of one step: a single point, and linear response around it."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VaspRun:
    """What a finished calculation says.

    Attributes:
        given: the crystal it started from; result: the crystal that the numbers belong to.
        point: energy, forces and stress of `result`; the energy is the free energy, without the term p V of PSTRESS.
        energy_sigma0: eV, extrapolated to no smearing: what the Materials Project calls energy.
        steps: ionic steps; 1 for a single point.
        version: of VASP.
        facts: what the numbers depend on, as the program wrote it: functional, cutoff, k points, POTCARs, U.
    """

    given: Crystal
    result: Crystal
    point: PointResult
    energy_sigma0: float
    steps: int
    version: str
    facts: Mapping[str, Any]


def is_vasp(folder: Path) -> bool:
    """Whether VASP ran, or was to run, in this folder."""
    return any((folder / name).is_file() for name in (*FILES, *_OTHERS))


def read_vasp(folder: Path) -> VaspRun | Problem:
    """The last step of the calculation in a folder, or what became of it.

    Raises:
        InputError: VASP has left nothing there, or its last step is no answer (dynamics, displaced atoms, no forces).
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder" if folder.exists() else f"{folder} does not exist")
    path = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if path is None:
        if not is_vasp(folder):
            raise InputError(f"{folder} holds no calculation of VASP: there is no {FILES[0]}")
        return said(folder) or Problem(trouble=Trouble.CRASH, detail=f"there is no {FILES[0]}")
    reader: Any = importlib.import_module("pymatgen.io.vasp.outputs")  # heavy, and not typed: behind its door
    try:
        with quiet_warnings():
            run = reader.Vasprun(str(path), parse_dos=False, parse_eigen=True, parse_potcar_file=False)
    except (SyntaxError, EOFError, OSError) as error:  # lxml and xml.etree have one word for bad XML in common
        return said(folder) or Problem(trouble=Trouble.CRASH, detail=f"{path.name} ends in the middle ({error})")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        detail = f"{path.name} is not as VASP writes it ({type(error).__name__}: {error})"[:200]
        return Problem(trouble=Trouble.CRASH, detail=detail)
    return _answer(run, folder)


def _answer(run: Any, folder: Path) -> VaspRun | Problem:
    limit, kind = int(run.parameters.get("NSW", 0)), int(run.parameters.get("IBRION", -1))
    moves = limit > 1 and kind not in _AT_ONCE
    if moves and kind not in _OF_STEPS:
        what = "dynamics" if kind == 0 else "displaced atoms"
        raise InputError(f"{folder}: a run of {what} (IBRION = {kind}) has no last step that could be recorded")
    if not run.ionic_steps:
        return said(folder) or Problem(trouble=Trouble.CRASH, detail="no ionic step was finished")
    last = run.ionic_steps[-1]
    missing = [name for name in ("forces", "stress", "e_fr_energy") if name not in last]
    if missing:
        raise InputError(f"{folder}: the last step has no {missing[0].replace('e_fr_energy', 'energy')}; set ISIF = 2")
    with quiet_warnings():
        converged = bool(run.converged_electronic)
    if not converged:
        detail = f"{len(last['electronic_steps'])} iterations in ionic step {len(run.ionic_steps)}, as many as NELM"
        return Problem(trouble=Trouble.NO_CONVERGENCE, detail=detail)
    if moves and len(run.ionic_steps) >= limit:
        return Problem(trouble=Trouble.NO_REST, detail=f"{limit} ionic steps, as many as NSW")
    stopped = said(folder, only=Trouble.WALL_TIME) if moves else None
    return stopped or _read(run, last)


def _read(run: Any, last: Mapping[str, Any]) -> VaspRun | Problem:
    try:
        result = from_pymatgen(last["structure"])
        # kB, positive where the crystal pushes outwards
        stress = -0.1 * np.array(last["stress"], dtype=np.float64) / GPA_PER_EV_A3
        forces = np.array(last["forces"], dtype=np.float64)
        pressure = 0.1 * float(run.parameters.get("PSTRESS", 0.0)) / GPA_PER_EV_A3
        energy = float(last["e_fr_energy"]) - pressure * result.volume  # a step's energy is an enthalpy
        # e_0_energy of a step is wrong in some versions; that of the last iteration is right, but without dispersion
        smeared = last["electronic_steps"][-1]
        sigma0 = energy + float(smeared["e_0_energy"]) - float(smeared["e_fr_energy"])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        return Problem(trouble=Trouble.CRASH, detail=f"a number of the last step cannot be read ({error})"[:200])
    if forces.shape != (len(result), 3) or stress.shape != (3, 3):
        return Problem(trouble=Trouble.CRASH, detail="the last step has no force on every atom")
    if not all(np.isfinite(one).all() for one in (energy, sigma0, forces, stress)):
        return Problem(trouble=Trouble.NOT_FINITE, detail="energy, forces or stress of the last step")
    return VaspRun(
        given=from_pymatgen(run.initial_structure),
        result=result,
        point=PointResult(energy=energy, forces=forces, stress=(stress + stress.T) / 2, band_gap=_gap(run)),
        energy_sigma0=sigma0,
        steps=len(run.ionic_steps),
        version=str(run.vasp_version),
        facts=_facts(run),
    )


def _gap(run: Any) -> float | None:
    """Of the last eigenvalues, with as many bands filled as the occupations say; None where they were not written."""
    if not run.eigenvalues:
        return None
    weights = np.array(run.actual_kpoints_weights, dtype=np.float64)
    channels = [np.array(found, dtype=np.float64) for found in run.eigenvalues.values()]  # (n_k, n_bands, 2)
    filled = [float(weights @ channel[:, :, 1].sum(axis=1) / weights.sum()) for channel in channels]
    return band_gap([channel[:, :, 0] for channel in channels], filled)


def _facts(run: Any) -> dict[str, Any]:
    told = run.parameters
    return {
        "functional": str(run.run_type),
        "ENCUT": float(told.get("ENMAX", 0.0)),
        "PREC": str(told.get("PREC", "")),
        "EDIFF": float(told.get("EDIFF", 0.0)),
        "ISMEAR": int(told.get("ISMEAR", 0)),
        "SIGMA": float(told.get("SIGMA", 0.0)),
        "ISPIN": int(told.get("ISPIN", 1)),
        "LASPH": bool(told.get("LASPH", False)),
        "METAGGA": _word(run.incar.get("METAGGA")),
        "IVDW": int(run.incar.get("IVDW", 0)),
        "LHFCALC": bool(told.get("LHFCALC", False)),
        "mesh": None if run.kpoints.num_kpts else list(map(int, run.kpoints.kpts[0])),
        "potcars": list(run.potcar_symbols),
        "U": {str(name): float(value) for name, value in run.hubbards.items() if value},
    }


def _word(value: object) -> str:
    """A word in capitals; empty for what VASP writes where there is none."""
    text = "" if value is None else str(value).strip().upper()
    return "" if text in ("--", "NONE") else text


def said(folder: Path, *, only: Trouble | None = None) -> Problem | None:
    """The most telling words of failure that a program or scheduler left in the logs of a folder."""
    tails = [_tail(path) for path in _logs(folder)]
    for pattern, trouble in _SAID:
        if only not in (None, trouble):
            continue
        for tail in tails:
            line = next((line for line in tail.splitlines() if pattern.search(line)), None)
            if line is not None:
                return Problem(trouble=trouble, detail=" ".join(line.strip(" |!*-").split())[:200])
    return None


def _logs(folder: Path) -> Iterator[Path]:
    seen: set[Path] = set()
    for pattern in _LOGS:
        for path in sorted(folder.glob(pattern)):
            if path.is_file() and path not in seen:
                seen.add(path)
                yield path


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        return file.read().decode("utf-8", errors="replace")
