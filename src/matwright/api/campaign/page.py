"""The page of a campaign: what was found, the ladder of each of the best, how the search went, what it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path

from matwright.api.campaign.candidate import moment, number_text
from matwright.api.campaign.ledger import Ledger
from matwright.api.campaign.settings import CampaignSettings, StopSettings
from matwright.api.campaign.status import CampaignStatus, duration, summarise
from matwright.api.report import wording
from matwright.api.report.cards import crystal_figure
from matwright.api.report.figures import Axis, tick_text
from matwright.api.report.scene import gradients
from matwright.api.report.shell import made_by, section, whole_page
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
    shown = (ledger.hits or ledger.leaders)[:_CARDS]
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
    body = [
        f'<header><p class="kicker">Campaign · {escape(ledger.name)}</p><h1>{_headline(status)}</h1>',
        f'<ul class="targets">{wanted}</ul><dl class="facts">{listed}</dl></header><main>',
        section(
            "Candidates and their ladders",
            f"{lead}, best first: every rung that a candidate climbed, with its numbers, code, version and time.",
            f'<div class="cards">{cards}</div>' if cards else "",
        ),
        section("Rung by rung", "What was asked of each evaluator, and what came of it.", _rungs(status, ledger)),
        section("Round by round", "The share of hits among the candidates of each round.", _rounds(ledger)),
        section("All that is known", "Candidates with an answer, the best first.", _table(ledger)),
        section("What made this page", "", made_by({**provenance(), "campaign": to_plain(described)})),
        "</main>",
    ]
    return whole_page(f"{ledger.name} · matwright campaign", "".join(body), gradients(elements))


def _headline(status: CampaignStatus) -> str:
    word = "hit" if status.hits == 1 else "hits"
    return f"{status.hits} {word} among {status.candidates} candidates: {escape(status.stage)}"


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
    title = f"{facts.name} {facts.version[:12]}, {moment(record.created)}, {duration(record.seconds)}"
    settings = ", ".join(f"{key} {value}" for key, value in facts.settings.items())
    head = f"<b>{number}. {escape(name.replace('_', ' '))}</b><small>{escape(title)}</small>"
    if record.failure is not None:
        rows = f'<div class="measure"><span>{escape(record.failure.reason)}</span></div>'
    else:
        rows = "".join(
            f'<div class="measure"><span>{wording.label(key)}</span>'
            f'<span class="value"><b>{escape(number_text(value))}</b></span></div>'
            for key, value in record.values.items()
        )
    return f'<div class="rung" title="{escape(settings)}">{head}{rows}</div>'


def _origin(standing: Standing) -> str:
    said = dict(standing.member.provenance)
    words = [str(said[name]) for name in ("proposer", "id") if name in said]
    return escape(" ".join([*words, f"chosen by {said['chosen_by']}"] if "chosen_by" in said else words))


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
        small = f"{escape(ledger.rungs[place].evaluator.name)}, {one.fidelity}; {one.seconds:.3g} s each"
        inner = f'<div class="kept" style="width:{100 * good / max(one.done, 1):.1f}%"></div>'
        bar = f'<div class="lost" style="width:{100 * one.done / most:.1f}%">{inner}</div>'
        rows.append(
            f'<tr><td class="step"><b>{escape(one.name.replace("_", " "))}</b><small>{small}'
            f'{f"; gate: {gate}" if gate else ""}</small></td><td class="count">{one.done}</td>'
            f'<td class="bar">{bar}</td><td class="why">{" · ".join(why)}</td></tr>'
        )
    return f'<table class="funnel"><tbody>{"".join(rows)}</tbody></table>'


def _rounds(ledger: Ledger) -> str:
    """A table of the rounds, and the curve of hits over evaluations."""
    hits = {one.member.structure for one in ledger.hits}
    lines, points = [], [(0, 0)]
    for event in ledger.chosen_rounds:
        own = [one for one in ledger.standings if one.member.round_number == event.data["round"]]
        found = sum(one.member.structure in hits for one in own)
        merits = [merit for one in own if (merit := ledger.goal.merit(ledger.decided(one))) is not None]
        points.append((points[-1][0] + sum(len(one.records) for one in own), points[-1][1] + found))
        stopped = ", ".join(f"{number} {escape(rule)}" for rule, number in event.data["stopped"].items())
        best = f"{max(merits):.4g}" if merits else ""
        share = f"{100 * found / len(own):.0f} %" if own else ""
        cells = [event.data["round"] + 1, event.data["proposed"], stopped, len(own), found, share, best]
        lines.append(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    heads = ("round", "proposed", "stopped by the filter", "new candidates", "hits", "hit rate", "best merit")
    head = "".join(f"<th>{title}</th>" for title in heads)
    table = f'<table class="sortable"><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
    return f'{_curve(points)}<div class="scroll">{table}</div>' if lines else ""


def _curve(points: Sequence[tuple[int, int]]) -> str:
    width, height, left, bottom, top = 560.0, 220.0, 46.0, 38.0, 12.0
    across = Axis(low=0, high=max(points[-1][0], 1), start=left, end=width - 8)
    upwards = Axis(low=0, high=max(points[-1][1], 1), start=height - bottom, end=top)
    parts = []
    for value in across.ticks(5):
        x = across.at(value)
        parts.append(f'<text x="{x:.1f}" y="{height - bottom + 15}" text-anchor="middle">{tick_text(value)}</text>')
    for value in upwards.ticks(4):
        y = upwards.at(value)
        parts.append(f'<line class="grid" x1="{left}" x2="{width - 8}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{left - 7}" y="{y + 3.5:.1f}" text-anchor="end">{tick_text(value)}</text>')
    path = " ".join(f"{across.at(x):.1f},{upwards.at(y):.1f}" for x, y in points)
    parts.append(f'<polyline points="{path}" fill="none" stroke="var(--accent)" stroke-width="2"/>')
    parts.append(f'<text x="{(left + width - 8) / 2}" y="{height - 4}" text-anchor="middle">evaluations</text>')
    return (
        '<figure class="overview"><figcaption>Hits over evaluations, round by round</figcaption>'
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="hits over evaluations">'
        f"{''.join(parts)}</svg></figure>"
    )


def _table(ledger: Ledger) -> str:
    leaders = ledger.leaders[:_ROWS]
    if not leaders:
        return ""
    hits = {one.member.structure for one in ledger.hits}
    head = "".join(f"<th>{title}</th>" for title in ("formula", "address", *ledger.goal.names, "round", "rungs"))
    rows = []
    for one in leaders:
        values = ledger.decided(one)
        numbers = [escape(number_text(values[name])) if name in values else "" for name in ledger.goal.names]
        formula = wording.formula_html(reduced_formula(one.member.crystal))
        cells = [formula, one.member.structure[:10], *numbers, one.member.round_number + 1, len(one.records)]
        kind = ' class="survivor"' if one.member.structure in hits else ""
        rows.append(f"<tr{kind}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    table = f'<table class="sortable"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return f'<div class="scroll">{table}</div>'
