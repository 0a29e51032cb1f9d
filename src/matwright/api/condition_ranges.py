"""What a model has seen, of conditions and of materials: for its card, and to warn where a prediction asks for more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.graphs.store import GraphStore
from matwright.materials.conditions import STEPS, ConditionColumn, ConditionSchema
from matwright.materials.processing import STEP_UNITS, STEP_WORDS, ProcessStep

FAR_FROM_DATA = 0.95
"""Domain score from which a material counts as unlike the training data."""

_FIELDS = tuple(field.name for field in fields(ProcessStep))


def condition_facts(schema: ConditionSchema | None, store: GraphStore, train: NDArray[np.int64]) -> dict[str, Any]:
    """What the training part says of each condition, as plain JSON: range or counts, and the share that is missing.

    Args:
        schema: that of the store's codes.
        store: of all parts.
        train: (n,) indices of the training part.
    """
    if schema is None:
        return {}
    conditions = store.conditions[train]
    facts = {column.name: _column_facts(column, conditions[:, place]) for place, column in enumerate(schema.columns)}
    if schema.steps is None:
        return facts
    part = store.subset(train)
    steps: dict[str, Any] = {"longest": int(part.step_counts.max()), "without": float((part.step_counts == 0).mean())}
    for place, name in enumerate(_FIELDS):
        if name in STEP_UNITS:
            column = ConditionColumn(name=name, unit=STEP_UNITS[name])
        else:
            words = getattr(schema.steps, STEP_WORDS[name])
            if not words:
                continue
            column = ConditionColumn(name=name, categories=words)
        steps[name] = _column_facts(column, part.steps[:, place])
    return facts | {STEPS: steps}


def _column_facts(column: ConditionColumn, values: NDArray[np.floating]) -> dict[str, Any]:
    known = values[~np.isnan(values)].astype(np.float64)
    facts: dict[str, Any] = {"missing": float(np.isnan(values).mean()) if len(values) else 1.0}
    if column.unit is not None:
        limits = [float(known.min()), float(known.max())] if len(known) else None
        return {"unit": column.unit, "range": limits} | facts
    counts = np.bincount(known.astype(np.int64), minlength=len(column.categories))
    return {"categories": dict(zip(column.categories, counts.tolist(), strict=True))} | facts


def describe_conditions(facts: Mapping[str, Any]) -> list[str]:
    """One line a condition for people, from `condition_facts`."""
    lines = []
    for name, about in facts.items():
        if name != STEPS:
            lines.append(f"{name}: {_described(about)}")
            continue
        parts = [f"{field} {_described(about[field])}" for field in _FIELDS if field in about]
        lines.append(f"{name}: up to {about['longest']} in order ({100 * about['without']:.0f} % of records without)")
        lines += [f"{name}, {part}" for part in parts]
    return lines


def _described(about: Mapping[str, Any]) -> str:
    missing = f", missing in {100 * about['missing']:.0f} %" if about["missing"] else ""
    if "categories" in about:
        return ", ".join(f"{word} ({count})" for word, count in about["categories"].items()) + missing
    if about["range"] is None:
        return "never known"
    lower, upper = about["range"]
    return f"{lower:g} to {upper:g} {about['unit']}{missing}"


@final
class RangeWatch:
    """Counts how often materials and conditions lie outside of what a model was trained on; state of one run."""

    def __init__(self, schema: ConditionSchema | None, facts: Mapping[str, Any]) -> None:
        self._schema = schema
        self._facts = facts
        self._doubts: dict[str, int] = {}
        self._seen, self._reduced = 0, 0
        self._far, self._judged = 0, 0

    def judge(self, domain_scores: NDArray[np.float64]) -> None:
        """Look at the (n,) domain scores of n materials; NaN is not known."""
        self._far += int((domain_scores >= FAR_FROM_DATA).sum())
        self._judged += len(domain_scores)

    def see(self, conditions: Sequence[float], steps: Sequence[Sequence[float]], *, reduced: bool = False) -> None:
        """Look at the conditions of one material, as the schema encodes them; `reduced` to its composition or not."""
        self._reduced += reduced
        if self._schema is None:
            return
        self._seen += 1
        doubts = [
            range_doubt(column.name, value, self._facts.get(column.name, {}))
            for column, value in zip(self._schema.columns, conditions, strict=True)
        ]
        doubts += step_doubts(steps, self._facts)
        for doubt in dict.fromkeys(doubt for doubt in doubts if doubt is not None):
            self._doubts[doubt] = self._doubts.get(doubt, 0) + 1

    def sentences(self) -> list[str]:
        """Say what needs a warning: structures reduced to compositions, materials unlike the data, conditions."""
        found = [f"{doubt} (for {count} of {self._seen} materials)" for doubt, count in self._doubts.items()]
        if self._far:
            which = "the material is" if self._judged == 1 else f"{self._far} of {self._judged} materials are"
            found.insert(0, f"{which} unlike the training data (domain score of at least {FAR_FROM_DATA:g})")
        if self._reduced:
            which = "the structure" if self._reduced == 1 else f"{self._reduced} structures"
            found.insert(0, f"the model learned from compositions alone: of {which} only the composition counts")
        return found


def step_doubts(steps: Sequence[Sequence[float]], facts: Mapping[str, Any]) -> list[str]:
    """Clauses on the numbers of encoded steps that lie outside of what `condition_facts` say."""
    known = facts.get(STEPS, {})
    doubts = [
        range_doubt(f"{name} of a processing step", value, known.get(name, {}))
        for step in steps
        for name, value in zip(_FIELDS, step, strict=True)
        if name in STEP_UNITS and not np.isnan(value)
    ]
    return [doubt for doubt in doubts if doubt is not None]


def range_doubt(name: str, value: float, about: Mapping[str, Any]) -> str | None:
    """Return a clause where a value (NaN: unknown) lies outside of what `condition_facts` say of it, else None."""
    if np.isnan(value):
        known = about.get("missing", 1.0) == 0.0
        return f"{name} is not known, but was for all of the training data" if known else None
    if about.get("range") is None:
        return None
    lower, upper = about["range"]
    slack = 1e-6 * max(1.0, abs(lower), abs(upper))
    if lower - slack <= value <= upper + slack:
        return None
    return f"{name} lies outside of the {lower:g} to {upper:g} {about['unit']} of the training data"
