"""Goals against their definitions: merit, hits, the chance that demands hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matwright.campaign.evaluator import Quantity
from matwright.campaign.objective import Goal, Guess, best_merit
from matwright.errors import InputError
from matwright.materials.target import parse_target

STIFF = Goal(targets=(parse_target("bulk_modulus>=200 GPa"), parse_target("e_above_hull<=0.05 eV/atom")))
NUMBERS = st.integers(-300, 300).map(float)


def values(bulk: float, hull: float | None = None) -> dict[str, Quantity]:
    found = {"bulk_modulus": Quantity(value=bulk, unit="GPa")}
    return found if hull is None else {**found, "e_above_hull": Quantity(value=hull, unit="eV/atom")}


def test_a_hit_meets_every_demand_and_what_is_not_known_meets_none() -> None:
    assert STIFF.is_hit(values(210.0, 0.01))
    assert not STIFF.is_hit(values(190.0, 0.01))
    assert not STIFF.is_hit(values(210.0, 0.06))
    assert not STIFF.is_hit(values(210.0))
    assert STIFF.n_met(values(210.0)) == 1


def test_the_first_demand_leads_and_an_objective_before_it() -> None:
    assert (STIFF.leading.name, STIFF.bar()) == ("bulk_modulus", 200.0)
    soft = Goal(targets=(parse_target("e_above_hull<=0.05 eV/atom"), parse_target("minimise bulk_modulus")))
    assert (soft.leading.name, soft.bar(), soft.merit(values(30.0))) == ("bulk_modulus", None, -30.0)
    low = Goal(targets=(parse_target("bulk_modulus<=40 GPa"),))
    assert (low.bar(), low.merit(values(30.0))) == (-40.0, -30.0)
    near = Goal(targets=(parse_target("bulk_modulus=100±5 GPa"),))
    assert (near.bar(), near.merit(values(92.0))) == (-5.0, -8.0)


def test_only_what_meets_the_other_demands_is_the_best() -> None:
    assert best_merit(STIFF, [values(300.0, 0.2), values(150.0, 0.0), values(120.0, 0.0), values(400.0)]) == 150.0
    assert best_merit(STIFF, [values(300.0, 0.2)]) is None


@given(mean=NUMBERS, std=st.integers(1, 200).map(float))
def test_a_distance_from_a_value_has_the_moments_of_its_samples(mean: float, std: float) -> None:
    goal = Goal(targets=(parse_target("bulk_modulus=100±5 GPa"),))
    draws = mean + std * np.linspace(-8, 8, 40_001)
    weights = np.exp(-0.5 * ((draws - mean) / std) ** 2)
    distance = -np.abs(draws - 100.0)
    expected = np.average(distance, weights=weights)
    spread = np.sqrt(np.average((distance - expected) ** 2, weights=weights))
    found = goal.turned(Guess(mean=np.array([mean]), std=np.array([std])))
    assert found.mean[0] == pytest.approx(expected, rel=1e-6, abs=1e-3)
    assert found.std[0] == pytest.approx(spread, rel=1e-4, abs=1e-3)


def test_the_chance_of_the_other_demands() -> None:
    guess = Guess(mean=np.array([0.05, 0.0, 1.0]), std=np.array([0.01, 0.0, 0.01]))
    chance = STIFF.feasible({"e_above_hull": guess, "bulk_modulus": guess}, 3)
    assert chance == pytest.approx([0.5, 1.0, 0.0], abs=1e-9)
    assert STIFF.feasible({}, 3).tolist() == [1.0, 1.0, 1.0]


def test_a_goal_says_what_is_wrong() -> None:
    with pytest.raises(InputError, match="at least one target"):
        Goal(targets=())
    with pytest.raises(InputError, match="one objective, found"):
        Goal(targets=(parse_target("minimise e_above_hull"), parse_target("maximise bulk_modulus")))
