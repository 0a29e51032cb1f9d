"""The evaluator: one protocol for every source of evidence, from a table to a quantum-mechanical calculation.

An evaluator is a small value that travels to the worker: what is heavy (weights, a table) is loaded where it runs,
by `prepare` or the first call. A failed calculation is a value too. Only misuse raises: a wrong table, a model that
does not exist.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol, final

from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.screening.potential import Failure, FailureKind
from matwright.serialization import hash_json


@final
class Fidelity(Enum):
    """What kind of evidence a number is, from the cheapest to the one that decides."""

    SURROGATE = "surrogate"
    POTENTIAL = "potential"
    DFT = "dft"
    EXPERIMENT = "experiment"

    @property
    def rank(self) -> int:
        """The place in the order from cheap to decisive, 0 for a surrogate."""
        return list(Fidelity).index(self)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One number that was found.

    Attributes:
        value: in `unit`; may be NaN or infinite only until `checked` has seen it.
        unit: for instance "GPa"; "1" for a pure number.
        std: standard deviation in `unit`, None where the evaluator gives none.
    """

    value: float
    unit: str
    std: float | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """There is no answer yet, and nothing failed: somebody will give it later.

    Attributes:
        waits_for: one clause, for instance "a value in hardness.csv".
    """

    waits_for: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What an evaluator says of one structure: values, or the failure or the waiting that stands in their place.

    Attributes:
        answer: quantity by name; or why there is none; or what it waits for.
        seconds: wall time of one computing thread that it took.
        crystal: the structure that the values belong to, where it is another than the one given (relaxed).
        blobs: larger results by name (a trajectory, a pattern), as bytes of a file; the suffix says what they are.
    """

    answer: Mapping[str, Quantity] | Failure | Pending
    seconds: float = 0.0
    crystal: Crystal | None = None
    blobs: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def values(self) -> Mapping[str, Quantity]:
        """The quantities found; empty where there are none."""
        return self.answer if isinstance(self.answer, Mapping) else {}

    @property
    def failure(self) -> Failure | None:
        """Why there are no values, None where there are or may still come."""
        return self.answer if isinstance(self.answer, Failure) else None


class Evaluator(Protocol):
    """A source of evidence. Everything that changes its answers is in name, version and settings."""

    @property
    def name(self) -> str:
        """The word in records and reports, for instance "chgnet-relaxation"."""
        ...

    @property
    def version(self) -> str:
        """Version of code, weights or table; another version is another evaluator."""
        ...

    @property
    def fidelity(self) -> Fidelity:
        """What kind of evidence it gives."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """What else its answers depend on, in the words of JSON."""
        ...

    @property
    def units(self) -> Mapping[str, str]:
        """Unit of each quantity that it may give, by name."""
        ...

    @property
    def batch_size(self) -> int:
        """Structures that one call takes at most; 1 where they gain nothing from company."""
        ...

    @property
    def cost(self) -> float:
        """CPU seconds that one structure is expected to take: what a budget counts before anything was measured."""
        ...

    def prepare(self) -> None:
        """Load what is heavy, once a process, so that its time is no structure's.

        Raises:
            InputError: the evaluator cannot be used (misuse).
        """
        ...

    def evaluate(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        """One evaluation a crystal, in their order.

        Raises:
            InputError: the evaluator itself cannot be used (misuse); never for what one structure does to it.
        """
        ...


def evaluator_hash(evaluator: Evaluator) -> str:
    """A hex digest of what determines an evaluator's answers: name, version, settings."""
    return hash_json({"name": evaluator.name, "version": evaluator.version, "settings": evaluator.settings})


def checked(evaluator: Evaluator, crystals: Sequence[Crystal]) -> list[Evaluation]:
    """Evaluate and hold the answers against what the evaluator promises; numbers that are not finite become failures.

    Raises:
        InputError: misuse, as the evaluator says, or because it gave the wrong number of answers, or a quantity or
            unit that it did not declare.
    """
    found = evaluator.evaluate(crystals)
    if len(found) != len(crystals):
        raise InputError(f"{evaluator.name} gave {len(found)} answers for {len(crystals)} structures")
    return [_finite(evaluator, one) for one in found]


def _finite(evaluator: Evaluator, evaluation: Evaluation) -> Evaluation:
    for name, quantity in evaluation.values.items():
        declared = evaluator.units.get(name)
        if quantity.unit != declared:
            raise InputError(f"{evaluator.name} gave {name} in {quantity.unit!r} but declares {declared!r}")
        numbers = [quantity.value] if quantity.std is None else [quantity.value, quantity.std]
        if not all(map(math.isfinite, numbers)):
            reason = f"{evaluator.name} gave a {name} that is not a finite number"
            failure = Failure(reason=reason, seconds=evaluation.seconds, kind=FailureKind.NOT_FINITE)
            return Evaluation(answer=failure, seconds=evaluation.seconds)
    return evaluation
