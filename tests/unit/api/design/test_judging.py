"""Verdicts of a design run: rules, and what a model says of itself where the thresholds ask for it."""

from __future__ import annotations

import numpy as np
import pytest

from matwright.api.design.judging import rules_rung, trust_verdicts
from matwright.materials.crystal import Crystal
from matwright.materials.target import parse_target
from matwright.screening.limits import ChemistryLimits, HullLimits, SurrogateLimits
from matwright.screening.rung import Measurement
from matwright.screening.thresholds import Thresholds

SAID = (
    Measurement(name="e_above_hull", value=0.3, unit="eV/atom", lower=0.15, upper=0.45, level=0.9),
    Measurement(name="domain_score", value=0.97, unit="1"),
)


def _salt(*numbers: int) -> Crystal:
    places = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
    return Crystal(lattice=4.1 * np.eye(3), frac_coords=places, numbers=np.array(numbers))


@pytest.mark.parametrize(
    ("target", "limits", "asked"),
    [
        ("band_gap>=1 eV", ChemistryLimits(), True),
        ("band_gap>=1 eV", ChemistryLimits(rule_base=("usual_valence",)), True),
        ("band_gap>=1 eV", ChemistryLimits(valence_of_gap=False), False),
        ("band_gap<=1 eV", ChemistryLimits(), False),
        ("bulk_modulus>=100 GPa", ChemistryLimits(), False),
    ],
)
def test_a_gap_asks_for_usual_oxidation_states(target: str, limits: ChemistryLimits, *, asked: bool) -> None:
    """YSe is neutral with Y2+, which does not occur; CdSe is what it should be."""
    thresholds = Thresholds(chemistry=limits)
    good, bad = (rules_rung(_salt(metal, 34), thresholds, [parse_target(target)]) for metal in (48, 39))
    assert good.passed
    assert bad.passed is not asked
    assert [one.rule for one in bad.verdicts].count("usual_valence") == int(asked)


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
