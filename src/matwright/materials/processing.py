"""Processing: what was done to a material, as an ordered sequence of steps of any length (part of C in E1)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self, final

from matwright.errors import InputError
from matwright.materials.properties import nearest_hint
from matwright.units import convert, parse_unit

STEP_UNITS: Mapping[str, str] = {"temperature": "K", "time": "h", "pressure": "MPa"}
"""The unit of each number of a step."""

STEP_WORDS: Mapping[str, str] = {"operation": "operations", "atmosphere": "atmospheres", "cooling": "coolings"}
"""Word of a step → field of `StepVocabulary`."""

PLAUSIBLE: Mapping[str, tuple[float, float]] = {
    "temperature": (20.0, 1773.15),
    "time": (0.0, 10_000.0),
    "pressure": (0.0, 10_000.0),
}
"""K, h and MPa beyond which a step of a solid's processing is more likely a slip of the pen than a fact."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStep:
    """One step of processing; what is not known is None, which is not zero.

    Attributes:
        operation: what is done, for instance "anneal"; words are kept in lower case.
        temperature: K.
        time: h.
        atmosphere: for instance "argon".
        pressure: MPa.
        cooling: how it is cooled afterwards, for instance "water".

    Raises:
        InputError: at construction, when a number is not finite, below zero, or a temperature not above 0 K.
    """

    operation: str | None = None
    temperature: float | None = None
    time: float | None = None
    atmosphere: str | None = None
    pressure: float | None = None
    cooling: str | None = None

    def __post_init__(self) -> None:
        for name in STEP_WORDS:
            word = getattr(self, name)
            object.__setattr__(self, name, None if word is None else " ".join(word.lower().split()) or None)
        for name, unit in STEP_UNITS.items():
            value = getattr(self, name)
            if value is None or (isinstance(value, float) and math.isnan(value)):
                object.__setattr__(self, name, None)
                continue
            if not math.isfinite(value) or value < 0 or (name == "temperature" and value == 0):
                raise InputError(f"the {name} of a processing step is {value:g} {unit}, which is not possible")
            object.__setattr__(self, name, float(value))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of it."""
        return all(value is None for value in asdict(self).values())

    def doubts(self) -> dict[str, str]:
        """Field → why its number is possible but hard to believe (see `PLAUSIBLE`)."""
        found = {}
        for name, (lower, upper) in PLAUSIBLE.items():
            value = getattr(self, name)
            if value is not None and not lower <= value <= upper:
                found[name] = f"a {name} of {value:.6g} {STEP_UNITS[name]} is outside {lower:g}..{upper:g}"
        return found

    def believed(self) -> ProcessStep:
        """The step without the numbers that are hard to believe."""
        return replace(self, **dict.fromkeys(self.doubts()))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StepVocabulary:
    """The words that a data set uses for its steps; a word's code is its place.

    Raises:
        InputError: at construction, when a word stands twice.
    """

    operations: tuple[str, ...] = ()
    atmospheres: tuple[str, ...] = ()
    coolings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in STEP_WORDS.values():
            words = getattr(self, name)
            if len(set(words)) != len(words):
                raise InputError(f"a word stands twice among the {name}: {', '.join(words)}")

    @classmethod
    def of(cls, steps: Iterable[ProcessStep]) -> Self:
        """The words of some steps, in alphabetical order."""
        seen: dict[str, set[str]] = {name: set() for name in STEP_WORDS}
        for step in steps:
            for name, words in seen.items():
                word = getattr(step, name)
                if word is not None:
                    words.add(word)
        return cls(**{STEP_WORDS[name]: tuple(sorted(words)) for name, words in seen.items()})

    def encode(self, step: ProcessStep) -> tuple[float, ...]:
        """(operation, K, h, atmosphere, MPa, cooling) as numbers, words by their code, NaN where missing.

        Raises:
            InputError: a word is not of the vocabulary.
        """
        return tuple(self._number(field.name, getattr(step, field.name)) for field in fields(ProcessStep))

    def _number(self, name: str, value: float | str | None) -> float:
        if value is None:
            return math.nan
        if not isinstance(value, str):
            return value
        known: tuple[str, ...] = getattr(self, STEP_WORDS[name])
        if value not in known:
            allowed = f"{nearest_hint(value, known)}; known: {', '.join(known)}" if known else "; none is known"
            raise InputError(f"the {name} {value!r} of a processing step is not known{allowed}")
        return float(known.index(value))

    def decode(self, numbers: Iterable[float]) -> ProcessStep:
        """The step that `encode` gave these numbers for."""
        values: dict[str, Any] = {}
        for field, number in zip(fields(ProcessStep), numbers, strict=True):
            if math.isnan(number):
                continue
            name = field.name
            values[name] = getattr(self, STEP_WORDS[name])[int(number)] if name in STEP_WORDS else float(number)
        return ProcessStep(**values)


_NUMBER = r"(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"
_QUANTITY = re.compile(
    rf"(?<![\w.])(?P<number>{_NUMBER})\s*(?P<unit>degC|degF|°C|°F|C|F|K|h|hr|hours?|min|s|days?|[kMG]?Pa|k?bar|atm)(?!\w)"
)
_LONE_NUMBER = re.compile(rf"(?<!\w){_NUMBER}(?!\w)")
_UNIT_WORDS = {"C": "degC", "F": "degF", "days": "day"}
_SEPARATOR = re.compile(r">|→|;")


def parse_steps(text: str) -> tuple[ProcessStep, ...]:
    """The steps of "solution 1150 degC 4 h in argon, water > age 850 degC 24 h, air".

    Steps are separated by ">". Each starts with its operation, then come quantities in any order, "in" with the
    atmosphere, and last, after a quantity or a comma, the word for cooling. A text without anything is no steps.

    Raises:
        InputError: a number has no unit, a quantity stands twice, or a step cannot be read.
    """
    parts = [part.strip() for part in _SEPARATOR.split(text)]
    if not any(parts):
        return ()
    if not all(parts):
        raise InputError(f"the processing {text.strip()[:60]!r} has an empty step")
    return tuple(_parse_step(part) for part in parts)


def _parse_step(text: str) -> ProcessStep:
    values: dict[str, Any] = {}
    for found in _QUANTITY.finditer(text):
        unit = _UNIT_WORDS.get(found["unit"], found["unit"])
        name = next(key for key, own in STEP_UNITS.items() if parse_unit(own).dimension == parse_unit(unit).dimension)
        if name in values:
            raise InputError(f"the processing step {text!r} has two values for its {name}")
        values[name] = convert(float(found["number"]), unit, STEP_UNITS[name])
    phrases = [phrase.strip(" .") for phrase in _QUANTITY.sub(",", text).split(",")]
    for place, phrase in enumerate(phrases):
        if _LONE_NUMBER.search(phrase):
            raise InputError(f"the processing step {text!r} has a number without a unit of temperature, time, pressure")
        if phrase:
            name = "operation" if place == 0 else "atmosphere" if phrase.lower().startswith("in ") else "cooling"
            if name in values:
                raise InputError(f"the processing step {text!r} has two words for its {name}")
            values[name] = phrase[3:] if name == "atmosphere" else phrase
    return ProcessStep(**values)


def describe_steps(steps: Iterable[ProcessStep]) -> str:
    """Text that `parse_steps` reads back: temperatures in K, times in h, pressures in MPa, to ten digits."""
    return " > ".join(map(_describe_step, steps))


def _describe_step(step: ProcessStep) -> str:
    numbers = [
        f"{value:.10g} {unit}" for name, unit in STEP_UNITS.items() if (value := getattr(step, name)) is not None
    ]
    atmosphere = None if step.atmosphere is None else f"in {step.atmosphere}"
    words = " ".join([*([step.operation] if step.operation else []), *numbers])
    return ", ".join([words, *(word for word in (atmosphere, step.cooling) if word is not None)])


def step_of_mapping(values: Mapping[str, Any]) -> ProcessStep:
    """The step of JSON: {"operation": "age", "temperature": "850 degC", "time": 24}; bare numbers in K, h and MPa.

    Raises:
        InputError: a field is unknown or its value does not fit.
    """
    known = [field.name for field in fields(ProcessStep)]
    given: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            hint = nearest_hint(name, known)
            raise InputError(f"a processing step has no field {name!r}{hint}; it has: {', '.join(known)}")
        if value is None or value == "":
            continue
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise InputError(f"the {name} of a processing step is {value!r}, which is neither a number nor a text")
        given[name] = str(value) if name in STEP_WORDS else _in_unit(name, value)
    return ProcessStep(**given)


def _in_unit(name: str, value: float | str) -> float:
    if not isinstance(value, str):
        return float(value)
    from_text = parse_steps(value)
    number = getattr(from_text[0], name) if len(from_text) == 1 else None
    if number is None:
        raise InputError(
            f"the {name} of a processing step is {value!r}; write for instance '850 degC', '4 h', '100 MPa'"
        )
    return float(number)
