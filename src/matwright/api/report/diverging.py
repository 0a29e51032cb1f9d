"""A colour for what adds and what takes away: red above zero, blue below, pale at zero; told apart by all eyes."""

from __future__ import annotations

LEVELS = 10
"""Shades on each side of zero."""

_STOPS = ((33, 102, 172), (103, 169, 207), (240, 238, 233), (239, 138, 98), (178, 24, 43))


def shade(value: float, largest: float) -> int:
    """The shade -LEVELS..LEVELS of a value where ±`largest` has the strongest."""
    if largest <= 0:
        return 0
    return round(LEVELS * min(max(value / largest, -1.0), 1.0))


def colour(level: int) -> str:
    """The colour "#rrggbb" of a shade."""
    place = (level + LEVELS) / (2 * LEVELS) * (len(_STOPS) - 1)
    lower = min(int(place), len(_STOPS) - 2)
    share = place - lower
    mixed = (round(a + share * (b - a)) for a, b in zip(_STOPS[lower], _STOPS[lower + 1], strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def scale_html(name: str, largest: str, unit: str) -> str:
    """The scale as HTML: what it colours, from -largest to +largest."""
    steps = ", ".join(colour(level) for level in range(-LEVELS, LEVELS + 1))
    return (
        f'<span class="scale">{name}<i>−{largest}</i><b style="background:linear-gradient(90deg, {steps})"></b>'
        f"<i>+{largest} {unit}</i></span>"
    )
