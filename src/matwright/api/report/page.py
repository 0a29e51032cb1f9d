"""Puts the report together, section by section, into one HTML text without outside references."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import log

from matwright.api.design import result
from matwright.api.design.describe import formula_of
from matwright.api.design.records import DesignRecord, Measurement
from matwright.api.design.result import DesignResult, FunnelStep
from matwright.api.report import wording
from matwright.api.report.cards import CardStyle, card, latest_prediction
from matwright.api.report.figures import MARGIN, STRIP_WIDTH, Point, axis_for, overview
from matwright.api.report.method import caveats, ranking_rule
from matwright.api.report.readiness import STYLE as READINESS_STYLE
from matwright.api.report.readiness import readiness_section
from matwright.api.report.scene import gradients
from matwright.api.report.shell import section, whole_page
from matwright.api.report.table import candidate_table
from matwright.materials.target import Target, TargetKind

MAX_CARDS = 24
"""Cards with a crystal to turn; the table below them holds every relaxed candidate."""


def render_report(outcome: DesignResult, *, title: str, cifs: Mapping[str, str]) -> str:
    """The page as HTML text.

    Args:
        outcome: the finished (or interrupted) run.
        title: for instance the name of the output folder.
        cifs: file name of a candidate's CIF, relative to the page, by candidate id.
    """
    style = _card_style(outcome, cifs)
    shown, heading = _shown(outcome)
    ranks = {identity: rank for rank, identity in enumerate(outcome.ranked, start=1)}
    cards = [card(record, ranks.get(record.id), style) for record in shown]
    elements = set().union(*(found for _, found in cards)) if cards else set()
    body = [
        _header(outcome, title),
        "<main>",
        _notes(outcome.notes),
        section(heading, _cards_lead(outcome, shown), f'<div class="cards">{"".join(text for text, _ in cards)}</div>'),
        _overviews(outcome, style, {record.id for record in shown}, ranks),
        section(
            "From proposals to survivors",
            "What each rung let pass and what it stopped. The bars are on a logarithmic scale.",
            _funnel(outcome),
        ),
        section(
            "All relaxed candidates",
            "Press a column's name to sort by it. Every candidate that was generated, with every verdict, residual and "
            'threshold, is in <a href="candidates.csv">candidates.csv</a>.',
            candidate_table(outcome, style, {record.id for record in shown}),
        ),
        "" if outcome.readiness is None else readiness_section(outcome.readiness),
        section("How candidates are ranked", "", ranking_rule(outcome)),
        section("What to keep in mind", "", caveats(outcome)),
        section("Words used here", "", _glossary()),
        section("What made this page", "", _provenance(outcome)),
        "</main>",
        f"<footer>Made by matwright {escape(str(outcome.provenance.get('version', '')))}. Structures, numbers and "
        "reasons on "
        "this page are predictions: the next rungs are phonons, density functional theory and the laboratory.</footer>",
    ]
    styles = ("style.css", READINESS_STYLE)
    return whole_page(f"{title} · matwright design", "".join(body), gradients(elements), styles=styles)


def _header(outcome: DesignResult, title: str) -> str:
    wanted = "".join(f"<li>{wording.target_html(target)}</li>" for target in outcome.targets)
    said = outcome.provenance.get("settings", {}).get("conditions", ())
    best = outcome.survivors[:1]
    answer = (
        f"The best candidate is <strong>{wording.formula_html(formula_of(best[0].crystal))}</strong>."
        if best
        else "No candidate passed every rung; the closest are shown below."
    )
    facts = (
        ("generated", len(outcome.records)),
        ("relaxed", len(outcome.relaxed)),
        ("survivors", len(outcome.ranked)),
        ("formulas among them", len({formula_of(record.crystal) for record in outcome.survivors})),
    )
    counted = "".join(f"<div><dt>{name}</dt><dd>{value:,}</dd></div>".replace(",", "\u202f") for name, value in facts)
    return (
        f'<header><p class="kicker">Design report · {escape(title)}</p><h1>{_headline(outcome)}</h1>'
        f'<p class="lead">{answer}</p><ul class="targets">{wanted}</ul>{wording.conditions_html(said)}'
        f'<dl class="facts">{counted}</dl></header>'
    )


def _headline(outcome: DesignResult) -> str:
    count = len(outcome.ranked)
    if count == 0:
        return "No survivors yet"
    return f"{count} candidate{'s' if count > 1 else ''} worth a closer look"


def _notes(notes: Sequence[str]) -> str:
    return "".join(f'<p class="note">{escape(note)}</p>' for note in notes)


def _shown(outcome: DesignResult) -> tuple[list[DesignRecord], str]:
    """The records that get a card, and the heading above them."""
    if outcome.ranked:
        return outcome.survivors[:MAX_CARDS], "The candidates"
    return outcome.relaxed[:6], "The closest misses"


def _cards_lead(outcome: DesignResult, shown: Sequence[DesignRecord]) -> str:
    text = (
        "Drag a crystal to turn it; a double click turns it back. A bar is the interval of the prediction, the dot "
        "its mean, the open triangle the prediction before relaxation; green marks what was asked for. A mean in red "
        "lies outside the target, while its interval reaches it."
    )
    if len(outcome.ranked) > len(shown):
        text += f" The best {len(shown)} of {len(outcome.ranked)} are shown."
    return text


def _card_style(outcome: DesignResult, cifs: Mapping[str, str]) -> CardStyle:
    bounded = {target.name: target for target in outcome.targets if not target.is_objective}
    bounded.setdefault(
        "e_above_hull",
        Target(name="e_above_hull", unit="eV/atom", kind=TargetKind.MAXIMUM, upper=outcome.stability),
    )
    predicted = _properties(outcome)
    relaxed = outcome.relaxed
    axes = {}
    for name in predicted:
        taken = [m for record in relaxed for m in _both(record, name)]
        axes[name] = axis_for(taken, bounded.get(name), MARGIN, STRIP_WIDTH - MARGIN)
    hulls = [Measurement(name="e_above_hull", value=2.2 * outcome.stability, unit="eV/atom")]
    hulls += [m for r in outcome.survivors if (m := r.measured("e_above_hull")) is not None]
    axes["e_above_hull"] = axis_for(hulls, None, MARGIN, STRIP_WIDTH - MARGIN)
    return CardStyle(properties=predicted, axes=axes, targets=bounded, stability=outcome.stability, cifs=cifs)


def _both(record: DesignRecord, name: str) -> Iterable[Measurement]:
    rungs = (record.rung(result.SURROGATE), record.rung(result.PREDICTION))
    return (m for rung in rungs if rung is not None and (m := rung.measured(name)) is not None)


def _properties(outcome: DesignResult) -> tuple[str, ...]:
    """Predicted properties, those asked for first; numbers that are no property of the material are left out."""
    first = next((rung for r in outcome.relaxed if (rung := r.rung(result.SURROGATE)) is not None), None)
    if first is None:
        return ()
    predicted = [m.name for m in first.measurements if m.level is not None and m.name != "e_above_hull"]
    asked = [target.name for target in outcome.targets if target.name in predicted]
    return tuple(dict.fromkeys([*asked, *predicted]))


def _overviews(outcome: DesignResult, style: CardStyle, linked: set[str], ranks: Mapping[str, int]) -> str:
    pictures = []
    for name in [target.name for target in outcome.targets if target.name in style.properties] or style.properties[:1]:
        points = []
        for record in outcome.relaxed:
            hull = record.measured("e_above_hull") if record.rung(result.HULL) else None
            measured = latest_prediction(record, name)
            if hull is None or hull.value is None or measured is None:
                continue
            link = record.id if record.id in linked else ""
            points.append(
                Point(
                    label=formula_of(record.crystal),
                    link=link,
                    rank=ranks.get(record.id),
                    hull=hull.value,
                    measured=measured,
                )
            )
        target = next((t for t in outcome.targets if t.name == name), None)
        if points and target is not None:
            caption = f"{wording.label(name)} ({escape(points[0].measured.unit)})"
            pictures.append(overview(points, target, outcome.stability, caption))
    lead = "Every relaxed candidate. Green is what was asked for; numbers are ranks, and lead to the card."
    return section(
        "Property against stability", lead, f'<div class="overviews">{"".join(pictures)}</div>' if pictures else ""
    )


def _funnel(outcome: DesignResult) -> str:
    steps = outcome.funnel()
    most = max((step.entered for step in steps), default=1)
    rows = [
        _funnel_row("Generated", "proposals of the generator", len(outcome.records), len(outcome.records), most, "")
    ]
    rows += [_step_row(step, most) for step in steps]
    return f'<table class="funnel"><tbody>{"".join(rows)}</tbody></table>'


def _step_row(step: FunnelStep, most: int) -> str:
    title, means = wording.RUNG_TITLES.get(step.rung, (step.rung, ""))
    why = " · ".join(f"<b>{count}</b> {wording.rule_title(rule)}" for rule, count in step.stopped_by[:4])
    others = sum(count for _, count in step.stopped_by[4:])
    if others:
        why += f" · <b>{others}</b> for other reasons"
    return _funnel_row(title, means, step.passed, step.entered, most, why)


def _funnel_row(title: str, means: str, passed: int, entered: int, most: int, why: str) -> str:
    def width(count: int) -> float:
        return 100 * log(1 + count) / log(1 + max(most, 1))

    kept = 100 * width(passed) / width(entered) if entered else 0
    inner = f'<div class="kept" style="width:{kept:.1f}%"></div>'
    bar = f'<div class="lost" style="width:{width(entered):.1f}%">{inner}</div>'
    return (
        f'<tr><td class="step"><b>{title}</b><small>{means}</small></td><td class="count">{passed}</td>'
        f'<td class="bar">{bar}</td><td class="why">{why}</td></tr>'
    )


def _glossary() -> str:
    entries = "".join(f"<dt>{word}</dt><dd>{meaning}</dd>" for word, meaning in wording.GLOSSARY)
    return f'<dl class="glossary">{entries}</dl>'


def _provenance(outcome: DesignResult) -> str:
    text = escape(json.dumps(outcome.provenance, indent=2, ensure_ascii=False, default=str))
    command = escape(str(outcome.provenance.get("command", "")))
    return (
        f"<pre>{command}</pre><p>The same command with the same seed gives the same candidates on the same machine. "
        f'Everything that went in is in <a href="run.json">run.json</a>:</p><details><summary>run.json</summary>'
        f"<pre>{text}</pre></details>"
    )
