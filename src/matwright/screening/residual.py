"""The total residual of a candidate over its rules (E32)."""

from __future__ import annotations

from collections.abc import Iterable

from matwright.screening.limits import ResidualLimits
from matwright.screening.verdict import Verdict

STRICT = ResidualLimits()
"""ε = 0 and every weight 1: whoever breaks one rule is rejected."""


def residual_total(verdicts: Iterable[Verdict], limits: ResidualLimits = STRICT) -> float:
    """Σ w_j r_j (E32), each residual r_j in units of the size of its threshold (in its own unit where that is 0).

    0 when every rule of weight above 0 holds; infinite when one of them could not be measured.
    """
    weighted = ((verdict, limits.weight(verdict.rule)) for verdict in verdicts)
    return sum(weight * _scaled(verdict) for verdict, weight in weighted if weight > 0)


def culprit(verdicts: Iterable[Verdict], limits: ResidualLimits = STRICT) -> Verdict | None:
    """The first verdict with which the total exceeds ε; None when it stays within."""
    total = 0.0
    for verdict in verdicts:
        total += residual_total([verdict], limits)
        if total > limits.epsilon:
            return verdict
    return None


def _scaled(verdict: Verdict) -> float:
    size = abs(verdict.threshold)
    return verdict.residual / size if size > 0 else verdict.residual
