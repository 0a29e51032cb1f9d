"""Formulas as small trees: made from operations, folded, printed, evaluated, kept as JSON; no text is ever parsed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError

FUNCTIONS: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = MappingProxyType(
    {"sqrt": np.sqrt, "log": np.log, "exp": np.exp}
)
"""Functions of one argument; log is the natural one."""


@final
@dataclass(frozen=True, slots=True)
class Variable:
    """A descriptor by its name."""

    name: str


@final
@dataclass(frozen=True, slots=True)
class Call:
    """A function of `FUNCTIONS` of one expression."""

    function: str
    argument: Expression


@final
@dataclass(frozen=True, slots=True)
class Product:
    """Factors to whole powers, at least one, none of them itself a product; a power is never 0."""

    factors: tuple[tuple[Factor, int], ...]


@final
@dataclass(frozen=True, slots=True)
class Sum:
    """constant + Σ coefficient · term; no coefficient is 0."""

    constant: float
    terms: tuple[tuple[float, Term], ...] = ()


Factor = Variable | Call | Sum
Term = Variable | Call | Product
Expression = Sum
"""Every formula is a sum, perhaps of one term or of a constant alone."""


def constant(value: float) -> Expression:
    """A number."""
    return Sum(float(value))


def variable(name: str, weight: float = 1.0) -> Expression:
    """A descriptor times a number."""
    return _scaled(weight, Variable(name))


def add(parts: Sequence[Expression]) -> Expression:
    """The sum of some expressions, equal terms joined."""
    collected: dict[Term, float] = {}
    for part in parts:
        for coefficient, term in part.terms:
            collected[term] = collected.get(term, 0.0) + coefficient
    terms = tuple((value, term) for term, value in collected.items() if value != 0.0)
    return Sum(math.fsum(part.constant for part in parts), terms)


def scale(number: float, part: Expression) -> Expression:
    """A number times an expression."""
    terms = tuple((number * coefficient, term) for coefficient, term in part.terms if number * coefficient != 0.0)
    return Sum(number * part.constant, terms)


def multiply(parts: Sequence[Expression], powers: Sequence[int]) -> Expression:
    """The product of some expressions to whole powers, equal factors joined.

    Raises:
        ZeroDivisionError: a constant 0 is divided by.
    """
    number, collected = 1.0, dict[Factor, int]()
    for part, power in zip(parts, powers, strict=True):
        coefficient, factors = _taken_apart(part)
        number *= float(coefficient**power)
        for factor, own in factors:
            collected[factor] = collected.get(factor, 0) + own * power
    kept = tuple((factor, power) for factor, power in collected.items() if power != 0)
    if not kept or number == 0.0:
        return Sum(number)
    if len(kept) == 1 and kept[0][1] == 1:
        factor = kept[0][0]
        return scale(number, factor) if isinstance(factor, Sum) else _scaled(number, factor)
    return _scaled(number, Product(kept))


def call(function: str, argument: Expression) -> Expression:
    """A function of an expression; of a constant its value.

    Raises:
        ValueError, OverflowError: the constant lies outside of what the function takes.
    """
    if not argument.terms:
        return Sum(_of_number(function, argument.constant))
    if function == "exp":
        return _scaled(_of_number(function, argument.constant), Call(function, Sum(0.0, argument.terms)))
    number, term = argument.terms[0]
    if len(argument.terms) > 1 or argument.constant != 0.0 or number <= 0.0:
        return _scaled(1.0, Call(function, argument))
    inner = Call(function, Sum(0.0, ((1.0, term),)))  # a positive number comes out of a logarithm or root
    if function == "log":
        return Sum(math.log(number), ((1.0, inner),))
    return _scaled(math.sqrt(number), inner)


def _of_number(function: str, value: float) -> float:
    return float({"sqrt": math.sqrt, "log": math.log, "exp": math.exp}[function](value))


def _scaled(number: float, term: Term) -> Expression:
    return Sum(0.0, ((number, term),)) if number != 0.0 else Sum(0.0)


def _taken_apart(part: Expression) -> tuple[float, tuple[tuple[Factor, int], ...]]:
    """A number and factors whose product the expression is; the common factor of a sum is drawn out of it."""
    if not part.terms:
        return part.constant, ()
    if part.constant == 0.0 and len(part.terms) == 1:
        number, term = part.terms[0]
        return number, term.factors if isinstance(term, Product) else ((term, 1),)
    number = part.terms[0][0]
    return number, ((scale(1.0 / number, part), 1),)


def rounded(part: Expression, digits: int) -> Expression:
    """The expression with every number to so many significant digits: what is printed is what is evaluated."""
    terms = tuple((_round(coefficient, digits), _rounded_term(term, digits)) for coefficient, term in part.terms)
    return add([Sum(_round(part.constant, digits)), *(Sum(0.0, (term,)) for term in terms if term[0] != 0.0)])


def _rounded_term(term: Term, digits: int) -> Term:
    if isinstance(term, Call):
        return Call(term.function, rounded(term.argument, digits))
    if isinstance(term, Product):
        return Product(tuple((_rounded_factor(factor, digits), power) for factor, power in term.factors))
    return term


def _rounded_factor(factor: Factor, digits: int) -> Factor:
    if isinstance(factor, Sum):
        return rounded(factor, digits)
    return Call(factor.function, rounded(factor.argument, digits)) if isinstance(factor, Call) else factor


def _round(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def complexity(part: Expression) -> int:
    """How many numbers, descriptors and operations a reader meets; a coefficient 1 and a constant 0 cost nothing."""
    pieces = [_term_complexity(term) + (coefficient not in (1.0, -1.0)) * 2 for coefficient, term in part.terms]
    if part.constant != 0.0 or not pieces:
        pieces.append(1)
    return sum(pieces) + len(pieces) - 1


def _term_complexity(term: Term | Sum) -> int:
    if isinstance(term, Variable):
        return 1
    if isinstance(term, Call):
        return 1 + complexity(term.argument)
    if isinstance(term, Sum):
        return complexity(term)
    pieces = [_term_complexity(factor) + (abs(power) > 1) * 2 for factor, power in term.factors]
    return sum(pieces) + len(pieces) - 1 + all(power < 0 for _, power in term.factors)


def variables(part: Expression) -> frozenset[str]:
    """The names of the descriptors that occur."""
    return frozenset().union(*(_variables_of(term) for _, term in part.terms))


def _variables_of(term: Term | Sum) -> frozenset[str]:
    if isinstance(term, Variable):
        return frozenset({term.name})
    if isinstance(term, Call):
        return variables(term.argument)
    if isinstance(term, Sum):
        return variables(term)
    return frozenset().union(*(_variables_of(factor) for factor, _ in term.factors))


def evaluate(part: Expression, values: Mapping[str, NDArray[np.float64]], n: int) -> NDArray[np.float64]:
    """(n,) values of the expression for n rows; not finite where it is not defined.

    Args:
        part: the expression.
        values: (n,) of each descriptor.
        n: rows.

    Raises:
        InputError: a descriptor is missing.
    """
    if missing := variables(part) - values.keys():
        raise InputError(f"the formula needs {', '.join(sorted(missing))}")
    with np.errstate(all="ignore"):
        return _sum_values(part, values, n)


def _sum_values(part: Expression, values: Mapping[str, NDArray[np.float64]], n: int) -> NDArray[np.float64]:
    total = np.full(n, part.constant)
    for coefficient, term in part.terms:
        total = total + coefficient * _values_of(term, values, n)
    return total


def _values_of(term: Term | Sum, values: Mapping[str, NDArray[np.float64]], n: int) -> NDArray[np.float64]:
    if isinstance(term, Variable):
        return np.asarray(values[term.name], dtype=np.float64)
    if isinstance(term, Call):
        return FUNCTIONS[term.function](_sum_values(term.argument, values, n))
    if isinstance(term, Sum):
        return _sum_values(term, values, n)
    result = np.ones(n)
    for factor, power in term.factors:
        result = result * _values_of(factor, values, n) ** float(power)
    return result


def text(part: Expression) -> str:
    """The formula as people write it: "0.41 + 12.3·density/mean_covalent_radius²"."""
    pieces = [] if part.constant == 0.0 and part.terms else [_number(part.constant)]
    for coefficient, term in part.terms:
        pieces.append(_term_text(coefficient, term))
    joined = pieces[0]
    for piece in pieces[1:]:
        joined += f" − {piece[1:]}" if piece.startswith("−") else f" + {piece}"
    return joined


def _term_text(coefficient: float, term: Term) -> str:
    sign = "−" if coefficient < 0 else ""
    size = abs(coefficient)
    factors = term.factors if isinstance(term, Product) else ((term, 1),)
    above = [_power_text(factor, power) for factor, power in factors if power > 0]
    below = [_power_text(factor, -power) for factor, power in factors if power < 0]
    if size != 1.0 or not above:
        above.insert(0, _number(size))
    under = "" if not below else f"/{below[0]}" if len(below) == 1 else f"/({'·'.join(below)})"
    return sign + "·".join(above) + under


def _power_text(factor: Factor, power: int) -> str:
    if isinstance(factor, Sum):
        body = f"({text(factor)})"
    else:
        body = factor.name if isinstance(factor, Variable) else f"{factor.function}({text(factor.argument)})"
    return body if power == 1 else body + "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(power))


def _number(value: float) -> str:
    return f"{value:.6g}".replace("-", "−")


def as_json(part: Expression) -> dict[str, Any]:
    """Plain values for JSON: {"constant": c, "terms": [[coefficient, term], …]}; see `from_json`."""
    return {"constant": part.constant, "terms": [[value, _term_json(term)] for value, term in part.terms]}


def _term_json(term: Term | Sum) -> dict[str, Any]:
    if isinstance(term, Variable):
        return {"variable": term.name}
    if isinstance(term, Call):
        return {"function": term.function, "argument": as_json(term.argument)}
    if isinstance(term, Sum):
        return as_json(term)
    return {"product": [[_term_json(factor), power] for factor, power in term.factors]}


def from_json(content: Any) -> Expression:
    """The expression written by `as_json`.

    Raises:
        InputError: it is none.
    """
    try:
        return Sum(float(content["constant"]), tuple((float(c), _term_from(t)) for c, t in content["terms"]))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"this is no formula: {error!r}") from error


def _term_from(content: Any) -> Term:
    read = _factor_from(content)
    if isinstance(read, Sum):
        raise InputError("a term of a sum is no sum")
    return read


def _factor_from(content: Any) -> Term | Sum:
    if "variable" in content:
        return Variable(str(content["variable"]))
    if "function" in content:
        if content["function"] not in FUNCTIONS:
            raise InputError(f"there is no function {content['function']!r}; known: {', '.join(FUNCTIONS)}")
        return Call(str(content["function"]), from_json(content["argument"]))
    if "product" not in content:
        return from_json(content)
    factors = [(_factor_from(factor), int(power)) for factor, power in content["product"]]
    return Product(tuple((factor, power) for factor, power in factors if not isinstance(factor, Product)))
