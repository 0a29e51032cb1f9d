"""The readiness report as a page, and as a section of the report of a design run."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from itertools import pairwise

import numpy as np

from matwright.api.knowledge import TargetKnowledge
from matwright.api.readiness import Readiness, Standing, TargetReadiness
from matwright.api.report import wording
from matwright.api.report.figures import Axis, number, tick_text
from matwright.api.report.shell import made_by, section, whole_page

WIDTH, LEFT, RIGHT = 460.0, 8.0, 8.0
TOP, DENSITY, GAP, ERRORS, FOOT = 6.0, 92.0, 12.0, 62.0, 34.0
BINS = 46
"""Columns of the picture of the training values."""
STYLE = "readiness.css"
_SAID = {
    Standing.INSIDE: "inside what the model knows",
    Standing.EDGE: "at the edge",
    Standing.OUTSIDE: "outside",
    Standing.EXACT: "needs no model",
    Standing.UNKNOWN: "not known",
}


def render_readiness(ready: Readiness, *, record: Mapping[str, object]) -> str:
    """The page as HTML text; `record` says what made it."""
    wanted = "".join(f"<li>{wording.target_html(one.target)}</li>" for one in ready.targets)
    body = (
        '<header><p class="kicker">Readiness</p><h1>Can this be asked of the models?</h1>'
        f'<ul class="targets">{wanted}</ul></header><main>'
        + readiness_section(ready, heading="What the models know of it")
        + section("How to read this", "", _HOW)
        + section("What made this page", "", made_by(record))
        + "</main>"
    )
    return whole_page("Readiness · matwright", body, styles=("style.css", STYLE))


def readiness_section(ready: Readiness, *, heading: str = "Before the run: readiness") -> str:
    """The three sentences, the remarks and one picture a target as a section."""
    sentences = "".join(f"<li>{escape(sentence)}</li>" for sentence in (*ready.sentences, *ready.remarks))
    pictures = "".join(_figure(one) for one in ready.targets if one.knowledge is not None)
    lead = (
        "Grey: the values that the model was trained on. Below: its mean error on held-out materials, by predicted "
        "value; the dashed line is the error over all. Green is what was asked for."
        if pictures
        else ""
    )
    return section(heading, lead, f'<ol class="readiness">{sentences}</ol><div class="standing">{pictures}</div>')


def _figure(one: TargetReadiness) -> str:
    unit = wording.unit_html(one.unit)
    title = f"{wording.label(one.basis)} ({unit})" if unit else wording.label(one.basis)
    said = _SAID[one.standing] if one.basis == one.target.name else "with the hull"
    caption = f'<figcaption>{title}<b class="{one.standing.value}">{said}</b></figcaption>'
    return f'<figure class="spread">{caption}{picture(one)}</figure>'


def picture(one: TargetReadiness) -> str:
    """Training values and held-out errors of one target as SVG; nothing without knowledge."""
    knowledge = one.knowledge
    if knowledge is None:
        return ""
    axis = _axis(one, knowledge)
    height = TOP + DENSITY + GAP + ERRORS + FOOT
    bottom = TOP + DENSITY + GAP + ERRORS
    grid = "".join(
        f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP:g}" y2="{bottom:g}"/>'
        f'<text x="{x:.1f}" y="{bottom + 14:g}" text-anchor="middle">{tick_text(value)}</text>'
        for value in axis.ticks(6)
        for x in [axis.at(value)]
    )
    unit = wording.unit_html(one.unit) or "1"
    asked = "training values, held-out errors and target" if one.basis == one.target.name else "training values"
    return (
        f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="{escape(one.basis)}: {asked}">'
        f"{_zone(one, axis, bottom)}{grid}{_density(knowledge, axis)}{_errors(knowledge, axis, one.unit)}"
        f'<text class="label" x="{WIDTH / 2:g}" y="{height - 3:g}" text-anchor="middle">'
        f"{escape(one.basis.replace('_', ' '))} ({unit})</text></svg>"
    )


def _axis(one: TargetReadiness, knowledge: TargetKnowledge) -> Axis:
    """From the least to the greatest training value or bound of the target, whichever is farther."""
    bounds = [bound for bound in (one.lower, one.upper) if bound is not None]
    low, high = min([float(knowledge.values[0]), *bounds]), max([float(knowledge.values[-1]), *bounds])
    room = 0.03 * (high - low) or 0.5
    return Axis(low=low - room, high=high + room, start=LEFT, end=WIDTH - RIGHT)


def _zone(one: TargetReadiness, axis: Axis, bottom: float) -> str:
    if one.lower is None and one.upper is None:
        return ""
    x1 = axis.start if one.lower is None else axis.at(one.lower)
    x2 = axis.end if one.upper is None else axis.at(one.upper)
    sides = "".join(
        f'<line class="bound" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP:g}" y2="{bottom:g}"/>'
        for x, bound in ((x1, one.lower), (x2, one.upper))
        if bound is not None
    )
    box = f'x="{x1:.1f}" y="{TOP:g}" width="{max(x2 - x1, 1.5):.1f}" height="{bottom - TOP:g}"'
    return f'<rect class="zone" {box}/>{sides}'


def _density(knowledge: TargetKnowledge, axis: Axis) -> str:
    """The share of the training values in each column, as a histogram drawn from the quantiles."""
    ends = np.linspace(axis.low, axis.high, BINS + 1)
    below = np.array([knowledge.share_below(end) for end in ends.tolist()])
    heights = np.sqrt(np.diff(below))  # a root lets rare values be seen beside frequent ones
    top = float(heights.max()) or 1.0
    base = TOP + DENSITY
    return "".join(
        f'<rect class="trained" x="{axis.at(float(low)):.1f}" y="{base - DENSITY * tall / top:.1f}" '
        f'width="{axis.at(float(high)) - axis.at(float(low)) - 0.6:.1f}" height="{DENSITY * tall / top:.1f}"/>'
        for (low, high), tall in zip(pairwise(ends.tolist()), heights.tolist(), strict=True)
        if tall > 0
    )


def _errors(knowledge: TargetKnowledge, axis: Axis, unit: str) -> str:
    """The mean absolute error of the held-out materials predicted in each bin; an empty bin is dashed."""
    counts = knowledge.counts.sum(axis=0)
    if not counts.any():
        return ""
    errors = knowledge.absolute / np.maximum(counts, 1)
    top, base = max(float(errors.max()), knowledge.mae), TOP + DENSITY + GAP + ERRORS
    ends = [axis.low, *knowledge.edges.tolist(), axis.high]
    bars = [
        _bar(axis.at(low), axis.at(high), base, ERRORS * error / top, int(count), error)
        for (low, high), error, count in zip(pairwise(ends), errors.tolist(), counts.tolist(), strict=True)
        if count or (high > knowledge.values[0] and low < knowledge.values[-1])
    ]
    y = base - ERRORS * knowledge.mae / top
    whole = f'<line class="whole" x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}"/>'
    said = f"{number(knowledge.mae)} {wording.unit_html(unit)}".rstrip()
    label = f'<text class="over" x="{WIDTH - RIGHT - 2:g}" y="{y - 4:.1f}" text-anchor="end">{said}</text>'
    return "".join(bars) + whole + label


def _bar(x1: float, x2: float, base: float, tall: float, count: int, error: float) -> str:
    said = f"{count} held-out materials, mean error {number(error)}" if count else "no held-out material"
    kind, tall = ("error", tall) if count else ("untold", ERRORS)
    box = f'x="{x1:.1f}" y="{base - tall:.1f}" width="{max(x2 - x1 - 0.8, 0.6):.1f}" height="{tall:.1f}"'
    return f'<rect class="{kind}" {box}><title>{said}</title></rect>'


_HOW = (
    "<p>A model interpolates. Where it has seen hardly any material with such a value, it pulls predictions back to "
    "what it knows: the mean error grows, predictions lean to one side, and few of the materials that are there are "
    "found. A design run can still be worth its time; its hits then need to be checked by calculation first.</p>"
    "<p>The errors are those of the materials <em>predicted</em> in the range, because this is how a design run "
    "chooses. What is counted as known nearby comes from the training data of the model and from a table of stable "
    "compounds of the Materials Project; it is not a search of the literature.</p>"
)
