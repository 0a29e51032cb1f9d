from __future__ import annotations

import math
from importlib.util import find_spec

import numpy as np
import pytest

from matwright.errors import InputError
from matwright.materials.composition import Composition
from matwright.materials.conditions import ConditionColumn
from matwright.models.baselines import (
    ClassicalKind,
    ClassicalRegressor,
    flat_conditions,
    flat_steps,
    magpie_features,
)

COLUMNS = (
    ConditionColumn(name="temperature", unit="K"),
    ConditionColumn(name="atmosphere", categories=("air", "argon", "vacuum")),
)


def test_a_number_keeps_its_value_and_says_when_it_is_missing() -> None:
    flat = flat_conditions(COLUMNS, np.array([[300.0, 1.0], [math.nan, math.nan]]))
    np.testing.assert_array_equal(flat, [[300.0, 0.0, 0.0, 1.0, 0.0], [math.nan, 1.0, 0.0, 0.0, 0.0]])


def test_more_values_than_columns_are_refused() -> None:
    with pytest.raises(InputError, match="2 condition columns"):
        flat_conditions(COLUMNS, np.zeros((4, 3)))


def test_steps_of_one_operation_stand_in_one_place_whatever_came_before() -> None:
    solution, age = (0.0, 1400.0, 2.0, math.nan, math.nan, 0.0), (1.0, 1000.0, 8.0, math.nan, math.nan, 1.0)
    flat = flat_steps([[solution, age], [age], []], n_operations=2, n_coolings=2)
    done, numbers = flat[:, :2], flat[:, 2:8].reshape(3, 2, 3)
    np.testing.assert_array_equal(done, [[1, 1], [0, 1], [0, 0]])
    np.testing.assert_array_equal(numbers[0, 1], numbers[1, 1])
    assert np.isnan(numbers[2]).all()
    np.testing.assert_array_equal(flat[:, 8:], [[1, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]])


def test_a_step_done_twice_takes_two_places() -> None:
    first, second = (0.0, 1400.0, 2.0, math.nan, math.nan, math.nan), (0.0, 1000.0, 8.0, math.nan, math.nan, math.nan)
    flat = flat_steps([[first, second]], n_operations=1, n_coolings=1)
    np.testing.assert_array_equal(flat[0, :5], [1, 1, 1400.0, 2.0, math.nan])


@pytest.mark.parametrize("kind", list(ClassicalKind))
@pytest.mark.skipif(find_spec("sklearn") is None, reason="needs the extra bench")
def test_it_learns_a_step_in_one_feature_and_bears_missing_and_constant_columns(kind: ClassicalKind) -> None:
    generator = np.random.default_rng(0)
    features = generator.uniform(size=(120, 4))
    features[:, 2] = math.nan
    features[:, 3] = 7.0
    features[::5, 1] = math.nan
    values = np.where(features[:, 0] > 0.5, 10.0, -10.0)
    regressor = ClassicalRegressor(kind=kind, trees=10)
    regressor.fit(features[:90], values[:90], [str(row // 3) for row in range(90)])
    errors = np.abs(regressor.predict(features[90:]) - values[90:])
    assert np.median(errors) < 2.0  # a guess of the mean errs by 10


def test_values_that_are_not_known_are_refused() -> None:
    with pytest.raises(InputError, match="finite values"):
        ClassicalRegressor(kind=ClassicalKind.RANDOM_FOREST).fit(np.zeros((2, 1)), np.array([1.0, math.nan]), "ab")


def test_a_regressor_that_learned_nothing_does_not_predict() -> None:
    with pytest.raises(InputError, match="fit the regressor"):
        ClassicalRegressor(kind=ClassicalKind.RANDOM_FOREST).predict(np.zeros((2, 1)))


@pytest.mark.skipif(find_spec("matminer") is None, reason="needs the extra bench")
@pytest.mark.slow  # importing matminer alone takes seconds
def test_magpie_features_follow_the_fractions_and_not_how_they_are_written() -> None:
    same = [Composition.from_formula(text) for text in ("NaCl", "Na2Cl2", "Na0.5Cl0.5")]
    other = Composition.from_formula("KCl")
    features = magpie_features([*same, other])
    assert features.shape == (4, 132)
    np.testing.assert_array_equal(features[0], features[1])
    np.testing.assert_array_equal(features[0], features[2])
    assert (features[3] != features[0]).any()
    assert features[0, 0] == 11  # least atomic number
    assert features[0, 3] == pytest.approx(14.0)  # mean atomic number
