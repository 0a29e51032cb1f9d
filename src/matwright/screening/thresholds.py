"""The user's thresholds of the whole cascade: one value a rung, one to one with the tables of a TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, final

from matwright.errors import InputError
from matwright.materials.properties import nearest_hint
from matwright.screening.limits import (
    ChemistryLimits,
    ConductionLimits,
    DensityLimits,
    ElasticLimits,
    EquationOfStateLimits,
    GeometryLimits,
    HullLimits,
    PhononLimits,
    PredictedElasticLimits,
    RelaxationLimits,
    ResidualLimits,
    SpecimenLimits,
    SurrogateLimits,
    SymmetryLimits,
)
from matwright.serialization import read_toml

_WEIGHTS = "weights"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The limits of every rung from cheap to dear, and of their residuals together (E32)."""

    density: DensityLimits = field(default_factory=DensityLimits)
    geometry: GeometryLimits = field(default_factory=GeometryLimits)
    chemistry: ChemistryLimits = field(default_factory=ChemistryLimits)
    symmetry: SymmetryLimits = field(default_factory=SymmetryLimits)
    surrogate: SurrogateLimits = field(default_factory=SurrogateLimits)
    predicted_elastic: PredictedElasticLimits = field(default_factory=PredictedElasticLimits)
    relaxation: RelaxationLimits = field(default_factory=RelaxationLimits)
    hull: HullLimits = field(default_factory=HullLimits)
    equation_of_state: EquationOfStateLimits = field(default_factory=EquationOfStateLimits)
    elastic: ElasticLimits = field(default_factory=ElasticLimits)
    specimen: SpecimenLimits = field(default_factory=SpecimenLimits)
    phonon: PhononLimits = field(default_factory=PhononLimits)
    conduction: ConductionLimits = field(default_factory=ConductionLimits)
    residual: ResidualLimits = field(default_factory=ResidualLimits)

    def as_toml(self) -> str:
        """The file that reads back to this value, each line with unit, range and meaning."""
        return "\n".join(_table(one.name, getattr(self, one.name)) for one in fields(self))


_LIMITS: Mapping[str, Any] = {one.name: getattr(Thresholds(), one.name) for one in fields(Thresholds)}
"""The default limits by the name of their table."""


def thresholds_from_mapping(tables: Mapping[str, Any]) -> Thresholds:
    """Thresholds from tables of names and values; what is not named keeps its default.

    Raises:
        InputError: an unknown table or name (the message lists the known ones with the nearest, or says in which table
            the name stands), or an impossible value.
    """
    chosen = {}
    for rung, table in tables.items():
        if rung not in _LIMITS:
            raise InputError(f"there is no table [{rung}]{nearest_hint(rung, _LIMITS)}; known: {', '.join(_LIMITS)}")
        if not isinstance(table, Mapping):
            raise InputError(f"{rung} is a table of limits: write [{rung}] above them")
        chosen[rung] = _limits(rung, table)
    return Thresholds(**chosen)


def load_thresholds(path: Path | str) -> Thresholds:
    """Thresholds from a TOML file, for instance `configs/filter.toml`.

    Raises:
        InputError: the file cannot be read (see `read_toml`), or a table, name or value is wrong.
    """
    content = read_toml(path)
    try:
        return thresholds_from_mapping(content)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _limits(rung: str, table: Mapping[str, Any]) -> Any:
    known = [one.name for one in fields(_LIMITS[rung])]
    for name in table:
        if name not in known:
            raise InputError(f"[{rung}] has no {name!r}{_where(name, known)}; known: {', '.join(known)}")
    return type(_LIMITS[rung])(**{name: _value(name, value) for name, value in table.items()})


def _value(name: str, value: Any) -> Any:
    """The value of a field; lists and tables become tuples, since limits are frozen."""
    if name != _WEIGHTS:
        return tuple(value) if isinstance(value, list) else value
    if not isinstance(value, Mapping):
        raise InputError("the weights of rules stand in a table of their own: [residual.weights]")
    return tuple(value.items())


def _where(name: str, known: list[str]) -> str:
    """The nearest name of this table, or else the table in which the name stands."""
    elsewhere = [rung for rung, limits in _LIMITS.items() if name in [one.name for one in fields(limits)]]
    return f"; it stands in [{elsewhere[0]}]" if elsewhere else nearest_hint(name, known)


def _table(rung: str, limits: Any) -> str:
    lines = [f"# {(type(limits).__doc__ or '').splitlines()[0]}", f"[{rung}]"]
    for one in fields(limits):
        if one.name != _WEIGHTS:
            lines.append(_line(one.name, getattr(limits, one.name), one.metadata))
    if isinstance(limits, ResidualLimits):
        lines += ["", "# Weight of a rule in the sum, 1 where it is not named; 0 judges and does not reject."]
        lines += [f"[{rung}.{_WEIGHTS}]", *(f"{rule} = {weight!r}" for rule, weight in limits.weights)]
    return "\n".join(lines) + "\n"


def _line(name: str, value: object, known: Mapping[str, Any]) -> str:
    if isinstance(value, bool):
        return f"{name} = {str(value).lower()}  # {known['means']}"
    if isinstance(value, tuple):
        listed = ", ".join(f'"{word}"' for word in value)
        return f"{name} = [{listed}]  # {known['means']}"
    unit = "" if known["unit"] == "1" else f", {known['unit']}"
    return f"{name} = {value!r}  # {known['means']}{unit}; {known['low']:g} to {known['high']:g}"
