"""Reading a campaign's TOML file: an unknown name is told the nearest known one, paths are relative to the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from matwright.api.campaign.settings import (
    CampaignSettings,
    ChoiceSettings,
    FilterSettings,
    ProposerSettings,
    StopSettings,
    SurrogateSettings,
)
from matwright.api.conditions import with_steps
from matwright.campaign.acquisition import Acquisition, AcquisitionSettings
from matwright.campaign.engine.interface import Limits
from matwright.campaign.engine.settings import engine_settings
from matwright.campaign.objective import Goal
from matwright.campaign.surrogate import SurrogateKind
from matwright.errors import InputError
from matwright.materials.constraints import Constraints
from matwright.materials.formula import parse_elements, parse_formula
from matwright.materials.properties import nearest_hint
from matwright.materials.target import parse_target
from matwright.screening.thresholds import load_thresholds, thresholds_from_mapping
from matwright.serialization import read_toml

_TOP = ("name", "store", "targets", "seed", "conditions", "steps", "constraints", "proposer", "filter", "evaluator",
        "acquisition", "surrogate", "engine", "limits", "stop")  # fmt: skip
_REQUIRED = ("targets", "proposer", "evaluator")
_CONSTRAINTS = ("elements", "require", "exclude", "formula", "space_groups", "min_atoms", "max_atoms", "max_elements")
_FILTER = ("thresholds", "until", "models")
_ACQUISITION = ("kind", "beta", "diversity", "batch", "start", "cost_aware")

Choice = TypeVar("Choice", bound=Enum)
Settings = TypeVar("Settings")


def load_campaign(path: Path) -> CampaignSettings:
    """The settings that a TOML file states.

    Raises:
        InputError: the file cannot be read (see `read_toml`), a name is unknown, or a value is impossible; the message
            names the file.
    """
    content = read_toml(path)
    try:
        return campaign_settings(content, folder=path.parent, name=path.stem)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def campaign_settings(content: Mapping[str, Any], *, folder: Path, name: str = "campaign") -> CampaignSettings:
    """The settings that the tables of a file state.

    Args:
        content: the tables.
        folder: that paths are relative to.
        name: of the campaign, where the tables give none.

    Raises:
        InputError: as `load_campaign`.
    """
    _check_names("the file", content, _TOP)
    for needed in _REQUIRED:
        if needed not in content:
            raise InputError(f"[{needed}] is missing" if needed != "targets" else "targets = [...] is missing")
    evaluators = content["evaluator"]
    if not isinstance(evaluators, list) or not all(isinstance(one, dict) for one in evaluators):
        raise InputError("evaluators stand in tables [[evaluator]], from cheap to dear")
    engine = content.get("engine")
    return CampaignSettings(
        name=_text(content, "name", name),
        store=_store(_text(content, "store", f"{name}.db"), folder),
        folder=folder,
        goal=Goal(targets=tuple(parse_target(text) for text in _texts(content, "targets"))),
        evaluators=tuple(evaluators),
        proposer=_proposer(_table(content, "proposer"), folder),
        filter=_filter(_table(content, "filter"), folder),
        choice=_choice(_table(content, "acquisition")),
        surrogate=_surrogate(_table(content, "surrogate")),
        stop=_plain(StopSettings, _table(content, "stop"), "stop"),
        constraints=_constraints(_table(content, "constraints")),
        conditions=with_steps(
            _texts(content, "conditions") if "conditions" in content else (), _text(content, "steps", "")
        ),
        engine=None if engine is None else engine_settings(_table(content, "engine")),
        limits=_plain(Limits, _table(content, "limits"), "limits"),
        seed=_number(content, "seed", 0),
    )


def _store(address: str, folder: Path) -> str:
    return address if "://" in address else str(folder / address)


def _proposer(table: Mapping[str, Any], folder: Path) -> ProposerSettings:
    known = [one.name for one in fields(ProposerSettings)]
    _check_names("[proposer]", table, known)
    values = dict(table)
    if "pool" in table:
        stated = [table["pool"]] if isinstance(table["pool"], str) else _texts(table, "pool")
        values["pool"] = tuple(folder / text for text in stated)
    if "generator" in table and (folder / _text(table, "generator", "")).is_dir():
        values["generator"] = str(folder / table["generator"])
    return _made(ProposerSettings, values, "proposer")


def _filter(table: Mapping[str, Any], folder: Path) -> FilterSettings:
    limits = {name: value for name, value in table.items() if name not in _FILTER}
    stated = {name: value for name, value in table.items() if name in _FILTER}
    if "thresholds" in stated and limits:
        raise InputError("[filter] names a file of thresholds or states them itself, not both")
    values: dict[str, Any] = {}
    if "thresholds" in stated:
        values["thresholds"] = load_thresholds(folder / _text(stated, "thresholds", ""))
    elif limits:
        values["thresholds"] = thresholds_from_mapping(limits)
    if "models" in stated:
        values["models"] = tuple(_texts(stated, "models"))
    if "until" in stated:
        values["until"] = _text(stated, "until", "")
    return _made(FilterSettings, values, "filter")


def _choice(table: Mapping[str, Any]) -> ChoiceSettings:
    _check_names("[acquisition]", table, _ACQUISITION)
    own = {name: value for name, value in table.items() if name in ("beta", "diversity")}
    kind = _one_of(Acquisition, table.get("kind", Acquisition.EXPECTED_IMPROVEMENT.value), "acquisition.kind")
    rest = {name: value for name, value in table.items() if name in ("batch", "start", "cost_aware")}
    chosen = _made(AcquisitionSettings, {"kind": kind, **own}, "acquisition")
    return _made(ChoiceSettings, {"acquisition": chosen, **rest}, "acquisition")


def _surrogate(table: Mapping[str, Any]) -> SurrogateSettings:
    _check_names("[surrogate]", table, [one.name for one in fields(SurrogateSettings)])
    values = dict(table)
    if "kind" in table:
        values["kind"] = _one_of(SurrogateKind, table["kind"], "surrogate.kind")
    if "features" in table:
        values["features"] = tuple(_texts(table, "features"))
    return _made(SurrogateSettings, values, "surrogate")


def _constraints(table: Mapping[str, Any]) -> Constraints:
    _check_names("[constraints]", table, _CONSTRAINTS)
    elements: Callable[[str], frozenset[int]] = lambda name: (  # noqa: E731 (three fields are read alike)
        parse_elements(_text(table, name, "")) if table.get(name) else frozenset()
    )
    groups = table.get("space_groups", [])
    if not isinstance(groups, list) or not all(isinstance(one, int) and 1 <= one <= 230 for one in groups):
        raise InputError(f"constraints.space_groups are numbers in 1..230, found {groups!r}")
    n_atoms = (_number(table, "min_atoms", 1), _number(table, "max_atoms", 20))
    if not 1 <= n_atoms[0] <= n_atoms[1]:
        raise InputError(f"constraints.min_atoms {n_atoms[0]} is above max_atoms {n_atoms[1]}, or below 1")
    return Constraints(
        allowed=elements("elements"),
        required=elements("require"),
        forbidden=elements("exclude"),
        formula=parse_formula(_text(table, "formula", "")) if table.get("formula") else None,
        space_groups=frozenset(groups),
        n_atoms=n_atoms,
        n_elements=(1, _number(table, "max_elements", 6)),
    )


def _plain(kind: type[Settings], table: Mapping[str, Any], name: str) -> Settings:
    """A settings value whose fields are the names of its table."""
    _check_names(f"[{name}]", table, list(kind.__dataclass_fields__))  # type: ignore[attr-defined]
    return _made(kind, table, name)


def _made(kind: type[Settings], values: Mapping[str, Any], name: str) -> Settings:
    """The value; a field of another kind than its default or annotation is an error of the file."""
    for field_name, value in values.items():
        _check_kind(f"{name}.{field_name}", str(kind.__annotations__[field_name]), value)
    return kind(**values)


_KINDS: Mapping[str, tuple[type, ...]] = {
    "int": (int,), "int | None": (int,), "float": (int, float), "float | None": (int, float), "bool": (bool,),
    "str": (str,), "str | None": (str,),
}  # fmt: skip


def _check_kind(name: str, annotation: str, value: object) -> None:
    wanted = _KINDS.get(annotation)
    if wanted is None:
        return
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        word = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text"}
        raise InputError(f"{name} must be {word[annotation.partition(' ')[0]]}, found {value!r}")


def _check_names(where: str, table: Mapping[str, Any], known: tuple[str, ...] | list[str]) -> None:
    for name in table:
        if name not in known:
            raise InputError(f"{where} has no {name!r}{nearest_hint(name, known)}; known: {', '.join(known)}")


def _table(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = content.get(name, {})
    if not isinstance(found, Mapping):
        raise InputError(f"{name} is a table: write [{name}]")
    return found


def _text(table: Mapping[str, Any], name: str, default: str) -> str:
    found = table.get(name, default)
    if not isinstance(found, str):
        raise InputError(f"{name} must be a text, found {found!r}")
    return found


def _texts(table: Mapping[str, Any], name: str) -> list[str]:
    found = table.get(name)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise InputError(f"{name} is a list of texts, found {found!r}")
    return found


def _number(table: Mapping[str, Any], name: str, default: int) -> int:
    found = table.get(name, default)
    if isinstance(found, bool) or not isinstance(found, int):
        raise InputError(f"{name} must be a whole number, found {found!r}")
    return found


def _one_of(kind: type[Choice], word: object, name: str) -> Choice:
    words = [str(one.value) for one in kind]
    if word not in words:
        raise InputError(f"{name} is one of {', '.join(words)}, found {word!r}{nearest_hint(str(word), words)}")
    return kind(word)
