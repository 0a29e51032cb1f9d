"""A sentence for each model that predicts under conditions or from compositions alone: what it is told, what not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matwright.api.condition_ranges import range_doubt, step_doubts
from matwright.api.conditions import conditions_of_models
from matwright.api.readiness.knowing import KnowingModel
from matwright.api.readiness.sentences import words
from matwright.materials.conditions import STEPS, Conditions
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
    names, told, doubts = _conditions(model, conditions)
    given = [f"{name} = {told[name]}" for name in names if name in told and name != STEPS]
    said += f", at {', '.join(given)}" if given else ""
    clauses = [f"{said}, after {told[STEPS]}" if STEPS in told else said, *doubts]
    unknown = [name for name in names if name not in told]
    if unknown:
        are = "is" if len(unknown) == 1 and unknown[0] != STEPS else "are"
        clauses.append(f"{' and '.join(unknown)} {are} not given and taken as unknown")
    return "; ".join(clauses) + "."


def _conditions(model: KnowingModel, conditions: Conditions | None) -> tuple[list[str], dict[str, str], list[str]]:
    """Names of the conditions that a model knows, what it is told of them, and clauses on what lies beyond training."""
    schema = model.schema
    if schema is None:
        return [], {}, []
    stated = conditions or schema.unknown
    doubts = [
        range_doubt(column.name, column.encode(value), model.ranges.get(column.name, {}))
        for column, value in zip(schema.columns, stated.values, strict=True)
        if value is not None
    ]
    doubts += dict.fromkeys(step_doubts(schema.encode_steps(stated), model.ranges))
    names = [*schema.names, *([] if schema.steps is None else [STEPS])]
    return names, stated.in_words(), [doubt for doubt in doubts if doubt is not None]
