"""A sentence for each model that predicts under conditions or from compositions alone: what it is told, what not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matwright.api.condition_ranges import STEPS, range_doubt, step_doubts
from matwright.api.conditions import conditions_of_models
from matwright.api.readiness.knowing import KnowingModel
from matwright.api.readiness.sentences import words
from matwright.materials.conditions import Conditions
from matwright.materials.processing import describe_steps
from matwright.models.learned import Learned


def remarks_on(
    models: Sequence[KnowingModel], asked_of: Mapping[str, Sequence[str]], conditions: Sequence[str]
) -> tuple[str, ...]:
    """The sentences for those models of which something is asked.

    Args:
        models: that are used.
        asked_of: the properties that each is to predict, by its name.
        conditions: those of `DesignSettings`.

    Raises:
        InputError: no model knows a condition, or a value cannot be read.
    """
    stated = conditions_of_models({model.name: model.schema for model in models}, conditions)
    asked = [model for model in models if asked_of[model.name]]
    found = [_remark(model, dict.fromkeys(asked_of[model.name]), stated[model.name]) for model in asked]
    return tuple(remark for remark in found if remark)


def _remark(model: KnowingModel, properties: Mapping[str, None], conditions: Conditions | None) -> str:
    """Nothing for a model of structures without conditions."""
    from_composition = model.learned is Learned.COMPOSITIONS
    if model.schema is None and not from_composition:
        return ""
    said = f"{model.name} predicts the {' and '.join(map(words, properties))}"
    said += " from the composition alone, whatever the structure" if from_composition else ""
    given, unknown, doubts = _conditions(model, conditions)
    said += f", at {', '.join(given)}" if given else ""
    steps = () if conditions is None else conditions.steps
    clauses = [f"{said}, after {describe_steps(steps)}" if steps else said, *doubts]
    if unknown:
        are = "is" if len(unknown) == 1 and unknown[0] != STEPS else "are"
        clauses.append(f"{' and '.join(unknown)} {are} not given and taken as unknown")
    return "; ".join(clauses) + "."


def _conditions(model: KnowingModel, conditions: Conditions | None) -> tuple[list[str], list[str], list[str]]:
    """Conditions with their values, names of those that are not given, and clauses on those beyond the training."""
    given: list[str] = []
    unknown: list[str] = []
    doubts: list[str] = []
    if model.schema is None:
        return given, unknown, doubts
    stated = conditions or model.schema.unknown
    for column, value in zip(model.schema.columns, stated.values, strict=True):
        if value is None:
            unknown.append(column.name)
            continue
        shown = f"{value:g} {column.unit}" if isinstance(value, float) else value
        given.append(f"{column.name} = {shown}")
        doubt = range_doubt(column.name, column.encode(value), model.ranges.get(column.name, {}))
        doubts += [doubt] if doubt is not None else []
    if model.schema.steps is not None and not stated.steps:
        unknown.append(STEPS)
    doubts += dict.fromkeys(step_doubts(model.schema.encode_steps(stated), model.ranges))
    return given, unknown, doubts
