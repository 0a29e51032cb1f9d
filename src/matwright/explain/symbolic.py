"""Symbolic regression: short formulas that repeat a set of values, from the evolution of many candidate formulas.

The search is Operon's genetic programming with local fits of the numbers (B. Burlacu, G. Kronberger, M. Kommenda,
GECCO 2020 Companion, 1562), with NSGA-II over error and length. Several short searches from different seeds are joined;
each formula is folded, its numbers are rounded, and the few that are worth their length remain.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import CalculationError, InputError, ResourceError
from matwright.explain import expression
from matwright.explain.expression import Expression
from matwright.materials.silence import quiet_warnings

SYMBOLS = "add,sub,mul,div,sqrt,log,exp,square,constant,variable"
DIGITS = 4
"""Significant digits of the numbers in a formula."""
WORTH = 0.02
"""Share of its error that a longer formula must take away to stay in the list."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """How long and how wide one search is.

    Attributes:
        population: formulas that live at a time, at least 10.
        generations: how often they are renewed, at least 1.
        max_length: nodes of a formula while it evolves, at least 3.
        fits: steps of the local fit of the numbers of each new formula.
    """

    population: int = 500
    generations: int = 60
    max_length: int = 25
    fits: int = 3

    def __post_init__(self) -> None:
        for name, value, least in (
            ("population", self.population, 10),
            ("generations", self.generations, 1),
            ("max_length", self.max_length, 3),
            ("fits", self.fits, 0),
        ):
            if value < least:
                raise InputError(f"{name} of the search is at least {least}, found {value}")


def search(
    values: Mapping[str, NDArray[np.float64]],
    wanted: NDArray[np.float64],
    settings: SearchSettings,
    *,
    seed: int,
) -> list[Expression]:
    """The formulas on the front of one search, folded and rounded; the same for the same seed on one machine.

    Args:
        values: (n,) finite values of each descriptor.
        wanted: (n,) finite values that the formulas should give.
        settings: of the search.
        seed: of the search.

    Raises:
        InputError: there are no descriptors, or fewer than 10 rows.
        ResourceError: the library of the search is not installed.
    """
    if not values or len(wanted) < 10:
        raise InputError(f"a formula needs descriptors and at least 10 rows, found {len(values)} and {len(wanted)}")
    try:
        # heavy: behind its door
        from pyoperon.sklearn import SymbolicRegressor
    except ImportError as error:
        raise ResourceError("symbolic regression needs pyoperon: pip install 'matwright[symbolic]'") from error
    regressor = SymbolicRegressor(
        allowed_symbols=SYMBOLS,
        objectives=["r2", "length"],
        population_size=settings.population,
        generations=settings.generations,
        max_evaluations=settings.population * settings.generations * 4,
        optimizer_iterations=settings.fits,
        max_length=settings.max_length,
        max_depth=6,
        random_state=seed % 2**63,
        n_threads=1,
    )
    with quiet_warnings(), np.errstate(all="ignore"):
        regressor.fit(np.column_stack(list(values.values())), wanted)
    names = dict(zip(regressor.variables_, values, strict=True))  # hash of a variable → its name
    found = [_folded(member["tree"].Nodes, names) for member in regressor.pareto_front_]
    return list(dict.fromkeys(formula for formula in found if formula is not None))


def _folded(nodes: Sequence[Any], names: Mapping[int, str]) -> Expression | None:
    """The expression of a tree in postfix order; None where it folds into something undefined."""
    try:
        return expression.rounded(from_postfix(nodes, names), DIGITS)
    except (ZeroDivisionError, ValueError, OverflowError):
        return None


def from_postfix(nodes: Sequence[Any], names: Mapping[int, str]) -> Expression:
    """The expression of Operon's nodes, children before parents; the last child is the first operand.

    Raises:
        CalculationError: a node is none of `SYMBOLS`.
    """
    stack: list[Expression] = []
    for node in nodes:
        operands = [stack.pop() for _ in range(node.Arity)]
        stack.append(_node(node, operands, names))
    return stack[0]


def _node(node: Any, operands: list[Expression], names: Mapping[int, str]) -> Expression:
    kind = node.Type.name
    if node.IsVariable:
        return expression.variable(names[node.HashValue], float(node.Value))
    if kind == "Constant":
        return expression.constant(float(node.Value))
    if kind not in _OPERATIONS or not operands:
        raise CalculationError(f"the search gave a symbol {node.Name!r} that is not known here")
    return _OPERATIONS[kind](operands)


def _difference(operands: list[Expression]) -> Expression:
    if len(operands) == 1:
        return expression.scale(-1.0, operands[0])
    return expression.add([operands[0], *(expression.scale(-1.0, part) for part in operands[1:])])


def _quotient(operands: list[Expression]) -> Expression:
    powers = [1] + [-1] * (len(operands) - 1) if len(operands) > 1 else [-1]
    return expression.multiply(operands, powers)


_OPERATIONS: Mapping[str, Callable[[list[Expression]], Expression]] = {
    "Add": expression.add,
    "Sub": _difference,
    "Mul": lambda operands: expression.multiply(operands, [1] * len(operands)),
    "Div": _quotient,
    "Square": lambda operands: expression.multiply(operands[:1], [2]),
    "Sqrt": lambda operands: expression.call("sqrt", operands[0]),
    "Log": lambda operands: expression.call("log", operands[0]),
    "Exp": lambda operands: expression.call("exp", operands[0]),
}


def worthwhile(
    formulas: Sequence[Expression],
    values: Mapping[str, NDArray[np.float64]],
    wanted: NDArray[np.float64],
    *,
    most: int,
) -> list[Expression]:
    """The formulas that no simpler one equals, by rising complexity: each takes `WORTH` of the error away at least.

    The error is the mean absolute one on these rows; formulas that are undefined on one of them are left out. The
    first formula is a constant, the median. Where there are more than `most`, those that bring least are left out.
    """
    n = len(wanted)
    median = expression.rounded(expression.constant(float(np.median(wanted))), DIGITS)
    judged: list[tuple[int, float, Expression]] = []
    for formula in (median, *formulas):
        error = float(np.abs(expression.evaluate(formula, values, n) - wanted).mean())
        if np.isfinite(error):
            judged.append((expression.complexity(formula), error, formula))
    kept: list[tuple[int, float, Expression]] = []
    for candidate in sorted(judged, key=lambda entry: entry[:2]):
        if not kept or candidate[1] < (1.0 - WORTH) * kept[-1][1]:
            kept.append(candidate)
    while len(kept) > most:
        gains = [before[1] / after[1] for before, after in itertools.pairwise(kept)]
        del kept[1 + int(np.argmin(gains))]
    return [formula for _, _, formula in kept]
