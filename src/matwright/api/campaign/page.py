"""The page of a campaign: what was found, the ladder of each of the best, how the search went, what it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from math import floor, log10
from pathlib import Path
from typing import Any

from matwright.api.campaign.candidate import moment
from matwright.api.campaign.ledger import Ledger
from matwright.api.campaign.settings import CampaignSettings, StopSettings
from matwright.api.campaign.status import CampaignStatus, duration, summarise
from matwright.api.report import wording
from matwright.api.report.cards import crystal_figure
from matwright.api.report.figures import Axis, tick_text
from matwright.api.report.scene import gradients
from matwright.api.report.shell import made_by, section, whole_page
from matwright.campaign.evaluator import Quantity
from matwright.campaign.ladder import Standing
from matwright.campaign.store.records import Record
from matwright.campaign.store.store import Store
from matwright.errors import InputError
from matwright.materials.interop import reduced_formula
from matwright.runs import provenance
from matwright.serialization import atomic_write_text, to_plain

_CARDS, _ROWS = 12, 200


def write_report(settings: CampaignSettings, out: Path | None) -> Path:
    """Write the page of a campaign; its path. By default it lies beside the campaign's file, and takes its own place.

    Raises:
        InputError: the campaign has not been run, or the file that is asked for exists.
    """
    if "://" not in settings.store and not Path(settings.store).is_file():
        raise InputError(f"the campaign {settings.name!r} has not been run: there is no store at {settings.store}")
    if out is not None and out.exists():
        raise InputError(f"{out} exists; nothing was overwritten: give a new file")
    with Store.open(settings.store, create=False) as store:
        ledger = Ledger.read(store, settings.name)
        text = campaign_page(ledger, settings.stop, store.campaign_settings(settings.name) or {})
    target = out if out is not None else settings.folder / f"{settings.name}.html"
    atomic_write_text(target, text)
    return target


def campaign_page(ledger: Ledger, stop: StopSettings, described: dict[str, object]) -> str:
    """The page as HTML text.

    Args:
        ledger: what the store knows.
        stop: rules that end the campaign.
        described: the settings that the campaign was begun with.
    """
    status = summarise(ledger, stop)
    best = ledger.hits or ledger.leaders
    shown = best[:_CARDS]
    cards, elements = _cards(ledger, shown)
    wanted = "".join(f"<li>{wording.target_html(target)}</li>" for target in ledger.goal.targets)
    facts = (
        ("hits", status.hits),
        ("candidates", status.candidates),
        ("evaluations", status.evaluations),
        ("rounds", status.rounds),
        ("computing time", duration(status.seconds)),
    )
    listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    lead = "The hits" if ledger.hits else "No candidate meets every target yet; the nearest"
    if len(best) > len(shown):
        lead += f", {len(shown)} of {len(best)}"
    said: Any = described.get("conditions", ())
    known = len(ledger.leaders)
    listing = f"The best {_ROWS} of {known} candidates" if known > _ROWS else "Candidates"
    body = [
        f'<header><p class="kicker">Campaign · {escape(ledger.name)} · {escape(status.stage)}</p>',
        f"<h1>{_headline(status)}</h1>",
        f'<ul class="targets">{wanted}</ul>{wording.conditions_html(said)}'
        f'<dl class="facts">{listed}</dl></header><main>',
        section(
            "Candidates and their ladders",
            f"{lead}, best first: every rung that a candidate climbed, with its numbers, code, version and time.",
            f'<div class="cards">{cards}</div>' if cards else "",
        ),
        section(
            "Rung by rung",
            "What was asked of each evaluator, and what came of it: coloured what passed, grey what did not.",
            _rungs(status, ledger),
        ),
        section(
            "Round by round",
            "What each round proposed and found; press a column's name to sort by it.",
            _rounds(ledger),
        ),
        section("All that is known", f"{listing} with an answer, the best first; hits are tinted.", _table(ledger)),
        section("What made this page", "", made_by({**provenance(), "campaign": to_plain(described)})),
        "</main>",
    ]
    return whole_page(f"{ledger.name} · matwright campaign", "".join(body), gradients(elements))


def _headline(status: CampaignStatus) -> str:
    word = "hit" if status.hits == 1 else "hits"
    return f"{status.hits} {word} among {status.candidates} candidates"


def _cards(ledger: Ledger, shown: Sequence[Standing]) -> tuple[str, set[int]]:
    parts, elements = [], set()
    for place, standing in enumerate(shown, start=1):
        picture, numbers = crystal_figure(standing.crystal)
        elements |= numbers
        formula = wording.formula_html(reduced_formula(standing.member.crystal))
        steps = "".join(
            _step(number, record, rung.name)
            for number, (record, rung) in enumerate(zip(standing.records, ledger.rungs, strict=False), start=1)
        )
        parts.append(
            f'<article id="c-{standing.member.structure[:12]}"><div class="head"><span class="place">{place}</span>'
            f'<h3 class="formula">{formula}</h3><span class="group">{standing.member.structure[:10]}</span></div>'
            f'{picture}<div class="measures">{steps}</div>'
            f'<div class="foot"><span>round {standing.member.round_number + 1}</span><span>{_origin(standing)}</span>'
            "</div></article>"
        )
    return "".join(parts), elements


def _step(number: int, record: Record, name: str) -> str:
    """One rung of a ladder."""
    facts = record.evaluator
    title = f"{escape(f'{facts.name} {facts.version[:12]}')}, <span>{moment(record.created)}</span>, "
    title += f"<span>{duration(record.seconds)}</span>"
    settings = ", ".join(f"{key} {value}" for key, value in facts.settings.items())
    head = f"<b>{number}. {escape(name.replace('_', ' '))}</b><small>{title}</small>"
    if record.failure is not None:
        rows = f'<div class="measure"><span>{escape(record.failure.reason)}</span></div>'
    else:
        rows = "".join(
            f'<div class="measure"><span>{wording.label(key)}</span>'
            f'<span class="value"><b>{rounded_html(value)}</b>{_unit_html(value.unit)}</span></div>'
            for key, value in record.values.items()
        )
    return f'<div class="rung" title="{escape(settings)}">{head}{rows}</div>'


def _origin(standing: Standing) -> str:
    said = dict(standing.member.provenance)
    words = [str(said[name]) for name in ("proposer", "id") if name in said]
    return escape(", ".join([" ".join(words), f"chosen by {said['chosen_by']}"] if "chosen_by" in said else words))


def _rungs(status: CampaignStatus, ledger: Ledger) -> str:
    most = max([one.done for one in status.rungs], default=1) or 1
    rows = []
    for place, one in enumerate(status.rungs):
        good = one.done - one.failed - one.stopped
        reasons = Counter(
            standing.records[place].failure.kind.value  # type: ignore[union-attr]
            for standing in ledger.standings
            if len(standing.records) > place and standing.records[place].failure is not None
        )
        why = [f"<b>{one.stopped}</b> stopped by its gate"] if one.stopped else []
        why += [f"<b>{number}</b> {escape(kind)}" for kind, number in reasons.most_common(4)]
        gate = " · ".join(wording.target_html(target) for target in ledger.rungs[place].gate)
        words = dict.fromkeys((ledger.rungs[place].evaluator.name, one.fidelity))
        small = f"{escape(', '.join(words))}; {duration(one.seconds)} each"
        inner = f'<div class="kept" style="width:{100 * good / max(one.done, 1):.1f}%"></div>'
        bar = f'<div class="lost" style="width:{100 * one.done / most:.1f}%">{inner}</div>'
        rows.append(
            f'<tr><td class="step"><b>{escape(one.name.replace("_", " "))}</b><small>{small}'
            f'{f"; gate: {gate}" if gate else ""}</small></td><td class="count">{one.done}</td>'
            f'<td class="bar">{bar}</td><td class="why">{" · ".join(why)}</td></tr>'
        )
    return f'<table class="funnel"><tbody>{"".join(rows)}</tbody></table>'


def _rounds(ledger: Ledger) -> str:
    """The curves of hits and of the best value over evaluations, and a table of the rounds."""
    hits = {one.member.structure for one in ledger.hits}
    leading = ledger.goal.leading
    lines: list[str] = []
    points, best = [(0.0, 0.0)], []
    top: tuple[float, float] | None = None  # merit and value of the best so far
    for event in ledger.chosen_rounds:
        own = [one for one in ledger.standings if one.member.round_number == event.data["round"]]
        found = sum(one.member.structure in hits for one in own)
        points.append((points[-1][0] + sum(len(one.records) for one in own), points[-1][1] + found))
        known = [pair for one in own if (pair := _leading(ledger, one)) is not None]
        top = max([*known, *([top] if top else [])], default=None)
        if top is not None:
            best.append((points[-1][0], top[1]))
        stopped = ", ".join(f"{number} {escape(rule)}" for rule, number in event.data["stopped"].items())
        share = 100 * found / len(own) if own else None
        highest = max(known)[1] if known else None
        cells = [
            _cell(f"{event.data['round'] + 1}"),
            _cell(f"{event.data['proposed']}"),
            _cell(stopped or "none", text=True),
            _cell(f"{len(own)}"),
            _cell(f"{found}"),
            _cell("" if share is None else f"{share:.0f} %", share),
            _cell("" if highest is None else _set(f"{highest:.4g}"), highest),
        ]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    if not lines:
        return ""
    name = f"best {wording.label(leading.name)}{_unit_html(leading.unit, '({})')}"
    heads = ["round", "proposed", "stopped by the filter", "new candidates", "hits", "hit rate", name]
    figures = curve(points, "Hits over evaluations, round by round", "hits")
    if len(best) > 1:
        title = f"Best {wording.label(leading.name)} so far{_unit_html(leading.unit, '({})')}, other targets aside"
        figures += curve(best, title, "")
    return f'<div class="overviews">{figures}</div>{_sortable(heads, lines, text=(2,))}'


def _leading(ledger: Ledger, one: Standing) -> tuple[float, float] | None:
    """Merit and value of the leading quantity, None where it is not known."""
    values = ledger.decided(one)
    merit = ledger.goal.merit(values)
    return None if merit is None else (merit, values[ledger.goal.leading.name].value)


def curve(points: Sequence[tuple[float, float]], title: str, upwards_label: str) -> str:
    """A line through points over evaluations, as a figure.

    Args:
        points: (evaluations, value) in their order; a value axis begins at 0 where the values begin there.
        title: HTML.
        upwards_label: beside the vertical axis.
    """
    width, height, left, bottom, top = 560.0, 220.0, 52.0, 38.0, 12.0
    values = [y for _, y in points]
    low, high = min(values), max(values)
    room = 0.0 if low == 0.0 else 0.08 * (high - low or abs(high) or 1.0)
    across = Axis(low=0, high=max(points[-1][0], 1), start=left, end=width - 12)
    upwards = Axis(
        low=low - room, high=(high + room) if high > low or room else low + 1, start=height - bottom, end=top
    )
    parts = []
    for value in across.ticks(5):
        x = across.at(value)
        parts.append(f'<text x="{x:.1f}" y="{height - bottom + 15}" text-anchor="middle">{tick_text(value)}</text>')
    for value in upwards.ticks(4):
        y = upwards.at(value)
        parts.append(f'<line class="grid" x1="{left}" x2="{width - 12}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{left - 7}" y="{y + 3.5:.1f}" text-anchor="end">{tick_text(value)}</text>')
    path = " ".join(f"{across.at(x):.1f},{upwards.at(y):.1f}" for x, y in points)
    parts.append(f'<polyline points="{path}" fill="none" stroke="var(--accent)" stroke-width="2"/>')
    parts += [
        f'<circle cx="{across.at(x):.1f}" cy="{upwards.at(y):.1f}" r="{3 if len(points) <= 40 else 1.5}" '
        f'fill="var(--accent)"><title>{tick_text(x)} evaluations: {tick_text(y)}</title></circle>'
        for x, y in points
    ]
    parts.append(f'<text x="{(left + width - 12) / 2}" y="{height - 4}" text-anchor="middle">evaluations</text>')
    if upwards_label:
        middle = (top + height - bottom) / 2
        turned = f'transform="translate(12 {middle}) rotate(-90)" text-anchor="middle"'
        parts.append(f"<text {turned}>{escape(upwards_label)}</text>")
    return (
        f'<figure class="overview"><figcaption>{title}</figcaption>'
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img">{"".join(parts)}</svg></figure>'
    )


def _table(ledger: Ledger) -> str:
    leaders = ledger.leaders[:_ROWS]
    if not leaders:
        return ""
    hits = {one.member.structure for one in ledger.hits}
    targets = ledger.goal.targets
    named = [f"{wording.label(one.name)}{_unit_html(one.unit, '({})')}" for one in targets]
    rows = []
    for one in leaders:
        values = ledger.decided(one)
        numbers = [values.get(target.name) for target in targets]
        formula = reduced_formula(one.member.crystal)
        cells = [
            _cell(wording.formula_html(formula), formula, text=True),
            _cell(one.member.structure[:10], text=True),
            *(_cell("") if value is None else _cell(rounded_html(value), value.value) for value in numbers),
            _cell(f"{one.member.round_number + 1}"),
            _cell(f"{len(one.records)} of {len(ledger.rungs)}", len(one.records)),
        ]
        kind = ' class="survivor"' if one.member.structure in hits else ""
        rows.append(f"<tr{kind}>{''.join(cells)}</tr>")
    return _sortable(["formula", "address", *named, "round", "rungs climbed"], rows, text=(0, 1))


def _sortable(heads: Sequence[str], rows: Sequence[str], *, text: Sequence[int]) -> str:
    """A table that a press on a heading sorts; long ones scroll below their headings."""
    kinds = [' class="text"' if place in text else "" for place in range(len(heads))]
    head = "".join(
        f'<th{kind}><button type="button">{one}</button></th>' for one, kind in zip(heads, kinds, strict=True)
    )
    table = f'<table class="sortable"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return f'<div class="scroll tall">{table}</div>'


def _cell(html: str, value: float | str | None = None, *, text: bool = False) -> str:
    """A cell; `value` is what it is sorted by, where that is not what it says."""
    key = "" if value is None else f' data-value="{escape(str(value))}"'
    kind = ' class="text"' if text else ""
    return f"<td{kind}{key}>{html}</td>"


def rounded_html(quantity: Quantity) -> str:
    """A value with as many figures as its standard deviation bears (two of that), else with four; without unit."""
    value, std = quantity.value, quantity.std
    if std is None or not std > 0:
        return _set(f"{value:.4g}")
    if max(abs(value), std) < 1e-3 or std >= 1e5:
        return _set(f"{value:.3g} ± {std:.2g}")
    decimals = max(0, 1 - floor(log10(std)))
    return _set(f"{value:.{decimals}f} ± {std:.{decimals}f}")


def _set(text: str) -> str:
    """Numbers as they are printed: a real minus sign, powers of ten set high."""
    parts = text.replace("-", "−").split("e")
    done = parts[0]
    for part in parts[1:]:
        power, _, rest = part.partition(" ")
        sign, digits = ("−", power[1:]) if power.startswith("−") else ("", power.removeprefix("+"))
        done += f" × 10<sup>{sign}{digits.lstrip('0') or '0'}</sup>{' ' + rest if rest else ''}"
    return done


def _unit_html(unit: str, shape: str = "{}") -> str:
    """A unit after its number or name, with a space before it; nothing for a pure number."""
    said = wording.unit_html(unit)
    return " " + shape.format(said) if said else ""
