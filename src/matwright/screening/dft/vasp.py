"""Input files for VASP, for those who have it: INCAR, POSCAR, KPOINTS and the names of the potentials.

Also whether a finished calculation was made as they say.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.materials.interop import to_pymatgen
from matwright.materials.silence import quiet_warnings
from matwright.screening.dft.settings import DftSettings
from matwright.screening.dft.vasp_output import VaspRun

SETS = ("MPRelaxSet", "MPStaticSet", "MPScanRelaxSet")
"""Sets of pymatgen that a settings file may name as its functional."""


def write_vasp(crystal: Crystal, settings: DftSettings, folder: Path) -> list[Path]:
    """INCAR, POSCAR, KPOINTS and POTCAR.spec in a folder that exists; the potentials themselves are VASP's own.

    Raises:
        InputError: the settings name no known set, or the crystal is disordered.
    """
    with quiet_warnings():
        _input_set(crystal, settings).write_input(str(folder), potcar_spec=True)
    names = ("INCAR", "POSCAR", "KPOINTS", "POTCAR.spec")
    return [folder / name for name in names if (folder / name).is_file()]


def differences(run: VaspRun, settings: DftSettings) -> list[str]:
    """Where a finished calculation was made otherwise than the settings say; its energy then is none of theirs.

    Compared are cutoff, precision, smearing, spin, functional, U, the potentials, how sharply the density converged and
    how dense the k points are: sharper and denser ones than asked for are no difference.

    Raises:
        InputError: as `write_vasp`.
    """
    with quiet_warnings():
        chosen = _input_set(run.given, settings)
        incar, mesh = dict(chosen.incar), None if chosen.kpoints is None else chosen.kpoints.kpts[0]
        strengths = zip(chosen.poscar.site_symbols, incar.get("LDAUU", ()), strict=False)
        potentials = sorted(chosen.potcar_symbols)
    wanted: dict[str, Any] = {
        "ENCUT": float(incar["ENCUT"]),
        "ISMEAR": int(incar.get("ISMEAR", 1)),
        "SIGMA": float(incar.get("SIGMA", 0.2)),
        "ISPIN": int(incar.get("ISPIN", 1)),
        "LASPH": bool(incar.get("LASPH", False)),
        "METAGGA": str(incar.get("METAGGA", "")).upper(),
        "IVDW": int(incar.get("IVDW", 0)),
        "LHFCALC": bool(incar.get("LHFCALC", False)),
        "U": {name: float(value) for name, value in strengths if value},
    }
    facts = run.facts
    told = [f"{name} is {facts[name]}, not {value}" for name, value in wanted.items() if facts[name] != value]
    precision = str(incar.get("PREC", "Normal"))
    if facts["PREC"][:4].lower() != precision[:4].lower():  # the program writes six letters
        told.append(f"PREC is {facts['PREC']}, not {precision}")
    if facts["EDIFF"] > float(incar["EDIFF"]) * (1 + 1e-6):
        told.append(f"EDIFF is {facts['EDIFF']:g}, not {float(incar['EDIFF']):g}")
    titles = [title.split() for title in facts["potcars"]]
    if any(title[0] != "PAW_PBE" for title in titles):
        told.append(f"the potentials are {', '.join(facts['potcars'])}, not of PAW_PBE")
    elif sorted(title[1] for title in titles) != potentials:
        told.append(f"the potentials are {', '.join(facts['potcars'])}, not {', '.join(potentials)}")
    if mesh is not None and facts["mesh"] is not None and any(np.less(facts["mesh"], mesh)):
        told.append(f"the k points are {facts['mesh']}, fewer than {list(mesh)}")
    return told


def _input_set(crystal: Crystal, settings: DftSettings) -> Any:
    """The set of pymatgen that makes the files."""
    if settings.functional not in SETS:
        raise InputError(f"the functional of VASP settings is one of {', '.join(SETS)}, found {settings.functional!r}")
    if not crystal.is_ordered:
        raise InputError("a disordered crystal has no POSCAR: order it first")
    sets: Any = importlib.import_module("pymatgen.io.vasp.sets")  # heavy, and not typed: behind its door
    incar = {
        "ENCUT": settings.cutoff,
        "EDIFF": settings.convergence * len(crystal),
        "NELM": settings.max_steps,
        "SIGMA": settings.smearing,
        **settings.incar,
    }
    return getattr(sets, settings.functional)(to_pymatgen(crystal), user_incar_settings=incar)
