"""A recorded number computed again from the store alone, and held against what was recorded."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, final

from matwright.api.campaign.candidate import CandidateRecord, Step, number_text
from matwright.api.campaign.rungs import make_evaluator
from matwright.campaign.engine.calling import call
from matwright.campaign.evaluator import Evaluator, Fidelity, Quantity, evaluator_hash
from matwright.campaign.evaluators.moduli import ModuliEvaluator, Route
from matwright.campaign.evaluators.potential import PotentialEvaluator
from matwright.campaign.evaluators.stability import StabilityEvaluator
from matwright.campaign.store.address import structure_hash
from matwright.campaign.store.records import EvaluatorFacts
from matwright.campaign.store.store import Store
from matwright.errors import InputError
from matwright.materials.properties import nearest_hint
from matwright.screening.relax import RelaxationSettings

EXACT = 1e-9
"""Relative tolerance of what is looked up."""
_TOLERANCES: Mapping[str, tuple[float, float]] = {
    "eV/atom": (1e-3, 0.0),
    "GPa": (0.5, 0.02),
    "Å^3/atom": (0.0, 5e-3),
}
"""Unit → absolute and relative tolerance of a computed number: a batch changes the last digits of each step."""
_ELSE = (1e-6, 0.02)
ON_THE_WAY = ("fmax", "smax", "steps", "misfit")
"""What is left of a calculation and how long it took: shown and not judged, since every path ends elsewhere."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One number, then and now.

    Attributes:
        name: of the quantity.
        recorded, again: both values; None where there is none.
        tolerance: largest difference that counts as equal, in their unit; None where it is not judged.
    """

    name: str
    recorded: Quantity | None
    again: Quantity | None
    tolerance: float | None

    @property
    def equal(self) -> bool:
        """Whether both are there and agree; what is not judged always does."""
        if self.tolerance is None:
            return True
        if self.recorded is None or self.again is None:
            return False
        return abs(self.recorded.value - self.again.value) <= self.tolerance

    def line(self) -> str:
        """The comparison in one line."""
        then = "no value" if self.recorded is None else number_text(self.recorded)
        now = "no value" if self.again is None else number_text(self.again)
        verdict = "not judged" if self.tolerance is None else "equal" if self.equal else "DIFFERENT"
        within = "" if self.tolerance is None else f" (tolerance {self.tolerance:.2g})"
        return f"{self.name:<28}{then} recorded, {now} now: {verdict}{within}"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """A record computed again.

    Attributes:
        evaluator: its name and version.
        comparisons: one a quantity; failed: what both runs say where one of them failed, "" where none did.
        same_failure: whether both failed, and in the same way.
        seconds: wall time of the second calculation.
    """

    evaluator: str
    comparisons: tuple[Comparison, ...]
    failed: str
    same_failure: bool
    seconds: float

    @property
    def equal(self) -> bool:
        """Whether the second calculation says what was recorded."""
        return self.same_failure if self.failed else all(one.equal for one in self.comparisons)

    def lines(self) -> list[str]:
        """The comparison as a person reads it, the verdict last."""
        verdict = "equal" if self.equal else "different"
        rows = [self.failed] if self.failed else [one.line() for one in self.comparisons]
        return [f"{self.evaluator}, computed again in {self.seconds:.3g} s", *rows, verdict]


def reproduce(store: Store, candidate: CandidateRecord, rung: str) -> Reproduction:
    """Compute one rung of a candidate again: the structure and the settings come from the store.

    Args:
        store: that holds the record.
        candidate: see `find_candidates`.
        rung: name of the evaluator, its end, or its fidelity where that names one record.

    Raises:
        InputError: the candidate has no such rung, or its evaluator can no longer be made (a file is missing or is
            no longer what it was, weights of another version are installed).
    """
    step = _step(candidate, rung)
    facts, record = step.record.evaluator, step.record
    evaluator = rebuild(store, facts)
    evaluator.prepare()
    begun = time.perf_counter()
    again = call(evaluator, [step.given])[0]
    seconds = time.perf_counter() - begun
    failed = ""
    if record.failure is not None or again.failure is not None:
        then = "values" if record.failure is None else record.failure.reason
        now = "values" if again.failure is None else again.failure.reason
        failed = f"recorded: {then}; now: {now}"
    same = record.failure is not None and again.failure is not None and record.failure.kind is again.failure.kind
    names = list(dict.fromkeys([*record.values, *again.values]))
    return Reproduction(
        evaluator=f"{facts.name} {facts.version[:12]}",
        comparisons=tuple(_compared(name, record.values.get(name), again.values.get(name), facts) for name in names),
        failed=failed,
        same_failure=same,
        seconds=seconds,
    )


def rebuild(store: Store, facts: EvaluatorFacts) -> Evaluator:
    """The evaluator that the store describes, made again.

    Raises:
        InputError: nothing that can be made now has its name, version and settings.
    """
    wanted = {"name": facts.name, "version": facts.version, "settings": dict(facts.settings)}
    problems: list[str] = []
    for make in (*_from_campaigns(store, facts), *_from_facts(facts)):
        try:
            made = make()
        except InputError as problem:
            problems.append(str(problem))
            continue
        found = {"name": made.name, "version": made.version, "settings": dict(made.settings)}
        if evaluator_hash(made) == _hash(wanted):
            return made
        differs = [name for name in wanted if wanted[name] != found[name]]
        if found["name"] == facts.name:
            problems.append(f"{facts.name} as it can be made now has another {' and '.join(differs)}")
    raise InputError(
        f"the evaluator {facts.name} {facts.version[:12]} cannot be made again"
        + (f": {problems[0]}" if problems else "; nothing says where it comes from")
    )


def _hash(described: Mapping[str, Any]) -> str:
    from matwright.serialization import hash_json

    return hash_json(described)


def _from_campaigns(store: Store, facts: EvaluatorFacts) -> list[Callable[[], Evaluator]]:
    """What makes the evaluators of the campaigns of the store, files seen from the store's folder."""
    folder = Path(store.where).parent if "://" not in store.where else Path()
    kept = [store.campaign_settings(name) or {} for name in store.campaign_names()]
    return [
        partial(make_evaluator, table, folder, settings.get("conditions", ()))
        for settings in kept
        for table in settings.get("evaluators", [])
        if facts.fidelity is not Fidelity.POTENTIAL or table.get("kind") == "conduction"
    ]


def _from_facts(facts: EvaluatorFacts) -> list[Callable[[], Evaluator]]:
    """What makes the evaluators on a potential, of which name, version and settings say everything."""
    potential, _, kind = facts.name.rpartition("-")
    settings = dict(facts.settings)
    for route in Route:
        if facts.name.endswith(f"-{route.value}"):
            name = facts.name.removesuffix(f"-{route.value}")
            return [partial(ModuliEvaluator, route=route, potential=name, version=facts.version, **settings)]
    if kind not in ("relaxation", "stability"):
        return []

    def relaxing() -> PotentialEvaluator:
        known: dict[str, Any] = {
            name: inf if value is None else value  # JSON has no word for a limit that is none
            for name, value in settings.items()
            if name in RelaxationSettings.__dataclass_fields__
        }
        relaxation = RelaxationSettings(**known)
        return PotentialEvaluator(potential=potential, version=facts.version, relaxation=relaxation)

    return [relaxing] if kind == "relaxation" else [lambda: StabilityEvaluator(relaxation=relaxing())]


def _step(candidate: CandidateRecord, rung: str) -> Step:
    found = [
        step
        for step in candidate.steps
        if rung in (step.record.evaluator.name, step.record.evaluator.fidelity.value)
        or step.record.evaluator.name.replace("-", "_").endswith(f"_{rung.replace('-', '_')}")
    ]
    names = [step.record.evaluator.name for step in candidate.steps]
    if not found:
        hint = nearest_hint(rung, names)
        raise InputError(f"{candidate.formula} has no rung {rung!r}{hint}; it has {', '.join(names) or 'none'}")
    if len(found) > 1:
        several = ", ".join(step.record.evaluator.name for step in found)
        raise InputError(f"{candidate.formula} has several rungs {rung!r}: name one of {several}")
    if structure_hash(found[0].given) != found[0].record.structure:
        raise InputError(f"the structure of the rung {rung!r} is no longer what its address says")
    return found[0]


def _compared(name: str, recorded: Quantity | None, again: Quantity | None, facts: EvaluatorFacts) -> Comparison:
    if name in ON_THE_WAY:
        return Comparison(name=name, recorded=recorded, again=again, tolerance=None)
    value = abs(recorded.value) if recorded is not None else 0.0
    if facts.fidelity is Fidelity.POTENTIAL or facts.fidelity is Fidelity.SURROGATE:
        absolute, relative = _TOLERANCES.get(facts.units.get(name, ""), _ELSE)
        if facts.fidelity is Fidelity.SURROGATE:
            absolute, relative = 1e-6, 1e-4
    else:
        absolute, relative = 0.0, EXACT
    return Comparison(name=name, recorded=recorded, again=again, tolerance=absolute + relative * value)
