"""What a search of settings may choose, and a choice as the settings that training takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from matwright.api.hyperparameters import WHOLE, HyperParameters
from matwright.errors import InputError
from matwright.materials.properties import nearest_hint
from matwright.training.search import Range, Values

SPACE: Mapping[str, Range] = {
    one.name: one
    for one in (
        Range(name="learning_rate", low=5e-4, high=2e-2, logarithmic=True),
        Range(name="width", low=16, high=128, step=16),
        Range(name="layers", low=1, high=5, step=1),
        Range(name="dropout", low=0.0, high=0.3),
        Range(name="batch_size", low=16, high=256, step=1, logarithmic=True),
        Range(name="weight_decay", low=1e-5, high=1e-1, logarithmic=True),
    )
}
"""What is searched unless the user says otherwise."""


def ranges_named(texts: Sequence[str]) -> tuple[Range, ...]:
    """Return the space of the search with the ranges of "name=low:high" in the place of the usual ones.

    Raises:
        InputError: there is no such setting, or a text is not of this form.
    """
    found = dict(SPACE)
    for text in texts:
        name, _, ends = (part.strip() for part in text.partition("="))
        if name not in SPACE:
            raise InputError(f"there is no setting {name!r}{nearest_hint(name, SPACE)}; there are: {', '.join(SPACE)}")
        low, _, high = ends.partition(":")
        try:
            numbers = (float(low), float(high))
        except ValueError:
            raise InputError(f"a range is written name=low:high, for instance width=32:64, found {text!r}") from None
        usual = SPACE[name]
        step = 1 if usual.step and (numbers[0] % usual.step or numbers[1] % usual.step) else usual.step
        if usual.step and any(number % 1 or number < 1 for number in numbers):
            raise InputError(f"{name} is a whole number of at least 1, found {text!r}")
        found[name] = replace(usual, low=numbers[0], high=numbers[1], step=step)
    return tuple(found.values())


def typed(values: Values) -> HyperParameters:
    """The values of a trial as settings: whole numbers as such, others to 4 digits."""
    return HyperParameters.of(
        {name: int(value) if name in WHOLE else float(f"{value:.4g}") for name, value in values.items()}
    )
