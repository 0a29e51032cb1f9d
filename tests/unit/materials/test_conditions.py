"""The schema of conditions, and processing steps as values and as text."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matwright.errors import InputError
from matwright.materials.conditions import ConditionColumn, Conditions, ConditionSchema
from matwright.materials.processing import ProcessStep, StepVocabulary, describe_steps, parse_steps, step_of_mapping

TEMPERATURE = ConditionColumn(name="temperature", unit="degC")
ATMOSPHERE = ConditionColumn(name="atmosphere", categories=("air", "argon"))
WORDS = StepVocabulary(operations=("age", "solution"), atmospheres=("argon",), coolings=("air", "furnace"))
SCHEMA = ConditionSchema(columns=(TEMPERATURE, ATMOSPHERE), steps=WORDS)
AGED = ProcessStep(operation="age", temperature=1123.15, time=24.0, cooling="furnace")


def test_a_schema_writes_conditions_as_numbers_whatever_their_unit_and_order() -> None:
    kelvin = ConditionColumn(name="temperature", unit="K")
    given = Conditions(columns=(ATMOSPHERE, kelvin), values=("argon", 1123.15), steps=(AGED,))
    assert SCHEMA.encode(given) == pytest.approx((850.0, 1.0))
    (step,) = SCHEMA.encode_steps(given)
    assert step[:3] == (0.0, 1123.15, 24.0)
    assert math.isnan(step[3])
    assert math.isnan(step[4])
    assert step[5] == 1.0
    assert WORDS.decode(step) == AGED
    assert all(math.isnan(value) for value in SCHEMA.encode(SCHEMA.unknown))
    assert SCHEMA.conditions({"temperature": 0.0}).values == (0.0, None)


def test_a_schema_survives_json() -> None:
    for schema in (SCHEMA, ConditionSchema(columns=(TEMPERATURE,)), ConditionSchema(steps=WORDS)):
        assert ConditionSchema.from_dict(json.loads(json.dumps(schema.as_dict()))) == schema
    with pytest.raises(InputError, match="cannot be read"):
        ConditionSchema.from_dict({"columns": [{"name": "x"}], "steps": None})


def test_a_schema_refuses_what_it_does_not_know() -> None:
    other = ConditionColumn(name="atmosphere", categories=("steam",))
    for call, says in [
        (lambda: SCHEMA.conditions({"temprature": 1.0}), "did you mean 'temperature'"),
        (lambda: SCHEMA.conditions({"atmosphere": "argo"}), "did you mean 'argon'"),
        (lambda: SCHEMA.conditions({"temperature": "hot"}), "number in degC"),
        (
            lambda: SCHEMA.conditions({}, [ProcessStep(operation="sinter")]),
            "'sinter' of a processing step is not known",
        ),
        (lambda: SCHEMA.encode(Conditions(columns=(other,), values=("steam",))), "one of air, argon"),
        (lambda: ConditionSchema(columns=(TEMPERATURE,)).conditions({}, [AGED]), "none belong"),
        (ConditionSchema, "at least one"),
        (lambda: ConditionSchema(columns=(TEMPERATURE, TEMPERATURE)), "twice"),
        (lambda: StepVocabulary(operations=("age", "age")), "twice"),
    ]:
        with pytest.raises(InputError, match=says):
            call()


def test_steps_are_part_of_the_conditions() -> None:
    bare = Conditions(columns=(TEMPERATURE,), values=(20.0,))
    first = ProcessStep(operation="solution", temperature=1400.0)
    forward = Conditions(columns=(TEMPERATURE,), values=(20.0,), steps=(first, AGED))
    backward = Conditions(columns=(TEMPERATURE,), values=(20.0,), steps=(AGED, first))
    assert len({bare.content_hash(), forward.content_hash(), backward.content_hash()}) == 3


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", ()),
        (
            "Solution 1150 degC 4 h air > age 850 °C 24 h, furnace",
            (
                ProcessStep(operation="solution", temperature=1423.15, time=4.0, cooling="air"),
                ProcessStep(operation="age", temperature=1123.15, time=24.0, cooling="furnace"),
            ),
        ),
        (
            "hot pressing 1200C 90 min 150 MPa in argon; quench, oil",
            (
                ProcessStep(
                    operation="hot pressing", temperature=1473.15, time=1.5, pressure=150.0, atmosphere="argon"
                ),
                ProcessStep(operation="quench", cooling="oil"),
            ),
        ),
        ("anneal 2 days 700 K in forming gas, slow",
         (ProcessStep(operation="anneal", temperature=700.0, time=48.0, atmosphere="forming gas", cooling="slow"),)),
        ("4 h 900 K", (ProcessStep(temperature=900.0, time=4.0),)),
    ],
)  # fmt: skip
def test_steps_are_read_from_text(text: str, steps: tuple[ProcessStep, ...]) -> None:
    found = parse_steps(text)
    assert [step.operation for step in found] == [step.operation for step in steps]
    for step, expected in zip(found, steps, strict=True):
        assert (step.atmosphere, step.cooling) == (expected.atmosphere, expected.cooling)
        for name in ("temperature", "time", "pressure"):
            assert getattr(step, name) == pytest.approx(getattr(expected, name)), name


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("age 850 degC > > age 4 h", "empty step"),
        ("age 850", "without a unit"),
        ("age 1100-1150 degC", "without a unit"),
        ("age 850 degC 900 K", "two values for its temperature"),
        ("age 850 degC air, water", "two words for its cooling"),
        ("age 0 K", "not possible"),
    ],
)
def test_steps_that_cannot_be_read_are_refused(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_steps(text)


def test_steps_are_read_from_json() -> None:
    found = step_of_mapping({"operation": "Age ", "temperature": "850 degC", "time": 24, "cooling": None})
    assert found.operation == "age"
    assert found.temperature == pytest.approx(1123.15)
    assert (found.time, found.cooling) == (24.0, None)
    for values, says in [
        ({"temp": 1}, "did you mean 'temperature'"),
        ({"time": "850 degC"}, "write for instance"),
        ({"time": [1]}, "neither a number nor a text"),
        ({"time": -1}, "not possible"),
    ]:
        with pytest.raises(InputError, match=says):
            step_of_mapping(values)


def test_hard_to_believe_is_not_impossible() -> None:
    assert AGED.doubts() == {}
    assert AGED.believed() == AGED
    hot = ProcessStep(operation="age", temperature=2273.15)
    assert hot.doubts() == {"temperature": "a temperature of 2273.15 K is outside 20..1773.15"}
    assert hot.believed() == ProcessStep(operation="age")
    assert ProcessStep(time=20_000.0, pressure=1e6).doubts()["pressure"].startswith("a pressure of 1e+06 MPa")
    assert ProcessStep().is_empty
    assert not AGED.is_empty


@given(
    st.builds(
        ProcessStep,
        operation=st.sampled_from((None, "age", "solution")),
        temperature=st.none() | st.floats(1.0, 3000.0, allow_subnormal=False),
        time=st.none() | st.floats(0.0, 1000.0, allow_subnormal=False),
        atmosphere=st.sampled_from((None, "argon")),
        pressure=st.none() | st.floats(0.0, 1000.0, allow_subnormal=False),
        cooling=st.sampled_from((None, "air", "furnace")),
    )
)
def test_a_step_comes_back_from_its_numbers(step: ProcessStep) -> None:
    assert WORDS.decode(WORDS.encode(step)) == step
    assert StepVocabulary.of([step]).decode(StepVocabulary.of([step]).encode(step)) == step


_WORD = st.sampled_from(["age", "hot roll", "air cooled"])


@given(
    st.lists(
        st.builds(
            ProcessStep,
            operation=st.none() | _WORD,
            temperature=st.none() | st.integers(1, 2000).map(lambda kelvin: kelvin + 0.25),
            time=st.none() | st.integers(0, 100).map(float),
            atmosphere=st.none() | _WORD,
            pressure=st.none() | st.just(0.1),
            cooling=st.none() | _WORD,
        ),
        max_size=3,
    )
)
def test_steps_that_are_described_are_read_back(steps: list[ProcessStep]) -> None:
    known = tuple(step for step in steps if not step.is_empty)
    assert parse_steps(describe_steps(known)) == known
