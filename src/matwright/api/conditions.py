"""Conditions between a table and a model: the words that it was trained on, and what users say on the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.graphs.store import GraphStore
from matwright.materials.conditions import ConditionColumn, Conditions, ConditionSchema, StepVocabulary
from matwright.materials.processing import STEP_WORDS, ProcessStep, parse_steps
from matwright.materials.properties import nearest_hint
from matwright.units import convert

_QUANTITY = re.compile(r"([+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*)")
_FIELDS = tuple(field.name for field in fields(ProcessStep))
_STEPS = "steps"
"""The name that stands for the processing among conditions, where none is called so."""


def trained_schema(schema: ConditionSchema, store: GraphStore, train: NDArray[np.int64]) -> ConditionSchema:
    """The schema with only those words that occur in the training part; a word without an example teaches nothing.

    Args:
        schema: that of the store's codes.
        store: of all parts.
        train: (n,) indices of the training part.
    """
    conditions = store.conditions[train]
    columns = tuple(
        replace(column, categories=_seen(column.categories, conditions[:, place])) if column.categories else column
        for place, column in enumerate(schema.columns)
    )
    if schema.steps is None:
        return ConditionSchema(columns=columns)
    steps = store.subset(train).steps
    words = {
        STEP_WORDS[name]: _seen(getattr(schema.steps, STEP_WORDS[name]), steps[:, place])
        for place, name in enumerate(_FIELDS)
        if name in STEP_WORDS
    }
    return ConditionSchema(columns=columns, steps=StepVocabulary(**words))


def _seen(words: tuple[str, ...], codes: NDArray[np.floating]) -> tuple[str, ...]:
    found = {int(code) for code in codes[~np.isnan(codes)]}
    return tuple(word for place, word in enumerate(words) if place in found) or words


def coded_by(store: GraphStore, old: ConditionSchema | None, new: ConditionSchema | None) -> GraphStore:
    """The store with its words coded as in `new` instead of `old`; a word that `new` does not know is missing."""
    if old is None or new is None or old == new:
        return store
    conditions, steps = np.array(store.conditions), np.array(store.steps)
    for place, (before, after) in enumerate(zip(old.columns, new.columns, strict=True)):
        if before.categories:
            conditions[:, place] = _recoded(conditions[:, place], before.categories, after.categories)
    if old.steps is not None and new.steps is not None:
        for place, name in enumerate(_FIELDS):
            if name in STEP_WORDS:
                words = (getattr(known.steps, STEP_WORDS[name]) for known in (old, new))
                steps[:, place] = _recoded(steps[:, place], *words)
    return store.with_conditions(conditions, steps)


def _recoded(codes: NDArray[Any], old: tuple[str, ...], new: tuple[str, ...]) -> NDArray[Any]:
    table = np.array([float(new.index(word)) if word in new else np.nan for word in old] + [np.nan])
    return table[np.where(np.isnan(codes), len(old), codes).astype(np.int64)].astype(codes.dtype)


def conditions_of_words(
    schema: ConditionSchema | None, said: Sequence[str], steps: str | None = None
) -> Conditions | None:
    """The conditions of "temperature=850 degC" or "route=powder" for each of them, and of processing steps as text.

    A number without a unit is in the unit of the condition. "steps=age 850 degC 24 h", where no condition is called
    so, says the same as `steps`. None where nothing is said.

    Raises:
        InputError: the model knows no such condition or word, or a value cannot be read.
    """
    if not said and steps is None:
        return None
    if schema is None:
        raise InputError("the model knows no conditions; it was trained without them")
    columns = {column.name: column for column in schema.columns}
    values: dict[str, float | str | None] = {}
    for text in said:
        name, value = _said(text)
        if name == _STEPS and _STEPS in _names(schema) and _STEPS not in columns:
            if steps is not None:
                raise InputError("the processing steps are given twice")
            steps = value
            continue
        if name not in columns:
            known = ", ".join(columns) or "none but processing steps"
            raise InputError(f"there is no condition {name!r}{nearest_hint(name, columns)}; the model knows: {known}")
        if name in values:
            raise InputError(f"the condition {name!r} is given twice")
        values[name] = _quantity(columns[name], value)
    return schema.conditions(values, () if steps is None else parse_steps(steps))


def conditions_of_models(
    schemas: Mapping[str, ConditionSchema | None], said: Sequence[str]
) -> dict[str, Conditions | None]:
    """The conditions of several models by name, each word going to the models that know its condition.

    Args:
        schemas: what each model knows, None for nothing.
        said: "temperature=850 degC" for each condition, "steps=age 850 degC 24 h" for the processing; None comes back
            for a model that knows none of them.

    Raises:
        InputError: no model knows a condition, or a value cannot be read.
    """
    known = {name: _names(schema) for name, schema in schemas.items()}
    for name, _ in map(_said, said):
        if not any(name in names for names in known.values()):
            what = "; ".join(f"{model} knows {', '.join(names) or 'none'}" for model, names in known.items())
            what = what or "no model is asked"
            hint = nearest_hint(name, [one for names in known.values() for one in names])
            sought = "processing steps" if name == _STEPS else f"a condition {name!r}"
            raise InputError(f"no model here knows {sought} ({what}){hint}")
    return {model: conditions_of_words(schema, conditions_known([schema], said)) for model, schema in schemas.items()}


def conditions_known(schemas: Sequence[ConditionSchema | None], said: Sequence[str]) -> tuple[str, ...]:
    """Those of the conditions said ("temperature=850 degC") that one of the models knows.

    Raises:
        InputError: one is not written name=value.
    """
    known = {name for schema in schemas for name in _names(schema)}
    return tuple(text for text in said if _said(text)[0] in known)


def with_steps(conditions: Sequence[str], steps: str | None) -> tuple[str, ...]:
    """The conditions said, and processing steps as one more: "steps=age 850 degC 24 h"; no text is no steps."""
    return (*conditions, *([f"{_STEPS}={steps.strip()}"] if steps and steps.strip() else []))


def _names(schema: ConditionSchema | None) -> tuple[str, ...]:
    """What can be said to a model: its conditions, and its processing steps if it knows any."""
    if schema is None:
        return ()
    return tuple(dict.fromkeys((*schema.names, *([] if schema.steps is None else [_STEPS]))))


def _said(text: str) -> tuple[str, str]:
    """Name and value of "temperature=850 degC"."""
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not value:
        raise InputError(f"a condition is written name=value, for instance 'temperature=850 degC', found {text!r}")
    return name, value


def conditions_of_values(schema: ConditionSchema, values: Conditions | Mapping[str, float | str | None]) -> Conditions:
    """The conditions of name → value: a number in the unit of its condition, "850 degC", or a category.

    The name "steps", where no condition is called so, stands for the processing in words (`processing.parse_steps`).

    Raises:
        InputError: the model knows no such condition or word, or a value cannot be read.
    """
    if isinstance(values, Conditions):
        return values
    columns = {column.name: column for column in schema.columns}
    said = dict(values)
    steps = parse_steps(str(said.pop("steps") or "")) if "steps" in said and "steps" not in columns else ()
    found = {
        name: _quantity(columns[name], value) if name in columns and isinstance(value, str) and value else value
        for name, value in said.items()
    }
    return schema.conditions(found, steps)


def _quantity(column: ConditionColumn, text: str) -> float | str:
    if column.unit is None:
        return text
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise InputError(f"{column.name} is a number in {column.unit}, found {text!r}")
    return convert(float(found[1]), found[2] or column.unit, column.unit)
