"""Small vector pictures: an interval against its target, the hull distance, property against stability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import isnan
from typing import final

from matwright.api.design.records import Measurement
from matwright.materials.target import Target

STRIP_WIDTH, STRIP_HEIGHT, MARGIN = 240.0, 30.0, 5.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A linear axis from `low` to `high`, drawn from pixel `start` to pixel `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value; values beyond the ends are drawn at the ends."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self, about: int = 4) -> list[float]:
        """Round numbers along the axis."""
        raw = (self.high - self.low) / about
        power = 10.0 ** _floor_log10(raw)
        step = next(factor * power for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * power >= raw)
        first = -(-self.low // step) * step
        count = int((self.high - first) / step + 1e-9) + 1
        return [round(first + i * step, 10) for i in range(max(count, 0))]


def _floor_log10(value: float) -> int:
    return int(f"{value:e}".split("e")[1])


def number(value: float | None, digits: int = 3) -> str:
    """A number as people write it: about `digits` figures, a fixed number of decimals below 1, a real minus sign."""
    if value is None or isnan(value):
        return "–"
    size = abs(value)
    decimals = 0 if size >= 99.95 else 1 if size >= 9.995 else digits - 1 if size >= 1 else digits
    text = f"{value:.{decimals}f}"
    text = text.removeprefix("-") if not text.strip("-0.") else text
    return text.replace("-", "−")


def tick_text(value: float) -> str:
    """A round number as it stands at an axis."""
    return f"{value:.4g}".replace("-", "−")


def axis_for(measurements: Sequence[Measurement], target: Target | None, start: float, end: float) -> Axis:
    """An axis that holds all intervals and the target's bounds, with a little room at both ends."""
    values = [v for m in measurements for v in (m.value, m.lower, m.upper) if v is not None and not isnan(v)]
    values += [bound for bound in (target.lower, target.upper) if bound is not None] if target else []
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    room = 0.06 * (high - low) or 0.5
    floor = 0.0 if low >= 0.0 else low - room
    return Axis(low=max(floor, low - room) if low >= 0 else floor, high=high + room, start=start, end=end)


def interval_strip(measured: Measurement, before: Measurement | None, target: Target | None, axis: Axis) -> str:
    """The interval of one property against its target, as an SVG; `before` is the prediction before relaxation."""
    middle = STRIP_HEIGHT / 2 - 3
    parts = [_zone(target, axis, middle - 9, 18)]
    parts.append(f'<line class="axis" x1="{axis.start}" x2="{axis.end}" y1="{middle}" y2="{middle}"/>')
    if before is not None and before.value is not None:
        x = axis.at(before.value)
        parts.append(f'<path class="before" d="M{x:.1f} {middle + 5}l-3.2 5.5h6.4z"/>')
    if measured.lower is not None and measured.upper is not None:
        x1, x2 = axis.at(measured.lower), axis.at(measured.upper)
        parts.append(f'<line class="interval" x1="{x1:.1f}" x2="{x2:.1f}" y1="{middle}" y2="{middle}"/>')
    if measured.value is not None:
        parts.append(f'<circle class="mean" cx="{axis.at(measured.value):.1f}" cy="{middle}" r="4"/>')
    said = escape(_spoken(measured, target))
    return (
        f'<svg class="strip" viewBox="0 0 {STRIP_WIDTH:g} {STRIP_HEIGHT:g}" role="img" aria-label="{said}">'
        f"<title>{said}</title>{''.join(parts)}</svg>"
    )


def _spoken(measured: Measurement, target: Target | None) -> str:
    text = f"{measured.name.replace('_', ' ')} {number(measured.value)} {measured.unit}"
    if measured.lower is not None and measured.level is not None:
        level = f"{100 * measured.level:.0f}"
        text += f", {level} % interval {number(measured.lower)} to {number(measured.upper)}"
    return f"{text}; wanted: {target}" if target is not None else text


def _zone(target: Target | None, axis: Axis, top: float, height: float) -> str:
    """The accepted values as a tinted box; open ends run to the end of the axis."""
    if target is None or target.is_objective:
        return ""
    x1 = axis.start if target.lower is None else axis.at(target.lower)
    x2 = axis.end if target.upper is None else axis.at(target.upper)
    sides = "".join(
        f'<line class="bound" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{top + height}"/>'
        for x, bound in ((x1, target.lower), (x2, target.upper))
        if bound is not None
    )
    return f'<rect class="zone" x="{x1:.1f}" y="{top}" width="{max(x2 - x1, 1.5):.1f}" height="{height}"/>{sides}'


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One candidate in the overview: where it lies, whether it survived, and where its card is."""

    label: str
    link: str
    rank: int | None
    hull: float
    measured: Measurement


def overview(points: Sequence[Point], target: Target, stability: float, title: str) -> str:
    """One property against energy above hull: survivors filled and numbered, others hollow; accepted corner tinted."""
    width, height, left, bottom, top = 460.0, 300.0, 46.0, 38.0, 12.0
    hulls = [point.hull for point in points]
    low = min([0.0, *hulls])
    across = Axis(
        low=low * 1.1, high=max(min(max(hulls, default=0.2), 0.6), 2 * stability) * 1.04, start=left, end=width - 8
    )
    upwards = axis_for([point.measured for point in points], target, height - bottom, top)
    parts = [_corner(target, across, upwards, stability)]
    for value in across.ticks(5):
        x = across.at(value)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{height - bottom}"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - bottom + 15}" text-anchor="middle">{tick_text(value)}</text>')
    for value in upwards.ticks(5):
        y = upwards.at(value)
        parts.append(f'<line class="grid" x1="{left}" x2="{width - 8}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{left - 7}" y="{y + 3.5:.1f}" text-anchor="end">{tick_text(value)}</text>')
    x = across.at(stability)
    parts.append(f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{height - bottom}"/>')
    parts += [_mark(point, across, upwards) for point in sorted(points, key=lambda p: -(p.rank or 10**6))]
    parts.append(
        f'<text class="label" x="{(left + width - 8) / 2}" y="{height - 4}" text-anchor="middle">'
        "energy above hull, CHGNet (eV/atom)</text>"
    )
    return (
        f'<figure class="overview"><figcaption>{title}</figcaption>'
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(target.name)} against energy above hull">'
        f"{''.join(parts)}</svg></figure>"
    )


def _corner(target: Target, across: Axis, upwards: Axis, stability: float) -> str:
    if target.is_objective:
        return ""
    y1 = upwards.end if target.upper is None else upwards.at(target.upper)
    y2 = upwards.start if target.lower is None else upwards.at(target.lower)
    x2 = across.at(stability)
    box = f'x="{across.start}" y="{y1:.1f}" width="{x2 - across.start:.1f}" height="{max(y2 - y1, 2):.1f}"'
    return f'<rect class="zone" {box}/>'


def _mark(point: Point, across: Axis, upwards: Axis) -> str:
    x, measured = across.at(point.hull), point.measured
    if measured.value is None:
        return ""
    y = upwards.at(measured.value)
    kind = "other" if point.rank is None else "hit"
    whisker = ""
    if point.rank is not None and measured.lower is not None and measured.upper is not None:
        ends = f'y1="{upwards.at(measured.lower):.1f}" y2="{upwards.at(measured.upper):.1f}"'
        whisker = f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" {ends}/>'
    said = f"{point.label}: {number(measured.value)} {measured.unit}, {number(point.hull)} eV/atom above hull"
    name = (
        ""
        if point.rank is None or point.rank > 9
        else f'<text class="rank" x="{x:.1f}" y="{y + 3.2:.1f}">{point.rank}</text>'
    )
    radius = 3.2 if point.rank is None else 6.5 if point.rank <= 9 else 4
    dot = f'{whisker}<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>{name}<title>{escape(said)}</title>'
    return f'<a class="{kind}" href="#{point.link}">{dot}</a>' if point.link else f'<g class="{kind}">{dot}</g>'
