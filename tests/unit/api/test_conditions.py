"""Words that a model was trained on, ranges that it has seen, and what users say of conditions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from matwright.api.condition_ranges import RangeWatch, condition_facts, describe_conditions
from matwright.api.conditions import (
    coded_by,
    conditions_of_models,
    conditions_of_values,
    conditions_of_words,
    trained_schema,
)
from matwright.errors import InputError
from matwright.graphs.builder import build_graph
from matwright.graphs.ragged import Labels
from matwright.graphs.store import GraphStore, pack
from matwright.materials.composition import Composition
from matwright.materials.conditions import ConditionColumn, ConditionSchema, StepVocabulary
from matwright.materials.processing import ProcessStep

NAN = math.nan
SCHEMA = ConditionSchema(
    columns=(
        ConditionColumn(name="temperature", unit="degC"),
        ConditionColumn(name="route", categories=("cast", "milled", "powder")),
    ),
    steps=StepVocabulary(operations=("age", "roll", "sinter"), coolings=("water",)),
)
CONDITIONS = np.array([[20.0, 0.0], [900.0, 2.0], [500.0, 1.0], [NAN, NAN]])
STEPS = [
    [(0.0, 1000.0, 4.0, NAN, NAN, 0.0)],
    [(2.0, 1200.0, NAN, NAN, NAN, NAN), (0.0, 900.0, 8.0, NAN, NAN, NAN)],
    [(1.0, 500.0, 1.0, NAN, NAN, NAN)],
    [],
]
TRAIN = np.array([0, 1])


def store() -> GraphStore:
    graph = build_graph(Composition.from_formula("NiAl"))
    labels = Labels.of_conditions(CONDITIONS, np.ones((4, 1)), STEPS)
    return pack([graph] * 4, labels=labels, target_names=["y"], condition_names=SCHEMA.names)


def test_a_word_without_an_example_in_the_training_part_counts_as_missing() -> None:
    known = trained_schema(SCHEMA, store(), TRAIN)
    assert known.columns[1].categories == ("cast", "powder")
    assert known.steps == StepVocabulary(operations=("age", "sinter"), coolings=("water",))
    coded = coded_by(store(), SCHEMA, known)
    np.testing.assert_array_equal(coded.conditions[:, 1], [0.0, 1.0, NAN, NAN])
    np.testing.assert_array_equal(coded.conditions[:, 0], CONDITIONS[:, 0])
    np.testing.assert_array_equal(coded.steps[:, 0], [0.0, 1.0, 0.0, NAN])
    np.testing.assert_array_equal(coded.batch([2, 1]).steps.numpy()[:, 0], [NAN, 1.0, 0.0])
    assert coded_by(coded, known, known) is coded
    whole = trained_schema(SCHEMA, store(), np.arange(4))
    assert whole == SCHEMA


def test_facts_say_what_was_seen() -> None:
    known = trained_schema(SCHEMA, store(), TRAIN)
    facts = condition_facts(known, coded_by(store(), SCHEMA, known), TRAIN)
    assert facts["temperature"] == {"unit": "degC", "range": [20.0, 900.0], "missing": 0.0}
    assert facts["route"]["categories"] == {"cast": 1, "powder": 1}
    steps = facts["processing steps"]
    assert (steps["longest"], steps["without"]) == (2, 0.0)
    assert steps["time"] == {"unit": "h", "range": [4.0, 8.0], "missing": pytest.approx(1 / 3)}
    assert steps["pressure"]["range"] is None
    text = "\n".join(describe_conditions(facts))
    for words in ("temperature: 20 to 900 degC", "cast (1), powder (1)", "up to 2 in order", "age (2), sinter (1)"):
        assert words in text
    assert condition_facts(None, store(), TRAIN) == {}


def test_a_watch_warns_outside_of_what_was_seen() -> None:
    known = trained_schema(SCHEMA, store(), TRAIN)
    facts = condition_facts(known, coded_by(store(), SCHEMA, known), TRAIN)
    watch = RangeWatch(known, facts)
    watch.see((900.0, 0.0), STEPS[0])
    assert watch.sentences() == []
    watch.see((950.0, 0.0), [(0.0, 3000.0, 4.0, NAN, NAN, NAN)] * 2)
    watch.see((NAN, NAN), [])
    assert watch.sentences() == [
        "temperature lies outside of the 20 to 900 degC of the training data (for 1 of 3 materials)",
        "temperature of a processing step lies outside of the 900 to 1200 K of the training data (for 1 of 3 "
        "materials)",
        "temperature is not known, but was for all of the training data (for 1 of 3 materials)",
        "route is not known, but was for all of the training data (for 1 of 3 materials)",
    ]
    nothing = RangeWatch(None, {})
    nothing.see((), [])
    assert nothing.sentences() == []


def test_a_watch_warns_of_materials_unlike_the_training_data() -> None:
    watch = RangeWatch(None, {})
    watch.judge(np.array([0.2, NAN]))
    assert watch.sentences() == []
    watch.judge(np.array([0.95, 0.3, 0.99]))
    assert watch.sentences() == ["2 of 5 materials are unlike the training data (domain score of at least 0.95)"]
    alone = RangeWatch(None, {})
    alone.judge(np.array([1.0]))
    assert alone.sentences() == ["the material is unlike the training data (domain score of at least 0.95)"]


def test_conditions_in_words() -> None:
    said = conditions_of_words(SCHEMA, ["temperature = 1112 degF", "route=cast"], "age 850 degC 4 h")
    assert said is not None
    assert said.number("temperature", "degC") == pytest.approx(600.0)
    assert said.category("route") == "cast"
    assert said.steps == (ProcessStep(operation="age", temperature=1123.15, time=4.0),)
    assert conditions_of_words(SCHEMA, ["temperature = 1112 degF", "route=cast", "steps=age 850 degC 4 h"]) == said
    bare = conditions_of_words(SCHEMA, ["temperature=-5.5"])
    assert bare is not None
    assert bare.number("temperature", "degC") == -5.5
    assert conditions_of_words(SCHEMA, []) is None
    values = conditions_of_values(SCHEMA, {"temperature": "300 K", "route": None})
    assert values.number("temperature", "degC") == pytest.approx(26.85)
    assert conditions_of_values(SCHEMA, values) is values
    assert conditions_of_values(SCHEMA, {"route": "cast", "steps": "roll 500 K"}).steps == (
        ProcessStep(operation="roll", temperature=500.0),
    )


@pytest.mark.parametrize(
    ("said", "steps", "says"),
    [
        (["temperature"], None, "name=value"),
        (["temp=3"], None, "did you mean 'temperature'"),
        (["temperature=3 GPa"], None, "different things"),
        (["temperature=hot"], None, "number in degC"),
        (["temperature=3", "temperature=4"], None, "twice"),
        (["route=forged"], None, "one of cast, milled, powder"),
        ([], "forge 800 K", "'forge' of a processing step is not known"),
        (["steps=age 850 K"], "age 850 K", "steps are given twice"),
        (["steps=age 850 K", "steps=age 900 K"], None, "steps are given twice"),
    ],
)
def test_conditions_that_make_no_sense_are_refused(said: list[str], steps: str | None, says: str) -> None:
    with pytest.raises(InputError, match=says):
        conditions_of_words(SCHEMA, said, steps)
    with pytest.raises(InputError, match="knows no conditions"):
        conditions_of_words(None, ["x=1"])


KELVIN = ConditionSchema(columns=(ConditionColumn(name="temperature", unit="K"),))


def test_each_condition_goes_to_the_models_that_know_it() -> None:
    schemas = {"alloys": SCHEMA, "heat": KELVIN, "plain": None}
    found = conditions_of_models(schemas, ["temperature = 300 degC", "route=powder"])
    alloys, heat = found["alloys"], found["heat"]
    assert alloys is not None
    assert heat is not None
    assert (alloys.number("temperature", "degC"), alloys.category("route")) == (300.0, "powder")
    assert heat.number("temperature", "K") == pytest.approx(573.15)
    assert found["plain"] is None
    only_alloys = conditions_of_models(schemas, ["route=cast"])
    assert only_alloys["heat"] is only_alloys["plain"] is None
    aged = conditions_of_models(schemas, ["temperature=300 K", "steps=age 850 degC 4 h > age 700 K"])
    assert aged["alloys"] is not None
    assert [step.temperature for step in aged["alloys"].steps] == [1123.15, 700.0]
    assert aged["heat"] == KELVIN.conditions({"temperature": 300.0})
    assert conditions_of_models(schemas, []) == dict.fromkeys(schemas)


def test_a_condition_of_the_name_steps_is_what_its_column_says() -> None:
    counted = ConditionSchema(columns=(ConditionColumn(name="steps", unit="1"),), steps=SCHEMA.steps)
    found = conditions_of_models({"counted": counted}, ["steps=3"])["counted"]
    assert found is not None
    assert (found.number("steps", "1"), found.steps) == (3.0, ())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (["pressure=3 MPa"], "no model here knows a condition 'pressure' (heat knows temperature; plain knows none)"),
        (["steps=age 3 K"], "no model here knows processing steps (heat knows temperature; plain knows none)"),
        (["temprature=3 K"], "did you mean 'temperature'?"),
        (["temperature"], "is written name=value"),
        (["temperature=hot"], "a number in K"),
        (["temperature=300 K", "temperature=400 K"], "given twice"),
    ],
)
def test_conditions_that_no_model_understands(said: list[str], words: str) -> None:
    with pytest.raises(InputError) as refused:
        conditions_of_models({"heat": KELVIN, "plain": None}, said)
    assert words in str(refused.value)
