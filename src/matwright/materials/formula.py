"""Formulas as text: read "LiFePO4" or "Nd(Al2Cu)4", write the reduced formula, read lists of elements."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from math import gcd, isnan

from matwright.elements import ELECTRONEGATIVITY, MAX_ATOMIC_NUMBER, SYMBOLS, atomic_number
from matwright.errors import InputError

_TOKEN = re.compile(r"([A-Z][a-z]?)|([(\[{])|([)\]}])|(\d+(?:\.\d+)?|\.\d+)|(\s+|_)")
_LARGEST_DENOMINATOR = 100


def parse_elements(text: str) -> frozenset[int]:
    """The atomic numbers in "Li,P,S,O" (commas, blanks or hyphens between the symbols).

    Raises:
        InputError: a symbol is unknown (the nearest is named) or there is none.
    """
    names = [name for name in re.split(r"[\s,;-]+", text) if name]
    if not names:
        raise InputError("a list of elements is empty; write for instance Li,P,S,O")
    return frozenset(atomic_number(name) for name in names)


def parse_amounts(text: str) -> dict[int, float]:
    """Atomic number → amount as written, "Li0.5FePO4" → {3: 0.5, 26: 1.0, 15: 1.0, 8: 4.0}; brackets are allowed.

    Raises:
        InputError: the formula is empty, has an unknown element, a bracket that does not fit or an amount of zero.
    """
    stack: list[dict[int, float]] = [{}]
    group: dict[int, float] | None = None
    position = 0
    for token in _TOKEN.finditer(text):
        if token.start() != position:
            break
        position = token.end()
        name, opening, closing, number, _ = token.groups()
        if number is not None:
            if group is None:
                raise InputError(f"the formula {text!r} has a number without an element")
            _add(stack[-1], group, float(number) - 1.0)
            group = None
        elif name is not None:
            group = {atomic_number(name): 1.0}
            _add(stack[-1], group, 1.0)
        elif opening is not None:
            stack.append({})
            group = None
        elif closing is not None:
            if len(stack) == 1:
                raise InputError(f"the formula {text!r} closes a bracket that was not opened")
            group = stack.pop()
            _add(stack[-1], group, 1.0)
    amounts = stack[0]
    if position != len(text) or len(stack) != 1 or not amounts:
        raise InputError(f"the formula {text!r} cannot be read; write for instance LiFePO4 or Nd(Al2Cu)4")
    if min(amounts.values()) <= 1e-9:
        raise InputError(f"the formula {text!r} has an element with the amount zero")
    return amounts


def _add(total: dict[int, float], part: Mapping[int, float], times: float) -> None:
    for number, amount in part.items():
        total[number] = total.get(number, 0.0) + amount * times


def parse_formula(text: str) -> dict[int, int]:
    """The reduced formula as atomic number → whole count: both "LiFePO4" and "Li2Fe2P2O8" → {3: 1, 26: 1, 15: 1, 8: 4}.

    Raises:
        InputError: the formula cannot be read, or an amount is not a whole number.
    """
    amounts = parse_amounts(text)
    counts = {number: round(amount) for number, amount in amounts.items()}
    if any(abs(amounts[number] - count) > 1e-6 for number, count in counts.items()):
        raise InputError(f"the formula {text!r} has an amount that is not a whole number")
    divisor = functools.reduce(gcd, counts.values())
    return {number: count // divisor for number, count in counts.items()}


def reduce_amounts(amounts: Mapping[int, float]) -> dict[int, float]:
    """The smallest whole numbers in the same ratio (denominators up to 100), else fractions that sum to 1."""
    smallest = min(amounts.values())
    for factor in range(1, _LARGEST_DENOMINATOR + 1):
        scaled = {number: amount / smallest * factor for number, amount in amounts.items()}
        if all(abs(value - round(value)) < 1e-5 * factor for value in scaled.values()):
            return {number: float(round(value)) for number, value in scaled.items()}
    total = sum(amounts.values())
    return {number: amount / total for number, amount in amounts.items()}


def formula_text(amounts: Mapping[int, float], *, reduce: bool = True) -> str:
    """The formula, elements by rising electronegativity: "LiFePO4", "NaCl"; fractions for odd ratios.

    With `reduce` the smallest whole numbers in the same ratio are taken, else the amounts as they are.
    """
    reduced = reduce_amounts(amounts) if reduce else amounts

    def order(number: int) -> tuple[float, str]:
        value = float(ELECTRONEGATIVITY[number])
        return (99.0 if isnan(value) else value, SYMBOLS[number])

    return "".join(SYMBOLS[number] + _amount_text(reduced[number]) for number in sorted(reduced, key=order))


def _amount_text(amount: float) -> str:
    return "" if amount == 1 else f"{amount:.6g}"


def check_numbers(numbers: Mapping[int, float]) -> None:
    """Raise InputError unless every key is an atomic number and every amount a finite positive number."""
    for number, amount in numbers.items():
        if not 1 <= number <= MAX_ATOMIC_NUMBER:
            raise InputError(f"atomic numbers lie in 1..{MAX_ATOMIC_NUMBER}, found {number}")
        if not 0 < amount < float("inf"):
            raise InputError(f"the amount of {SYMBOLS[number]} is {amount}; it must be positive and finite")
