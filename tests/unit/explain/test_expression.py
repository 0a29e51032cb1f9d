"""Formulas as trees: folding keeps the value, the text is what is evaluated, and JSON brings them back."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from matwright.errors import InputError
from matwright.explain import expression as ex
from matwright.explain.expression import Expression

RNG = np.random.default_rng(0)
VALUES = {name: RNG.uniform(0.4, 2.5, 50) for name in ("x", "y", "z")}
NUMBERS = st.floats(-4, 4, allow_subnormal=False).filter(lambda value: abs(value) > 0.05)
LEAVES = NUMBERS.map(lambda value: ("number", value)) | st.tuples(st.sampled_from("xyz"), NUMBERS)
TREES = st.recursive(
    LEAVES,
    lambda child: st.one_of(
        st.tuples(st.sampled_from(["add", "sub", "mul", "div"]), child, child),
        st.tuples(st.sampled_from(["square", "sqrt", "log", "exp"]), child),
    ),
    max_leaves=8,
)


def direct(tree: tuple) -> np.ndarray:
    """The value by numpy alone."""
    kind, *rest = tree
    if kind == "number":
        return np.full(50, rest[0])
    if kind in VALUES:
        return rest[0] * VALUES[kind]
    parts = [direct(child) for child in rest]
    if len(parts) == 2:
        return {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}[kind](*parts)
    return {"square": np.square, "sqrt": np.sqrt, "log": np.log, "exp": np.exp}[kind](*parts)


def folded(tree: tuple) -> Expression:
    kind, *rest = tree
    if kind == "number":
        return ex.constant(rest[0])
    if kind in VALUES:
        return ex.variable(kind, rest[0])
    parts = [folded(child) for child in rest]
    if kind == "add":
        return ex.add(parts)
    if kind == "sub":
        return ex.add([parts[0], ex.scale(-1.0, parts[1])])
    if kind in ("mul", "div"):
        return ex.multiply(parts, [1, 1 if kind == "mul" else -1])
    return ex.multiply(parts, [2]) if kind == "square" else ex.call(kind, parts[0])


@given(TREES)
def test_folding_keeps_the_value(tree: tuple) -> None:
    with np.errstate(all="ignore"):
        wanted = direct(tree)
    assume(np.isfinite(wanted).all() and np.abs(wanted).max() < 1e6)
    try:
        formula = folded(tree)
    except (ZeroDivisionError, ValueError, OverflowError):
        assume(False)
    found = ex.evaluate(formula, VALUES, 50)
    assert found == pytest.approx(wanted, rel=1e-6, abs=1e-6)
    assert ex.from_json(ex.as_json(formula)) == formula
    assert ex.complexity(formula) >= 1
    assert ex.rounded(ex.rounded(formula, 4), 4) == ex.rounded(formula, 4)


def test_what_is_equal_is_joined() -> None:
    x, y = ex.variable("x"), ex.variable("y", 2.0)
    assert ex.text(ex.add([x, y, ex.scale(2.0, x), ex.constant(-1.5)])) == "−1.5 + 3·x + 2·y"
    assert ex.add([x, ex.scale(-1.0, x)]) == ex.constant(0.0)
    assert ex.text(ex.multiply([x, y, x], [1, -1, 1])) == "0.5·x²/y"
    assert ex.multiply([x, x], [1, -1]) == ex.constant(1.0)
    assert ex.text(ex.multiply([ex.constant(3.0), x, y], [1, -2, -1])) == "1.5/(x²·y)"
    both = ex.add([x, ex.constant(1.0)])
    assert ex.text(ex.multiply([both, both], [1, 1])) == "(1 + x)²"
    assert ex.text(ex.multiply([ex.scale(4.0, both), both], [1, -1])) == "4"


def test_numbers_come_out_of_functions() -> None:
    assert ex.text(ex.call("sqrt", ex.variable("x", 4.0))) == "2·sqrt(x)"
    assert ex.call("log", ex.variable("x", math.e)) == ex.add([ex.constant(1.0), ex.call("log", ex.variable("x"))])
    assert ex.text(ex.call("log", ex.variable("x", -2.0))) == "log(−2·x)"
    assert ex.text(ex.call("exp", ex.add([ex.variable("x"), ex.constant(0.0)]))) == "exp(x)"
    assert ex.call("sqrt", ex.constant(9.0)) == ex.constant(3.0)
    with pytest.raises(ValueError, match="math domain"):
        ex.call("log", ex.constant(-1.0))


def test_complexity_counts_what_a_reader_meets() -> None:
    x, y = ex.variable("x"), ex.variable("y")
    assert ex.complexity(ex.constant(2.0)) == 1
    assert ex.complexity(x) == 1
    assert ex.complexity(ex.variable("x", 3.0)) == 3  # 3 · x
    assert ex.complexity(ex.add([x, y])) == 3
    assert ex.complexity(ex.multiply([x, y], [1, -2])) == 5  # x / y ^ 2
    assert ex.complexity(ex.call("sqrt", x)) == 2


def test_a_formula_asks_for_its_descriptors_and_tells_where_it_is_undefined() -> None:
    formula = ex.call("log", ex.add([ex.variable("x"), ex.constant(-1.0)]))
    assert ex.variables(formula) == {"x"}
    found = ex.evaluate(formula, {"x": np.array([0.5, 2.0])}, 2)
    assert np.isnan(found[0])
    assert found[1] == 0.0
    with pytest.raises(InputError, match="needs x"):
        ex.evaluate(formula, {"y": np.ones(2)}, 2)


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {"constant": 1.0},
        {"constant": "__import__('os')", "terms": []},
        {"constant": 0.0, "terms": [[1.0, {"function": "system", "argument": {"constant": 1.0, "terms": []}}]]},
        {"constant": 0.0, "terms": [[1.0, {"constant": 0.0, "terms": []}]]},
    ],
)
def test_what_is_no_formula_is_refused(content: object) -> None:
    with pytest.raises(InputError):
        ex.from_json(content)
