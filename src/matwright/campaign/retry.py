"""Which failures are worth another try, how often, and after how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import final

from matwright.campaign.evaluator import Evaluation
from matwright.errors import InputError
from matwright.screening.potential import Failure, FailureKind

TRIES: Mapping[FailureKind, int] = MappingProxyType(
    {
        FailureKind.CALCULATION: 1,  # the same input gives the same failure
        FailureKind.REFUSED: 1,
        FailureKind.NOT_CONVERGED: 1,
        FailureKind.NOT_FINITE: 1,
        FailureKind.TIMED_OUT: 2,  # the machine may have been busy
        FailureKind.OUT_OF_MEMORY: 2,  # a fresh process has more
        FailureKind.CRASHED: 3,  # the machine may have been at fault
        FailureKind.POISON: 1,
    }
)
"""How often each kind of failure may happen to one structure before it is final."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When a failed evaluation is tried again.

    Attributes:
        tries: how often each kind may happen before it is final.
        first_delay: s before the second try; each further delay is twice the one before.
        longest_delay: s.
        ask_again: s between two looks for an answer that somebody outside has to give.
    """

    tries: Mapping[FailureKind, int] = field(default_factory=lambda: TRIES)
    first_delay: float = 5.0
    longest_delay: float = 600.0
    ask_again: float = 60.0

    def __post_init__(self) -> None:
        if set(self.tries) != set(FailureKind) or min(self.tries.values()) < 1:
            raise InputError("every kind of failure needs a number of tries of at least 1")
        if self.first_delay < 0 or self.longest_delay < self.first_delay:
            raise InputError("delays are at least 0 s, and the longest is no shorter than the first")
        if self.ask_again < 1:
            raise InputError(f"an answer is looked for at most once a second, found every {self.ask_again} s")

    def delay(self, failure: Failure, attempts: int) -> float | None:
        """Seconds until the next try after `attempts` tries, this one included; None where the failure is final."""
        if attempts >= self.tries[failure.kind]:
            return None
        return float(min(self.first_delay * 2.0 ** (attempts - 1), self.longest_delay))

    def final(self, evaluation: Evaluation, attempts: int) -> Evaluation:
        """The evaluation as it is recorded: what killed every process that tried is poison."""
        failure = evaluation.failure
        if failure is None or failure.kind is not FailureKind.CRASHED:
            return evaluation
        reason = f"killed its process {attempts} times: {failure.reason}"
        return replace(evaluation, answer=replace(failure, kind=FailureKind.POISON, reason=reason))
