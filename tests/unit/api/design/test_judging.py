"""Verdicts on what a model says of itself: only where the thresholds ask for them."""

from __future__ import annotations

import pytest

from matwright.api.design.judging import trust_verdicts
from matwright.screening.limits import HullLimits, SurrogateLimits
from matwright.screening.rung import Measurement
from matwright.screening.thresholds import Thresholds

SAID = (
    Measurement(name="e_above_hull", value=0.3, unit="eV/atom", lower=0.15, upper=0.45, level=0.9),
    Measurement(name="domain_score", value=0.97, unit="1"),
)


def test_nothing_is_asked_by_default() -> None:
    assert trust_verdicts(SAID, Thresholds()) == []


def test_the_domain_score_is_held_against_its_limit() -> None:
    (verdict,) = trust_verdicts(SAID, Thresholds(surrogate=SurrogateLimits(max_domain_score=0.9)))
    assert (verdict.rule, verdict.passed) == ("domain_score", False)
    assert verdict.residual == pytest.approx(0.07)


@pytest.mark.parametrize(("limit", "passed"), [(0.1, False), (0.2, True)])
def test_the_interval_of_the_predicted_hull_distance_must_reach_the_limit(limit: float, passed: bool) -> None:
    thresholds = Thresholds(surrogate=SurrogateLimits(hull_interval=True), hull=HullLimits(max_e_above_hull=limit))
    (verdict,) = trust_verdicts(SAID, thresholds)
    assert (verdict.rule, verdict.passed, verdict.threshold) == ("predicted_e_above_hull", passed, limit)
    assert verdict.residual == pytest.approx(0.0 if passed else 0.05)
