"""Classical baselines: random forest and gradient boosting on Magpie features and raw conditions.

Composition features are matminer's `ElementProperty` with the preset "magpie": minimum, maximum, range, mean, mean
deviation and mode of 22 element properties (L. Ward et al., npj Comput. Mater. 2, 16028 (2016)).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.elements import SYMBOLS
from matwright.errors import InputError
from matwright.materials.composition import Composition
from matwright.materials.conditions import ConditionColumn

TREES = 100
"""More gain nothing: on five folds of superalloys 152.0, 153.1 and 153.0 MPa with 500, 200 and 100 trees."""

TUNING_SHARE = 0.2
STEP_NUMBERS = (1, 2, 4)
"""Places of temperature, time and pressure in a step's row."""

FloatArray = NDArray[np.float64]


@final
class ClassicalKind(StrEnum):
    """RANDOM_FOREST: Breiman's forest. GRADIENT_BOOSTING: boosted trees on binned features."""

    RANDOM_FOREST = "random_forest"
    GRADIENT_BOOSTING = "gradient_boosting"


def magpie_features(compositions: Sequence[Composition]) -> FloatArray:
    """(n, 132) Magpie features, NaN where a property of an element is not known; equal compositions computed once."""
    # heavy: behind their door
    from matminer.featurizers.composition import ElementProperty
    from pymatgen.core.composition import Composition as PymatgenComposition

    featurizer = ElementProperty.from_preset("magpie", impute_nan=False)
    known: dict[tuple[tuple[int, float], ...], list[float]] = {}
    for composition in compositions:
        if composition.fractions not in known:
            amounts = {SYMBOLS[number]: share for number, share in composition.fractions}
            known[composition.fractions] = featurizer.featurize(PymatgenComposition(amounts))
    return np.array([known[composition.fractions] for composition in compositions], dtype=np.float64)


def flat_conditions(columns: Sequence[ConditionColumn], values: FloatArray) -> FloatArray:
    """(n, n_flat) conditions as a tree likes them: numbers with a missing indicator, categories one-hot.

    Args:
        columns: the condition columns.
        values: (n, n_columns) numbers, or codes of categories; NaN where missing.

    Raises:
        InputError: there are more or fewer columns than values.
    """
    if values.shape[1:] != (len(columns),):
        raise InputError(f"{len(columns)} condition columns need as many values a row, found {values.shape[1:]}")
    flat = [np.empty((len(values), 0))]
    for column, given in zip(columns, values.T, strict=True):
        if column.is_number:
            flat.append(np.stack([given, np.isnan(given)], axis=1))
        else:
            flat.append(one_hot(given, len(column.categories)))
    return np.concatenate(flat, axis=1)


def flat_steps(steps: Sequence[Sequence[Sequence[float]]], *, n_operations: int, n_coolings: int) -> FloatArray:
    """(n, n_flat) processing steps laid flat: the k-th step of each operation has places of its own.

    A place holds whether the step was done, temperature, time, pressure (NaN where not done or not known) and the
    cooling one-hot, so that a tree sees what the columns of a plant's table show.

    Args:
        steps: for each row its steps, each (operation code, temperature, time, atmosphere, pressure, cooling code).
        n_operations: how many operations there are.
        n_coolings: how many ways of cooling there are.
    """
    places: dict[tuple[int, int], int] = {}
    for row in steps:
        for place in _places(row):
            places.setdefault(place, len(places))
    ordered = sorted(place for place in places if 0 <= place[0] < n_operations)
    table = np.full((len(steps), len(ordered), len(STEP_NUMBERS)), np.nan)
    done = np.zeros((len(steps), len(ordered)))
    cooling = np.full((len(steps), len(ordered)), np.nan)
    for number, row in enumerate(steps):
        for place, step in zip(_places(row), row, strict=True):
            column = ordered.index(place)
            table[number, column] = [step[entry] for entry in STEP_NUMBERS]
            done[number, column], cooling[number, column] = 1.0, step[5]
    coolings = [one_hot(column, n_coolings) for column in cooling.T]
    return np.concatenate([done, table.reshape(len(steps), -1), *coolings], axis=1)


def _places(steps: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """(operation, how often it was done before) of each step."""
    seen: dict[int, int] = {}
    found = []
    for step in steps:
        operation = int(step[0])
        found.append((operation, seen.get(operation, 0)))
        seen[operation] = seen.get(operation, 0) + 1
    return found


def one_hot(codes: FloatArray, n_codes: int) -> FloatArray:
    """(n, n_codes) one where the code is that of the column; a missing code (NaN) is zero everywhere."""
    return np.asarray(codes[:, None] == np.arange(n_codes), dtype=np.float64)


def varied_columns(features: FloatArray) -> NDArray[np.bool_]:
    """(n_features,) whether a column holds two different known values; the others can tell nothing."""
    known = np.isfinite(features)
    least = np.where(known, features, np.inf).min(axis=0)
    return np.asarray(np.where(known, features, -np.inf).max(axis=0) > least)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Boosting:
    """One setting of gradient boosting that tuning chooses among."""

    loss: str
    leaves: int
    rate: float
    rounds: int


_CANDIDATES = (
    _Boosting(loss="squared_error", leaves=31, rate=0.05, rounds=300),
    _Boosting(loss="absolute_error", leaves=31, rate=0.05, rounds=300),
    _Boosting(loss="squared_error", leaves=8, rate=0.05, rounds=600),
    _Boosting(loss="absolute_error", leaves=8, rate=0.05, rounds=600),
)


@final
@dataclass(slots=True, kw_only=True)
class ClassicalRegressor:
    """Fit and predict one target.

    RANDOM_FOREST: 100 trees, a third of the features tried at a split (Breiman's value for regression), else the
    defaults of scikit-learn. GRADIENT_BOOSTING: `HistGradientBoostingRegressor`; loss, leaves and rounds are those of
    four settings with the least absolute error on a fifth of the groups held out, then fitted to all rows.

    Attributes:
        kind: forest or boosting.
        seed: of trees and of the held-out groups.
        trees: of the forest.
    """

    kind: ClassicalKind
    seed: int = 0
    trees: int = TREES
    _model: Any = field(default=None, init=False, repr=False)
    _varied: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=bool), init=False, repr=False)

    def fit(self, features: FloatArray, values: FloatArray, groups: Sequence[str]) -> None:
        """Learn from features (n, n_features), NaN allowed, and values (n,); groups (n) stay together in tuning.

        Raises:
            InputError: there are no rows, or a value is not finite.
        """
        if len(values) == 0 or not np.isfinite(values).all():
            raise InputError(f"a regressor needs finite values to learn from, found {len(values)} rows")
        self._varied = varied_columns(features)
        features = features[:, self._varied]
        if self.kind is ClassicalKind.RANDOM_FOREST:
            self._model = _forest(self.trees, self.seed)
        else:
            self._model = _boosting(self._tuned(features, values, np.array(groups)), self.seed)
        self._model.fit(features, values)

    def predict(self, features: FloatArray) -> FloatArray:
        """(n,) predictions for features (n, n_features).

        Raises:
            InputError: nothing was learned yet.
        """
        if self._model is None:
            raise InputError("fit the regressor before it predicts")
        return np.asarray(self._model.predict(features[:, self._varied]), dtype=np.float64)

    def _tuned(self, features: FloatArray, values: FloatArray, groups: NDArray[np.str_]) -> _Boosting:
        names = np.random.default_rng(self.seed).permutation(np.unique(groups))
        held_out = np.isin(groups, names[: max(1, round(TUNING_SHARE * len(names)))])
        if held_out.all():
            return _CANDIDATES[0]
        errors = []
        for candidate in _CANDIDATES:
            model = _boosting(candidate, self.seed)
            model.fit(features[~held_out], values[~held_out])
            errors.append(np.abs(model.predict(features[held_out]) - values[held_out]).mean())
        return _CANDIDATES[int(np.argmin(errors))]


def _forest(trees: int, seed: int) -> Any:
    from sklearn.ensemble import RandomForestRegressor  # heavy: behind its door

    return RandomForestRegressor(n_estimators=trees, max_features=1 / 3, random_state=seed, n_jobs=1)


def _boosting(chosen: _Boosting, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor  # heavy: behind its door

    return HistGradientBoostingRegressor(
        loss=chosen.loss,
        max_leaf_nodes=chosen.leaves,
        learning_rate=chosen.rate,
        max_iter=chosen.rounds,
        min_samples_leaf=5,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=seed,
    )
