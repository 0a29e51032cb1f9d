"""The score: probabilities of known distributions, and the order it puts candidates in."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matwright.api.design.records import Measurement
from matwright.api.design.score import Belief, Pool, belief, chance, pool_of, score
from matwright.materials.target import parse_target

HARD = parse_target("bulk_modulus>=200 GPa")
GAP = parse_target("band_gap=1.5±0.3 eV")
LOW = parse_target("minimise e_above_hull")


def gpa(value: float, lower: float, upper: float) -> Measurement:
    return Measurement(name="bulk_modulus", value=value, unit="GPa", lower=lower, upper=upper, level=0.9)


def test_belief_reproduces_the_interval() -> None:
    believed = belief(gpa(210.0, 180.0, 260.0))
    assert believed.at_most(180.0) == pytest.approx(0.05, abs=1e-6)
    assert believed.at_most(260.0) == pytest.approx(0.95, abs=1e-6)
    assert believed.at_most(210.0) == pytest.approx(0.5)


def test_chance_of_a_bound_is_half_at_the_median() -> None:
    assert chance(HARD, belief(gpa(200.0, 170.0, 230.0))) == pytest.approx(0.5)
    assert chance(HARD, belief(gpa(230.0, 200.0, 300.0))) == pytest.approx(0.95, abs=1e-6)


def test_chance_of_a_window_is_what_lies_inside() -> None:
    inside = chance(GAP, Belief(median=1.5, below=0.3, above=0.3))
    assert inside == pytest.approx(math.erf(1 / math.sqrt(2)))


def test_certain_values_are_inside_or_outside() -> None:
    exact = Measurement(name="density", value=3.0, unit="g/cm^3")
    target = parse_target("density<=3 g/cm^3")
    assert chance(target, belief(exact)) == 1.0
    assert chance(parse_target("density<=2.9 g/cm^3"), belief(exact)) == 0.0


def test_objective_is_the_probability_of_beating_the_pool() -> None:
    pool = Pool(centre=0.3, spread=0.1)
    assert chance(LOW, Belief(median=0.3, below=0.05, above=0.05), pool) == pytest.approx(0.5)
    better = chance(LOW, Belief(median=0.1, below=0.05, above=0.05), pool)
    worse = chance(LOW, Belief(median=0.5, below=0.05, above=0.05), pool)
    assert better > 0.9
    assert worse < 0.1
    assert better + worse == pytest.approx(1.0)


def test_pool_of_normal_values_has_their_spread() -> None:
    pool = pool_of([float(value) for value in range(101)])
    assert pool.centre == 50.0
    assert pool.spread == pytest.approx(34.0)
    assert pool_of([]).spread == 0.0


def test_score_is_the_product_and_names_its_factors() -> None:
    found = score(
        [HARD, GAP],
        {"bulk_modulus": belief(gpa(200.0, 170.0, 230.0)), "band_gap": Belief(median=1.5, below=0.3, above=0.3)},
        {},
        Belief(median=0.1, below=0.05, above=0.05),
        0.1,
    )
    assert [name for name, _ in found.factors] == ["bulk_modulus", "band_gap", "stable"]
    assert found.value == pytest.approx(0.5 * math.erf(1 / math.sqrt(2)) * 0.5)


@given(
    median=st.integers(-50, 50),
    below=st.integers(0, 30),
    above=st.integers(0, 30),
    points=st.lists(st.integers(-200, 200), min_size=2, max_size=6),
)
def test_at_most_is_a_distribution(median: int, below: int, above: int, points: list[int]) -> None:
    believed = Belief(median=median / 10, below=below / 10, above=above / 10)
    values = [believed.at_most(point / 10) for point in sorted(points)]
    assert all(0.0 <= value <= 1.0 for value in values)
    assert values == sorted(values)
