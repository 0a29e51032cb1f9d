"""The evaluators that a campaign's file names, made ready: a ladder from cheap to dear."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from matwright.api.campaign.asked_models import surrogate_model
from matwright.api.campaign.known_values import lookup_table
from matwright.api.conditions import conditions_known, conditions_of_words
from matwright.api.models import find_model
from matwright.campaign.evaluator import Evaluator, Fidelity
from matwright.campaign.evaluators.experiment import ExperimentEvaluator
from matwright.campaign.evaluators.lookup import LookupEvaluator
from matwright.campaign.evaluators.moduli import ModuliEvaluator, Route
from matwright.campaign.evaluators.potential import PotentialEvaluator
from matwright.campaign.evaluators.stability import StabilityEvaluator
from matwright.campaign.evaluators.surrogate import SurrogateEvaluator
from matwright.campaign.evaluators.table import parse_heading
from matwright.campaign.ladder import Rung, with_gates
from matwright.campaign.objective import Goal
from matwright.errors import InputError
from matwright.materials.properties import nearest_hint
from matwright.materials.target import parse_target
from matwright.screening.potential import check_potential, load_potential
from matwright.screening.relax import RelaxationSettings

_COMMON = ("kind", "name", "gate", "cost")
Table = Mapping[str, Any]


def make_ladder(tables: Sequence[Table], goal: Goal, folder: Path, conditions: Sequence[str] = ()) -> tuple[Rung, ...]:
    """The ladder of the tables [[evaluator]].

    Args:
        tables: from cheap to dear.
        goal: whose demands are the gates where a table states none.
        folder: that paths are relative to.
        conditions: "temperature=700 K" for each; a trained model is told those that it knows.

    Raises:
        InputError: an unknown kind or name, an impossible value, a file that cannot be read, or a quantity of the goal
            that nothing gives.
    """
    rungs, gates = [], {}
    for number, table in enumerate(tables, start=1):
        try:
            evaluator = make_evaluator(table, folder, conditions)
            name = str(table.get("name", table["kind"]))
            if "gate" in table:
                gates[name] = tuple(parse_target(text) for text in _texts(table, "gate"))
            rungs.append(Rung(name=name, evaluator=evaluator, cost=_cost(table)))
        except InputError as error:
            raise InputError(f"evaluator {number}: {error}") from error
    return with_gates(rungs, goal, gates)


def make_evaluator(table: Table, folder: Path, conditions: Sequence[str] = ()) -> Evaluator:
    """The evaluator of one table; arguments as `make_ladder`.

    Raises:
        InputError: as `make_ladder`.
    """
    kind = str(table.get("kind"))
    if kind not in _KINDS:
        hint = nearest_hint(kind, _KINDS)
        raise InputError(f"kind is one of {', '.join(_KINDS)}, found {kind!r}{hint}")
    known, make = _KINDS[kind]
    for name in table:
        if name not in (*_COMMON, *known):
            choices = [*_COMMON, *known]
            hint = nearest_hint(name, choices)
            raise InputError(f"{kind} has no {name!r}{hint}; known: {', '.join(choices)}")
    made = make(table, folder)
    if conditions and isinstance(made, SurrogateEvaluator):
        return replace(made, conditions=conditions_of_words(made.schema, conditions_known([made.schema], conditions)))
    return made


def _lookup(table: Table, folder: Path) -> Evaluator:
    stated = str(table.get("fidelity", Fidelity.DFT.value))
    words = [one.value for one in Fidelity]
    if stated not in words:
        raise InputError(f"fidelity is one of {', '.join(words)}, found {stated!r}{nearest_hint(stated, words)}")
    path = folder / _text(table, "table")
    if "structure" in table:
        path = lookup_table(path, _text(table, "structure"), _texts(table, "quantities"))
    elif "quantities" in table:
        raise InputError("a lookup with quantities needs structure, the column of the table that holds the structures")
    name = _text(table, "name", "lookup")
    return LookupEvaluator.of(path, name=name, fidelity=Fidelity(stated), cost=_cost(table) or 0.0)


def _surrogate(table: Table, folder: Path) -> Evaluator:
    name = _text(table, "model", "mp-crystal")
    return SurrogateEvaluator.of(find_model(surrogate_model(table, folder)), name=f"surrogate-{Path(name).name}")


def _stability(table: Table, _folder: Path) -> Evaluator:
    steps = table.get("max_steps", 300)
    if isinstance(steps, bool) or not isinstance(steps, int):
        raise InputError(f"max_steps must be a whole number, found {steps!r}")
    potential, version = _potential(table)
    fmax, smax = _float(table, "fmax", 0.05), _float(table, "smax", 0.5)
    relaxation = RelaxationSettings(fmax=fmax, smax=smax, max_steps=steps)
    return StabilityEvaluator(
        relaxation=PotentialEvaluator(potential=potential, version=version, relaxation=relaxation, cost=1.0)
    )


def _moduli(route: Route, option: str) -> Callable[[Table, Path], Evaluator]:
    def make(table: Table, _folder: Path) -> Evaluator:
        potential, version = _potential(table)
        given = {option: _float(table, option)} if option in table else {}
        return ModuliEvaluator(route=route, potential=potential, version=version, **given)

    return make


def _conduction(table: Table, _folder: Path) -> Evaluator:
    from matwright.campaign.evaluators.conduction import ConductionEvaluator  # behind its door: few campaigns ask
    from matwright.screening.conduction import ConductionSettings
    from matwright.screening.dynamics import DynamicsSettings

    potential, version = _potential(table)
    default = ConductionSettings()
    kelvin = table.get("temperatures", list(default.temperatures))
    if not isinstance(kelvin, list) or any(isinstance(one, bool) or not isinstance(one, int | float) for one in kelvin):
        raise InputError(f"temperatures is a list of numbers in K, found {kelvin!r}")
    step = _float(table, "timestep", default.dynamics.timestep)
    production = _float(table, "production", default.dynamics.production)
    conduction = ConductionSettings(
        ion=_text(table, "ion", default.ion),
        temperatures=tuple(float(one) for one in kelvin),
        dynamics=DynamicsSettings(timestep=step, production=production, interval=10 * step),
    )
    return ConductionEvaluator(potential=potential, weights=version, conduction=conduction)


def _dft(table: Table, folder: Path) -> Evaluator:
    from matwright.campaign.evaluators.dft import DftEvaluator  # behind its door: few campaigns ask
    from matwright.screening.dft.calculation import Programs

    name = _text(table, "settings")
    usual = Programs()
    files = folder / _text(table, "pseudopotentials") if "pseudopotentials" in table else usual.pseudopotentials
    programs = Programs(python=_text(table, "python", usual.python), pseudopotentials=files)
    relaxation = None
    if "fmax" in table or "smax" in table:
        fmax, smax = _float(table, "fmax", 0.05), _float(table, "smax", 0.5)
        relaxation = RelaxationSettings(fmax=fmax, smax=smax, max_steps=50)
    own = folder / name
    return DftEvaluator.of(own if own.is_file() else name, programs=programs, relaxation=relaxation)


def _experiment(table: Table, folder: Path) -> Evaluator:
    units = dict(parse_heading(text) for text in _texts(table, "quantities"))
    return ExperimentEvaluator(
        path=folder / _text(table, "table"), name=_text(table, "name", "experiment"), units=units
    )


def _potential(table: Table) -> tuple[str, str]:
    """Name and version of the potential; only one other than CHGNet is loaded to ask for its version."""
    name = _text(table, "potential", "chgnet")
    check_potential(name)
    default = PotentialEvaluator()
    return (name, default.version) if name == default.potential else (name, load_potential(name).version)


_KINDS: Mapping[str, tuple[tuple[str, ...], Callable[[Table, Path], Evaluator]]] = {
    "lookup": (("table", "fidelity", "structure", "quantities"), _lookup),
    "surrogate": (("model",), _surrogate),
    "stability": (("potential", "fmax", "smax", "max_steps"), _stability),
    "equation_of_state": (("potential", "span"), _moduli(Route.EQUATION_OF_STATE, "span")),
    "elastic": (("potential", "strain"), _moduli(Route.ELASTIC_TENSOR, "strain")),
    "conduction": (("potential", "ion", "temperatures", "timestep", "production"), _conduction),
    "dft": (("settings", "python", "pseudopotentials", "fmax", "smax"), _dft),
    "experiment": (("table", "quantities"), _experiment),
}
"""Kind → names that its table may have, and what makes the evaluator."""


def _cost(table: Table) -> float | None:
    if "cost" not in table:
        return None
    cost = _float(table, "cost")
    if not cost > 0:
        raise InputError(f"cost is in seconds and above 0, found {cost}")
    return cost


def _text(table: Table, name: str, default: str | None = None) -> str:
    found = table.get(name, default)
    if not isinstance(found, str):
        raise InputError(f"{name} must be a text, found {found!r}")
    return found


def _texts(table: Table, name: str) -> list[str]:
    found = table.get(name)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise InputError(f"{name} is a list of texts, found {found!r}")
    return found


def _float(table: Table, name: str, default: float | None = None) -> float:
    found = table.get(name, default)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise InputError(f"{name} must be a number, found {found!r}")
    return float(found)
