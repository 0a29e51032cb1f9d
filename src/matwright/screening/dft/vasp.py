"""Input files for VASP, for those who have it: INCAR, POSCAR, KPOINTS and the names of the potentials."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.materials.interop import to_pymatgen
from matwright.materials.silence import quiet_warnings
from matwright.screening.dft.settings import DftSettings

SETS = ("MPRelaxSet", "MPStaticSet", "MPScanRelaxSet")
"""Sets of pymatgen that a settings file may name as its functional."""


def write_vasp(crystal: Crystal, settings: DftSettings, folder: Path) -> list[Path]:
    """INCAR, POSCAR, KPOINTS and POTCAR.spec in a folder that exists; the potentials themselves are VASP's own.

    Raises:
        InputError: the settings name no known set, or the crystal is disordered.
    """
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
    with quiet_warnings():
        chosen = getattr(sets, settings.functional)(to_pymatgen(crystal), user_incar_settings=incar)
        chosen.write_input(str(folder), potcar_spec=True)
    names = ("INCAR", "POSCAR", "KPOINTS", "POTCAR.spec")
    return [folder / name for name in names if (folder / name).is_file()]
