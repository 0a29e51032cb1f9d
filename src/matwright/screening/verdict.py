"""The verdict: what one rule measured on one candidate, against which threshold, and why it passed or not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One rung's answer for one candidate.

    Attributes:
        rule: name of the rule, for instance "min_distance"; the same word in thresholds, tables and reports.
        residual: how far beyond the threshold the candidate lies, in `unit`; 0 where it passes (E32: r_j(S; ρ)).
        threshold: the limit the value was held against, in `unit`.
        passed: whether the candidate goes on.
        reason: one clause a reader understands without the code.
        seconds: wall time the rule took for this candidate.
        value: what was measured, in `unit`; NaN where the rule could not measure.
        unit: unit of residual, value and threshold; "1" for a pure number.
    """

    rule: str
    residual: float
    threshold: float
    passed: bool
    reason: str
    seconds: float = 0.0
    value: float = math.nan
    unit: str = "1"
