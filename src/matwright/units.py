"""Units: read a unit's text, check its dimension, convert values.

A unit is a product of powers, for instance "eV/atom", "g/cm^3", "W/(m*K)", "S cm^-1" or "µV/K". "atom" and "f.u." are
dimensions of their own, so that eV/atom is never mistaken for eV; "mol" is the Avogadro number. Constants: CODATA 2018.
"log10(S/cm)" is the decimal logarithm of a value in that unit.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError

Dimension = tuple[float, float, float, float, float, float, float]
"""Powers of (m, kg, s, A, K, atom, formula unit)."""

_E = 1.602176634e-19
_AVOGADRO = 6.02214076e23
_BOHR = 0.529177210903e-10
_NONE: Dimension = (0, 0, 0, 0, 0, 0, 0)
_ENERGY: Dimension = (2, 1, -2, 0, 0, 0, 0)
_PRESSURE: Dimension = (-1, 1, -2, 0, 0, 0, 0)
_TIME: Dimension = (0, 0, 1, 0, 0, 0, 0)
_LENGTH: Dimension = (1, 0, 0, 0, 0, 0, 0)
_KELVIN: Dimension = (0, 0, 0, 0, 1, 0, 0)

_PREFIXED: dict[str, tuple[float, Dimension]] = {
    "m": (1.0, _LENGTH),
    "g": (1e-3, (0, 1, 0, 0, 0, 0, 0)),
    "s": (1.0, _TIME),
    "A": (1.0, (0, 0, 0, 1, 0, 0, 0)),
    "K": (1.0, _KELVIN),
    "Hz": (1.0, (0, 0, -1, 0, 0, 0, 0)),
    "N": (1.0, (1, 1, -2, 0, 0, 0, 0)),
    "Pa": (1.0, _PRESSURE),
    "bar": (1e5, _PRESSURE),
    "J": (1.0, _ENERGY),
    "eV": (_E, _ENERGY),
    "cal": (4.184, _ENERGY),
    "W": (1.0, (2, 1, -3, 0, 0, 0, 0)),
    "C": (1.0, (0, 0, 1, 1, 0, 0, 0)),
    "V": (1.0, (2, 1, -3, -1, 0, 0, 0)),
    "S": (1.0, (-2, -1, 3, 2, 0, 0, 0)),
    "ohm": (1.0, (2, 1, -3, -2, 0, 0, 0)),
    "F": (1.0, (-2, -1, 4, 2, 0, 0, 0)),
    "T": (1.0, (0, 1, -2, -1, 0, 0, 0)),
    "Ha": (4.3597447222071e-18, _ENERGY),
    "mol": (_AVOGADRO, _NONE),
}
_PLAIN: dict[str, tuple[float, Dimension]] = {
    "atom": (1.0, (0, 0, 0, 0, 0, 1, 0)),
    "f.u.": (1.0, (0, 0, 0, 0, 0, 0, 1)),
    "Å": (1e-10, _LENGTH),
    "a0": (_BOHR, _LENGTH),
    "min": (60.0, _TIME),
    "h": (3600.0, _TIME),
    "day": (86400.0, _TIME),
    "atm": (101325.0, _PRESSURE),
    "Ry": (2.17987236110355e-18, _ENERGY),
    "u": (1.66053906660e-27, (0, 1, 0, 0, 0, 0, 0)),
    "D": (3.33564095e-30, (1, 0, 1, 1, 0, 0, 0)),
    "µB": (9.2740100783e-24, (2, 0, 0, 1, 0, 0, 0)),
    "e": (_E, (0, 0, 1, 1, 0, 0, 0)),
    "%": (0.01, _NONE),
    "wt%": (0.01, _NONE),
    "at%": (0.01, _NONE),
    "ppm": (1e-6, _NONE),
    "rad": (1.0, _NONE),
    "deg": (np.pi / 180, _NONE),
    "degC": (1.0, _KELVIN),
    "degF": (5 / 9, _KELVIN),
}
_OFFSETS = {"degC": 273.15, "degF": 459.67 * 5 / 9}
_PREFIXES = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "\u00b5": 1e-6, "m": 1e-3, "c": 1e-2, "d": 0.1, "h": 100.0} | {
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
}
_ALIASES = {
    "Ang": "Å",
    "angstrom": "Å",
    "Angstrom": "Å",
    "bohr": "a0",
    "°C": "degC",
    "°F": "degF",
    "°": "deg",
    "hr": "h",
    "hour": "h",
    "hours": "h",
    "atoms": "atom",
    "fu": "f.u.",
    "muB": "µB",
    "uB": "µB",
    "Ω": "ohm",
    "Debye": "D",
    "Hartree": "Ha",
    "dimensionless": "1",
}
_LOGARITHM = re.compile(r"log10\s*\((.*)\)")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_TOKEN = re.compile(r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)|(?P<name>f\.u\.|[A-Za-zÅµΩ°%][A-Za-zÅµΩ°%0]*)"
                    r"|(?P<mark>\*\*|[*/^()]))")  # fmt: skip

Value = TypeVar("Value", float, NDArray[np.float64])


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit in SI terms: value_SI = value · scale + offset, or 10^value · scale when it is logarithmic.

    `offset` is 0 except for degC and degF alone.
    """

    text: str
    scale: float
    offset: float
    dimension: Dimension
    logarithmic: bool = False


def convert(value: Value, source: str, target: str) -> Value:
    """`value` given in `source`, in `target`; works on numbers and arrays, NaN stays NaN.

    What has no logarithm becomes minus infinity (0) or NaN (below 0).

    Raises:
        InputError: a unit is unknown, or the two measure different things.
    """
    if source == target:
        return value
    old, new = parse_unit(source), parse_unit(target)
    if old.dimension != new.dimension:
        raise InputError(f"a value in {source!r} cannot be given in {target!r}: the two units measure different things")
    if old.logarithmic or new.logarithmic:
        return _through_logarithm(value, old, new)
    if old.offset == new.offset == 0.0:
        return value * (old.scale / new.scale)
    return (value * old.scale + old.offset - new.offset) / new.scale


def _through_logarithm(value: Value, old: Unit, new: Unit) -> Value:
    shift = math.log10(old.scale / new.scale)
    if old.logarithmic and new.logarithmic:
        return value + shift
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found = 10.0 ** (np.asarray(value, dtype=np.float64) + shift) if old.logarithmic else np.log10(value) + shift
    return found if isinstance(value, np.ndarray) else float(found)


def same_dimension(first: str, second: str) -> bool:
    """Whether values in the two units can be converted into each other; raises InputError for an unknown unit."""
    return parse_unit(first).dimension == parse_unit(second).dimension


@lru_cache(maxsize=1024)
def parse_unit(text: str) -> Unit:
    """Read a unit such as "eV/atom", "kJ/mol", "g/cm³", "W/mK" or "1" (a pure number).

    Raises:
        InputError: a part of it is not known; the message names the nearest known unit.
    """
    cleaned = _normalise(text)
    if logarithm := _LOGARITHM.fullmatch(cleaned):
        inner = parse_unit(logarithm[1])
        if inner.offset or inner.logarithmic:
            raise InputError(f"there is no logarithm of values in {logarithm[1]!r}")
        return replace(inner, text=text, logarithmic=True)
    if cleaned in _OFFSETS:
        scale, dimension = _PLAIN[cleaned]
        return Unit(text=text, scale=scale, offset=_OFFSETS[cleaned], dimension=dimension)
    tokens = _tokens(cleaned, text)
    scale, dimension, rest = _product(tokens, text)
    if rest:
        raise InputError(f"the unit {text!r} cannot be read (a bracket does not fit)")
    return Unit(text=text, scale=scale, offset=0.0, dimension=dimension)


def _normalise(text: str) -> str:
    cleaned = text.strip().replace("μ", "µ").replace("·", "*").replace("Å", "Å")
    cleaned = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda found: "^" + found.group().translate(_SUPERSCRIPTS), cleaned)
    cleaned = re.sub(r"\bA\^3", "Å^3", cleaned)  # cubic ampere occurs nowhere, "A^3" for Å^3 everywhere
    cleaned = re.sub(r"\bmK\b", "(m*K)", cleaned) if cleaned.startswith("W/") else cleaned
    return _ALIASES.get(cleaned, cleaned)


def _tokens(cleaned: str, text: str) -> list[str]:
    """Split into names, numbers, marks; powers become one token "^p"."""
    tokens: list[str] = []
    position = 0
    while position < len(cleaned):
        power = re.compile(r"\s*(?:\^|\*\*)\s*\(?([+-]?\d+(?:\.\d+)?)\)?").match(cleaned, position)
        found = power or _TOKEN.match(cleaned, position)
        if found is None:
            raise InputError(f"the unit {text!r} cannot be read at {cleaned[position:]!r}")
        tokens.append("^" + found.group(1) if power else found.group().strip())
        position = found.end()
    if not tokens:
        raise InputError("a unit is missing; write '1' for a pure number")
    if tokens[-1] in "*/(":
        raise InputError(f"the unit {text!r} ends in {tokens[-1]!r}")
    return tokens


def _product(tokens: list[str], text: str) -> tuple[float, Dimension, list[str]]:
    """Scale and dimension of "a*b/c^2 (d)" and what is left after a closing bracket."""
    scale, dimension = 1.0, _NONE
    sign = 1
    while tokens and tokens[0] != ")":
        head, tokens = tokens[0], tokens[1:]
        if head in "*/":
            sign = -1 if head == "/" else 1
            continue
        if head == "(":
            factor, part, tokens = _product(tokens, text)
            if not tokens:
                raise InputError(f"the unit {text!r} has an open bracket")
            tokens = tokens[1:]
        else:
            factor, part = _atom(head, text)
        power = float(sign)
        if tokens and tokens[0].startswith("^"):
            power, tokens = sign * float(tokens[0][1:]), tokens[1:]
        scale *= factor**power
        a, b, c, d, e, f, g = (old + power * new for old, new in zip(dimension, part, strict=True))
        dimension = (a, b, c, d, e, f, g)
        sign = 1
    return scale, dimension, tokens


def _atom(name: str, text: str) -> tuple[float, Dimension]:
    name = _ALIASES.get(name, name)
    if name[0].isdigit():
        return float(name), _NONE
    if name in _PLAIN:
        return _PLAIN[name]
    if name in _PREFIXED:
        return _PREFIXED[name]
    prefix = "µ" if name[0] == "u" else name[0]
    if prefix in _PREFIXES and name[1:] in _PREFIXED:
        factor, dimension = _PREFIXED[name[1:]]
        return _PREFIXES[prefix] * factor, dimension
    known = [*_PLAIN, *_PREFIXED, *_ALIASES, "GPa", "MPa", "kJ", "meV", "nm", "cm", "mS", "THz", "kbar"]
    same_letters = [unit for unit in known if unit.lower() == name.lower()]
    near = same_letters or difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else "; for instance eV, eV/atom, GPa, K, S/cm, g/cm^3, 1"
    where = "" if name == text else f" (in {text!r})"
    raise InputError(f"there is no unit {name!r}{where}{hint}")
