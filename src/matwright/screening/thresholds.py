"""The user's thresholds of the cascade: one small value, one to one with a TOML table."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, final

from matwright.errors import InputError


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Limits of the rules; a candidate beyond one of them is rejected with the reason.

    Attributes:
        min_distance: Å, shortest distance between atoms, periodic self-images included.
        min_distance_share: shortest distance as a share of the two covalent radii's sum ("1": no unit).
        min_volume_per_atom, max_volume_per_atom: Å³ per atom.
        min_density, max_density: g/cm³.
        charge_balance: whether the composition must pass the SMACT test (metals and elements pass).
        noble_gases: whether noble gases are allowed.
        max_e_above_hull: eV/atom above the hull of known compounds.
        max_fmax: eV/Å, largest force left after relaxation.
        max_smax: GPa, largest stress left after relaxation.
    """

    min_distance: float = 0.5
    min_distance_share: float = 0.5
    min_volume_per_atom: float = 3.0
    max_volume_per_atom: float = 120.0
    min_density: float = 0.2
    max_density: float = 25.0
    charge_balance: bool = True
    noble_gases: bool = False
    max_e_above_hull: float = 0.1
    max_fmax: float = 0.1
    max_smax: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) != (field.type == "bool"):
                raise InputError(f"threshold {field.name} must be of type {field.type}, found {value!r}")
            if not isinstance(value, bool | int | float) or (not isinstance(value, bool) and not value >= 0):
                raise InputError(f"threshold {field.name} must be a number of at least 0, found {value!r}")
        for name in ("volume_per_atom", "density"):
            if getattr(self, f"min_{name}") >= getattr(self, f"max_{name}"):
                raise InputError(f"threshold min_{name} must lie below max_{name}")


def thresholds_from_mapping(table: Mapping[str, Any]) -> Thresholds:
    """Thresholds from a table of names and values; what is not named keeps its default.

    Raises:
        InputError: an unknown name (the message gives the nearest known one) or an impossible value.
    """
    known = [field.name for field in fields(Thresholds)]
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise InputError(f"there is no threshold {name!r}; {hint}Known: {', '.join(known)}")
    return Thresholds(**table)


def load_thresholds(path: Path | str) -> Thresholds:
    """Thresholds from the table [thresholds] of a TOML file.

    Raises:
        InputError: the file cannot be read as TOML, has no such table, or a name or value is wrong.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as TOML: {error}") from error
    if not isinstance(content.get("thresholds"), dict):
        raise InputError(f"{path} has no table [thresholds]")
    return thresholds_from_mapping(content["thresholds"])
