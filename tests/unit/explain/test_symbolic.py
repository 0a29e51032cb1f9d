"""The search for formulas: it finds a law that is there, repeats itself, and reads Operon's trees rightly."""

from __future__ import annotations

import numpy as np
import pytest

from matwright.errors import InputError
from matwright.explain import expression as ex
from matwright.explain.symbolic import SYMBOLS, SearchSettings, from_postfix, search, worthwhile

QUICK = SearchSettings(population=200, generations=15, max_length=15)
RNG = np.random.default_rng(0)
VALUES = {name: RNG.uniform(0.5, 3.0, 200) for name in ("density", "volume", "noise")}
LAW = 3.0 * VALUES["density"] / VALUES["volume"] ** 2 - 1.0


def test_a_law_that_is_there_is_found_and_repeated() -> None:
    first = search(VALUES, LAW, QUICK, seed=2)
    assert first == search(VALUES, LAW, QUICK, seed=2)
    best = worthwhile(first, VALUES, LAW, most=6)[-1]
    assert np.abs(ex.evaluate(best, VALUES, 200) - LAW).max() < 0.01
    assert ex.variables(best) == {"density", "volume"}
    assert "density/volume²" in ex.text(best)


def test_trees_have_the_value_that_operon_gives_them() -> None:
    from pyoperon.sklearn import SymbolicRegressor

    table = np.column_stack(list(VALUES.values()))
    regressor = SymbolicRegressor(
        allowed_symbols=SYMBOLS, objectives=["r2", "length"], population_size=100, generations=5,
        optimizer_iterations=2, random_state=1, n_threads=1, max_length=20,
    )  # fmt: skip
    regressor.fit(table, LAW + 0.3 * np.sqrt(VALUES["noise"]) * np.log(VALUES["density"]))
    names = dict(zip(regressor.variables_, VALUES, strict=True))
    assert len(regressor.pareto_front_) > 2
    for member in regressor.pareto_front_:
        theirs = regressor.evaluate_model(member["tree"], table)
        ours = ex.evaluate(from_postfix(member["tree"].Nodes, names), VALUES, 200)
        both = np.isfinite(theirs) & np.isfinite(ours)
        assert both.mean() > 0.9
        assert ours[both] == pytest.approx(theirs[both], rel=1e-3, abs=1e-3)  # theirs are single precision


def test_only_formulas_worth_their_length_stay() -> None:
    exact = ex.add([ex.constant(-1.0), ex.multiply([ex.constant(3.0), ex.variable("density"), ex.variable("volume")],
                                                   [1, 1, -2])])  # fmt: skip
    longer = ex.add([exact, ex.variable("noise", 1e-6)])
    poor = ex.variable("noise")
    undefined = ex.call("log", ex.add([ex.variable("density"), ex.constant(-2.0)]))
    kept = worthwhile([longer, undefined, poor, exact], VALUES, LAW, most=5)
    assert kept[0] == ex.rounded(ex.constant(float(np.median(LAW))), 4)
    assert kept[-1] == exact
    assert longer not in kept
    assert undefined not in kept
    errors = [np.abs(ex.evaluate(formula, VALUES, 200) - LAW).mean() for formula in kept]
    assert errors == sorted(errors, reverse=True)
    assert [ex.complexity(formula) for formula in kept] == sorted(ex.complexity(formula) for formula in kept)
    assert worthwhile([exact, poor], VALUES, LAW, most=2)[-1] == exact


def test_too_little_to_search_is_an_error() -> None:
    with pytest.raises(InputError, match="at least 10 rows"):
        search({"density": np.ones(3)}, np.ones(3), QUICK, seed=0)
    with pytest.raises(InputError, match="generations"):
        SearchSettings(generations=0)
