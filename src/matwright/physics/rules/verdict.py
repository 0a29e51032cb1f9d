"""An explained verdict: what a rule of the rule base found, against which limits, and whose rule it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import final


@final
class Outcome(StrEnum):
    """Whether the rule holds, is broken, or does not apply to the material (or cannot be judged)."""

    HOLDS = "holds"
    BROKEN = "broken"
    DOES_NOT_APPLY = "does not apply"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Where a rule comes from.

    Attributes:
        rule: name of the rule, for instance "goldschmidt_tolerance".
        title: the rule in a few words.
        text: citation.
        unit: of value and limits; "1" for a pure number.
    """

    rule: str
    title: str
    text: str
    unit: str = "1"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RuleVerdict:
    """What one rule found on one material.

    Attributes:
        reference: the rule.
        outcome: see `Outcome`.
        value: what was measured, in the unit of the reference; NaN where nothing could be measured.
        lower, upper: limits in that unit, both inclusive; None where the rule has no such limit.
        reason: one sentence that a reader understands without the code.
    """

    reference: Reference
    outcome: Outcome
    value: float
    lower: float | None
    upper: float | None
    reason: str

    @property
    def rule(self) -> str:
        """Name of the rule."""
        return self.reference.rule

    @property
    def applies(self) -> bool:
        """Whether the rule says anything about this material."""
        return self.outcome is not Outcome.DOES_NOT_APPLY

    @property
    def limit_text(self) -> str:
        """The limits as people write them, for instance "≤ 4.18" or "0.825 … 1.059"."""
        if self.lower is not None and self.upper is not None:
            return f"{self.lower:g} … {self.upper:g}"
        if self.lower is not None:
            return f"≥ {self.lower:g}"
        return "" if self.upper is None else f"≤ {self.upper:g}"


def judged(
    reference: Reference, value: float, reason: str, *, lower: float | None = None, upper: float | None = None
) -> RuleVerdict:
    """The verdict of a value against its limits."""
    inside = (lower is None or value >= lower) and (upper is None or value <= upper) and not math.isnan(value)
    outcome = Outcome.HOLDS if inside else Outcome.BROKEN
    return RuleVerdict(reference=reference, outcome=outcome, value=value, lower=lower, upper=upper, reason=reason)


def not_applicable(reference: Reference, reason: str, *, value: float = math.nan) -> RuleVerdict:
    """The verdict of a rule that says nothing about this material; `value` where it could be measured all the same."""
    return RuleVerdict(
        reference=reference, outcome=Outcome.DOES_NOT_APPLY, value=value, lower=None, upper=None, reason=reason
    )
