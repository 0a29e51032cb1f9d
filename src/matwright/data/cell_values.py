"""What the cell of a table says: a number, a bound of one, a class, a part of the split, or nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedValue:
    """What a cell says.

    Attributes:
        value: NaN where missing or wrong.
        sign: -1 where the true value lies below it ("<1E-10"), +1 where above, 0 exact.
        problem: what is wrong with it, None where nothing is.
    """

    value: float = math.nan
    sign: int = 0
    problem: str | None = None

    @property
    def is_missing(self) -> bool:
        """Whether the cell states no value."""
        return math.isnan(self.value)


def is_missing(cell: object) -> bool:
    """Whether a cell holds nothing: empty, NaN, or a usual word for missing."""
    if isinstance(cell, str):
        return cell.strip().lower() in _MISSING
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def parse_value(
    cell: object, name: str, lower: float | None, upper: float | None, *, logarithm: bool = False
) -> ParsedValue:
    """The number of a cell, "<5" and ">5" as bounds of the true value; with `logarithm` its decimal logarithm.

    A value may lie outside its physical bounds (of the value that is returned) by a millionth of the bound or 1e-6,
    which is noise of a calculation.
    """
    if is_missing(cell):
        return ParsedValue()
    sign, rest = _censored(cell)
    try:
        value = float(rest)  # type: ignore[arg-type]  # whatever float() refuses is reported below
    except (TypeError, ValueError):
        hint = "; write its decimals with a point" if _COMMA.fullmatch(str(cell)) else ""
        return ParsedValue(problem=f"{name} is {str(cell)[:40]!r}, which is not a number{hint}")
    if math.isinf(value):
        return ParsedValue(problem=f"{name} is infinite")
    if logarithm:
        if value <= 0:
            return ParsedValue(problem=f"{name} is {value:g}, which has no logarithm")
        value = math.log10(value)
    for bound, outside in ((lower, -1.0), (upper, 1.0)):
        if bound is not None and outside * (value - bound) > 1e-6 * max(1.0, abs(bound)):
            return ParsedValue(problem=f"{name} is {value:g}, beyond what is physically possible ({bound:g})")
    return ParsedValue(value=value, sign=sign)


def _censored(cell: object) -> tuple[int, object]:
    """(sign, what is left) of a cell such as "<1E-10" or "≥ 5"."""
    if not isinstance(cell, str):
        return 0, cell
    text = cell.strip()
    sign = -1 if text[:1] in ("<", "≤") else 1 if text[:1] in (">", "≥") else 0
    return sign, text[1:].removeprefix("=") if sign else text


def parse_class(cell: object, name: str, classes: Sequence[str]) -> ParsedValue:
    """The index of a class, NaN where missing."""
    word = "" if cell is None else str(cell).strip()
    if word in classes:
        return ParsedValue(value=float(classes.index(word)))
    if is_missing(cell):
        return ParsedValue()
    return ParsedValue(problem=f"{name} is {word[:40]!r}, which is none of its classes ({', '.join(classes)})")


_COMMA = re.compile(r"\s*[<>≤≥]?=?\s*[+-]?\d*,\d+\s*")

_MISSING = frozenset({"", "nan", "na", "n/a", "none", "null", "-"})

_PARTS = {"training": "train", "validation": "val", "valid": "val", "dev": "val", "testing": "test"}


def parse_part(text: object) -> str:
    """The part of the split a cell names, common words for train, val and test made one."""
    word = "" if text is None else str(text).strip()
    return _PARTS.get(word.lower(), word.lower() if word.lower() in {"train", "val", "test"} else word)
