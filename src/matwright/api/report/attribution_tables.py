"""The tables of an explanation: agreement of the methods, sites, kinds of bonds."""

from __future__ import annotations

from collections.abc import Sequence

from matwright.api.report.figures import number
from matwright.explain.attribution import Attribution
from matwright.explain.explanation import Agreement, Explanation


def attribution_tables(explanation: Explanation, attribution: Attribution) -> str:
    """All three as HTML."""
    return _agreement(explanation, attribution) + _sites(explanation, attribution) + _kinds(explanation, attribution)


def _agreement(explanation: Explanation, attribution: Attribution) -> str:
    atoms, bonds = explanation.agreement(attribution)
    rows = "".join(
        f'<tr><td class="text">{first} – {second}</td><td>{_rho(atoms, (first, second))}</td>'
        f"<td>{_rho(bonds, (first, second))}</td></tr>"
        for first, second in atoms
    )
    return _table(("Rank correlation of", "over the atoms", "over the bonds"), rows)


def _rho(found: Agreement, pair: tuple[str, str]) -> str:
    value = found[pair]
    return "too few differ" if value is None else f"{value:.2f}".replace("-", "−")


def _sites(explanation: Explanation, attribution: Attribution) -> str:
    halves = explanation.with_bonds(attribution)
    atoms, saliency = attribution.contributions.atoms, attribution.saliency.atoms
    rows = "".join(
        f'<tr><td>{site + 1}</td><td class="text">{name}</td>{_cell(atoms[site])}'
        f"{_cell(halves[site])}{_cell(saliency[site])}"
        f"{_cell(explanation.explained.attention_atoms[site])}</tr>"
        for site, name in enumerate(explanation.site_names())
    )
    heads = ("Site", "Element", "Itself", "Half its bonds", "Saliency", "Attention")
    return _table(heads, rows)


def _kinds(explanation: Explanation, attribution: Attribution) -> str:
    kinds = explanation.bond_kinds(attribution)
    if not kinds:
        return ""
    rows = "".join(
        f'<tr><td class="text">{kind.name}</td><td>{f"{kind.distance:.2f}" if kind.distance else "–"}</td>'
        f"<td>{kind.count}</td>{_cell(kind.total)}{_cell(kind.total / kind.count)}</tr>"
        for kind in kinds
    )
    return _table(("Bond", "Å", "Number", "Together", "Each"), rows)


def _cell(value: float) -> str:
    return f'<td data-value="{value:.6g}">{number(float(value))}</td>'


def _table(heads: Sequence[str], rows: str) -> str:
    row = "".join(f'<th scope="col"><button>{head}</button></th>' for head in heads)
    return (
        f'<div class="scroll"><table class="sortable"><thead><tr>{row}</tr></thead><tbody>{rows}</tbody></table></div>'
    )
