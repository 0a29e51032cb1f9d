"""From the reference to the prediction, one bar a contribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import accumulate
from typing import final

from matwright.api.report.figures import Axis, number, tick_text

WIDTH, ROW, RIGHT = 420.0, 20.0, 62.0
LETTER, SHORTEST, LONGEST = 6.6, 10, 28
"""Width of a letter, and the letters of a name that find room."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One contribution: its name as it is shown (plain text), and its value."""

    name: str
    value: float


def waterfall(reference: float, steps: Sequence[Step], unit: str, title: str) -> str:
    """The picture as SVG: the reference, every step from where the one before it ended, and where they arrive."""
    levels = list(accumulate((step.value for step in steps), initial=reference))
    low, high = min(levels), max(levels)
    room = 0.04 * (high - low) or 0.5
    letters = min(max(SHORTEST, *(len(step.name) for step in steps)), LONGEST) if steps else SHORTEST
    axis = Axis(low=low - room, high=high + room, start=letters * LETTER + 12, end=WIDTH - RIGHT)
    rows = [_end("reference", levels[0], axis, 0)]
    rows += [_step(step, start, axis, row) for row, (step, start) in enumerate(zip(steps, levels, strict=False), 1)]
    rows.append(_end("prediction", levels[-1], axis, len(steps) + 1))
    bottom = ROW * (len(steps) + 2)
    height = bottom + 30
    grid = "".join(
        f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{bottom:g}"/>'
        f'<text x="{x:.1f}" y="{bottom + 13:g}" text-anchor="middle">{tick_text(value)}</text>'
        for value in axis.ticks(4)
        for x in [axis.at(value)]
    )
    label = (
        f'<text class="label" x="{(axis.start + axis.end) / 2:g}" y="{height - 3:g}" text-anchor="middle">{unit}</text>'
    )
    return (
        f'<svg class="waterfall" viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="{escape(title)}">'
        f"{grid}{''.join(rows)}{label}</svg>"
    )


def _end(name: str, value: float, axis: Axis, row: int) -> str:
    """The reference or the prediction: a mark and its value."""
    middle = ROW * (row + 0.5)
    return (
        f'<text x="{axis.start - 8:g}" y="{middle + 4:g}" text-anchor="end" class="end">{name}</text>'
        f'<circle class="mean" cx="{axis.at(value):.1f}" cy="{middle:g}" r="4"/>'
        f'<text x="{WIDTH - 2:g}" y="{middle + 4:g}" text-anchor="end" class="end">{number(value)}</text>'
    )


def _step(step: Step, start: float, axis: Axis, row: int) -> str:
    x1, x2 = sorted((axis.at(start), axis.at(start + step.value)))
    top = ROW * row + 4
    sign = "+" if step.value > 0 else ""
    shown = step.name if len(step.name) <= LONGEST else f"{step.name[: LONGEST - 1]}…"
    return (
        f'<text x="{axis.start - 8:g}" y="{top + 10:g}" text-anchor="end">{escape(shown)}'
        f"<title>{escape(step.name)}</title></text>"
        f'<rect class="{"up" if step.value > 0 else "down"}" x="{x1:.1f}" y="{top:g}" width="{max(x2 - x1, 0.8):.1f}" '
        f'height="{ROW - 8:g}" rx="1.5"/>'
        f'<text x="{WIDTH - 2:g}" y="{top + 10:g}" text-anchor="end">{sign}{number(step.value)}</text>'
    )
