"""Named, versioned settings of a density-functional calculation, one TOML file each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.elements import SYMBOLS
from matwright.errors import InputError
from matwright.materials.properties import nearest_hint
from matwright.serialization import parse_toml, read_toml


@final
class DftCode(Enum):
    """Who computes."""

    ESPRESSO = "qe"
    GPAW = "gpaw"
    VASP = "vasp"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DftSettings:
    """What a calculation depends on beside the crystal.

    Attributes:
        name, version: of these settings; another version is another fidelity, whose energies do not mix.
        code: who computes; functional: as the code spells it.
        cutoff: eV, of the plane waves; density_ratio: cutoff of the density over it (Quantum ESPRESSO).
        kspacing: 1/Å (with 2π), largest distance of k points; smearing: eV, width of the occupations.
        convergence: eV/atom, of the energy; max_steps: iterations of the density.
        mixing: share of the new density; wall_minutes: after which a calculation ends.
        pseudopotentials: file by element (Quantum ESPRESSO), or the name of a data set, the "fcore" of "Er.fcore.PBE"
            (GPAW); empty where the code has its own set.
        incar: further settings of VASP, over those of the set `functional` names.
    """

    name: str
    version: str
    code: DftCode
    functional: str
    cutoff: float = 500.0
    density_ratio: float = 8.0
    kspacing: float = 0.25
    smearing: float = 0.1
    convergence: float = 1e-6
    max_steps: int = 100
    mixing: float = 0.7
    wall_minutes: float = 60.0
    pseudopotentials: Mapping[str, str] = field(default_factory=dict)
    incar: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        positive = ("cutoff", "density_ratio", "kspacing", "convergence", "max_steps", "mixing", "wall_minutes")
        for name in positive:
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be above 0, found {getattr(self, name)!r}")
        if self.smearing < 0 or self.mixing > 1 or self.density_ratio < 1:
            raise InputError("smearing is at least 0, mixing at most 1 and density_ratio at least 1")
        for element in self.pseudopotentials:
            if element not in SYMBOLS:
                raise InputError(f"{element!r} in [pseudopotentials] is no element")

    def mesh(self, lattice: NDArray[np.float64]) -> tuple[int, int, int]:
        """Points along the three reciprocal vectors of a cell (3, 3; rows in Å)."""
        lengths = 2 * np.pi * np.linalg.norm(np.linalg.inv(lattice), axis=0)
        a, b, c = np.maximum(1, np.ceil(lengths / self.kspacing - 1e-6)).astype(int).tolist()
        return a, b, c

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            **asdict(self),
            "code": self.code.value,
            "pseudopotentials": dict(self.pseudopotentials),
            "incar": dict(self.incar),
        }


def preset_names() -> tuple[str, ...]:
    """The settings that ship with the package."""
    folder = resources.files("matwright.screening.dft") / "presets"
    return tuple(sorted(one.name.removesuffix(".toml") for one in folder.iterdir() if one.name.endswith(".toml")))


def load_dft_settings(name: str | Path) -> DftSettings:
    """Settings by the name of a preset, or from a file of one's own.

    Raises:
        InputError: no such preset or file, or a key or value that is wrong; unknown keys are told with the nearest one.
    """
    known = preset_names()
    if str(name) in known:
        preset = resources.files("matwright.screening.dft") / "presets" / f"{name}.toml"
        table = parse_toml(preset.read_text(encoding="utf-8"), name)
    elif Path(name).exists():
        table = read_toml(name)
    else:
        raise InputError(f"there are no settings {str(name)!r}; known: {', '.join(known)}, or a TOML file")
    try:
        return _settings(table)
    except (InputError, TypeError) as error:
        raise InputError(f"settings {name}: {error}") from error


def _settings(table: Mapping[str, Any]) -> DftSettings:
    known = [one.name for one in fields(DftSettings)]
    for key in table:
        if key not in known:
            raise InputError(f"there is no {key!r}{nearest_hint(key, known)}; known: {', '.join(known)}")
    missing = [key for key in ("name", "version", "code", "functional") if key not in table]
    if missing:
        raise InputError(f"{missing[0]!r} is missing")
    codes = [one.value for one in DftCode]
    if table["code"] not in codes:
        raise InputError(f"code is one of {', '.join(codes)}, found {table['code']!r}")
    numbers = {
        one.name: table[one.name] for one in fields(DftSettings) if one.name in table and one.type in ("float", "int")
    }
    for key, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"{key} is a number, found {value!r}")
    files = MappingProxyType(dict(table.get("pseudopotentials", {})))
    incar = MappingProxyType(dict(table.get("incar", {})))
    return DftSettings(
        **{**table, "code": DftCode(table["code"]), "pseudopotentials": dict(files), "incar": dict(incar)}
    )
