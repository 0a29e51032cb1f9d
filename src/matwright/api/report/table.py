"""The table of relaxed candidates: survivors by rank, then the others with the reason that stopped them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from matwright.api.design import result
from matwright.api.design.describe import formula_of, novelty_of, space_group_number, space_group_symbol
from matwright.api.design.records import DesignRecord, Measurement
from matwright.api.design.result import DesignResult
from matwright.api.design.surrogate import FORMATION_ENERGY
from matwright.api.report import wording
from matwright.api.report.cards import CardStyle, latest_prediction
from matwright.api.report.figures import number


def candidate_table(outcome: DesignResult, style: CardStyle, linked: set[str]) -> str:
    """The table as HTML; candidates in `linked` have a card to jump to."""
    if not outcome.relaxed:
        return ""
    ranks = {identity: rank for rank, identity in enumerate(outcome.ranked, start=1)}
    units = _units(outcome)
    heads = [("Rank", ""), ("Formula", ""), ("Space group", ""), ("Atoms", ""), ("Score", "")]
    shown = [name for name in style.properties if name != FORMATION_ENERGY or name in style.targets]
    heads += [(wording.label(name), units.get(name, "")) for name in shown]
    heads += [("Formation energy", "CHGNet, eV/atom"), ("Above hull", "CHGNet, eV/atom"), ("Unlike training data", "%")]
    row_head = "".join(
        f'<th scope="col"{_text_class(i)}><button>{name}</button><small>{unit}</small></th>'
        for i, (name, unit) in enumerate(heads)
    )
    row_head += '<th scope="col" class="text">Verdict</th><th scope="col" class="text">CIF</th>'
    rows = "".join(_row(record, ranks.get(record.id), shown, style, linked) for record in outcome.relaxed)
    table = f'<table class="sortable"><thead><tr>{row_head}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<div class="scroll">{table}</div>'


def _text_class(index: int) -> str:
    return ' class="text"' if index in (1, 2) else ""


def _units(outcome: DesignResult) -> dict[str, str]:
    rungs = (record.rung(result.SURROGATE) for record in outcome.relaxed)
    first = next((rung for rung in rungs if rung is not None), None)
    return {} if first is None else {m.name: wording.unit_html(m.unit) for m in first.measurements if m.unit != "1"}


def _row(record: DesignRecord, rank: int | None, properties: Sequence[str], style: CardStyle, linked: set[str]) -> str:
    formula = wording.formula_html(formula_of(record.crystal))
    name = f'<a href="#{record.id}">{formula}</a>' if record.id in linked else formula
    group = space_group_number(record)
    symbol = wording.space_group_html(space_group_symbol(group))
    cells = [
        _cell(str(rank) if rank else "", rank),
        f'<td class="text" data-value="{escape(formula_of(record.crystal))}">{name}</td>',
        f'<td class="text" data-value="{group or ""}">{symbol} <span>{group or ""}</span></td>',
        _cell(str(len(record.crystal)), len(record.crystal)),
        _measured_cell(record.measured("score")),
    ]
    cells += [_measured_cell(latest_prediction(record, name), interval=True) for name in properties]
    hull = record.rung(result.HULL)
    cells.append(_measured_cell(hull.measured("formation_energy_per_atom") if hull else None))
    cells.append(_measured_cell(hull.measured("e_above_hull") if hull else None))
    domain = record.measured("domain_score")
    share = None if domain is None or domain.value is None else 100 * domain.value
    cells.append(_cell("–" if share is None else f"{share:.0f}", share))
    fate = novelty_of(record) if rank else record.reason
    cells.append(f'<td class="fate">{escape(fate)}</td>')
    link = f'<a href="{style.cifs[record.id]}" download>CIF</a>' if record.id in style.cifs else ""
    cells.append(f'<td class="text">{link}</td>')
    kind = ' class="survivor"' if rank else ""
    return f"<tr{kind}>{''.join(cells)}</tr>"


def _measured_cell(measured: Measurement | None, *, interval: bool = False) -> str:
    if measured is None or measured.value is None:
        return _cell("–", None)
    text = number(measured.value)
    if interval and measured.lower is not None and measured.upper is not None:
        text += f" <span>{number(measured.lower)} … {number(measured.upper)}</span>"
    return _cell(text, measured.value)


def _cell(text: str, value: float | None) -> str:
    return f'<td data-value="{"" if value is None else f"{value:.6g}"}">{text}</td>'
