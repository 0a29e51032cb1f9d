"""The page of a screening: what each rung let pass, stopped and cost, and the survivors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import log

from matwright.api.design.describe import formula_of, space_group_number, space_group_symbol
from matwright.api.design.records import DesignRecord
from matwright.api.report import wording
from matwright.api.report.shell import made_by, section, whole_page
from matwright.api.screen.result import RungCount, ScreenResult

_SHOWN = 200
_MEANS = {
    "density": "volume per atom and mass density in range",
    "geometry": "shortest distances, periodic self-images included",
    "chemistry": "charge neutrality and rules of chemistry",
    "symmetry": "order of the point group",
    "surrogate": "the predicted interval reaches every target",
    "predicted_elastic": "Born's eigenvalues and anisotropy of the predicted tensor",
    "relaxation": "forces and stress come to rest under the potential",
    "hull": "energy above the convex hull within the limit",
    "equation_of_state": "squeezed and stretched alike, the energy has a minimum",
    "elastic": "Born's eigenvalues of the tensor by the potential, ions relaxed",
    "specimen": "a clamped bar under a pull, solved by finite elements",
    "phonon": "no imaginary frequency away from Γ",
    "conduction": "molecular dynamics at four temperatures or more, conductivity extrapolated to 300 K",
}
_COLUMNS = (
    ("e_above_hull", "above hull (eV/atom)"),
    ("formation_energy_per_atom", "formation energy (eV/atom)"),
    ("bulk_modulus_eos", "bulk modulus, equation of state (GPa)"),
    ("least_eigenvalue", "least elastic eigenvalue (GPa)"),
    ("elastic_bulk_modulus", "bulk modulus, tensor (GPa)"),
    ("elastic_shear_modulus", "shear modulus, tensor (GPa)"),
    ("lowest_frequency", "lowest frequency away from Γ (THz)"),
    ("ionic_conductivity", "ionic conductivity at 300 K (S/cm)"),
    ("activation_energy", "activation energy (eV)"),
    ("predicted_bulk_modulus", "predicted bulk modulus (GPa)"),
    ("band_gap", "predicted band gap (eV)"),
)

_TEXTS = 3
"""Columns of survivors that hold no numbers: formula, space group, material."""


def screen_page(result: ScreenResult, record: Mapping[str, object], cifs: Mapping[str, str], *, title: str) -> str:
    """The page as HTML text.

    Args:
        result: of the screening.
        record: content of `run.json`.
        cifs: file of a survivor's structure, relative to the page, by id.
        title: name of the run.
    """
    survivors, counts = result.survivors, result.counts()
    facts = (("screened", len(result.records)), ("survivors", len(survivors)), ("not usable", result.n_rejected))
    listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    wanted = "".join(f"<li>{wording.target_html(target)}</li>" for target in result.settings.targets)
    headline = f"{len(survivors)} of {len(result.records)} candidates passed every rung"
    body = [
        f'<header><p class="kicker">Screening · {escape(title)}</p><h1>{headline}</h1>',
        f'<ul class="targets">{wanted}</ul><dl class="facts">{listed}</dl></header><main>',
        section(
            "Rung by rung",
            "What each rung let pass, what it stopped and what it cost. The bars are on a logarithmic scale.",
            _funnel(counts, len(result.records)),
        ),
        section(
            "Survivors",
            "Sorted by total residual, then by energy above the hull; press a column's name to sort by it. "
            'Every verdict of every candidate is in <a href="verdicts.csv">verdicts.csv</a>.',
            _survivors(survivors[:_SHOWN], result, cifs),
        ),
        section("Thresholds", _residual_rule(result), f"<pre>{escape(result.settings.thresholds.as_toml())}</pre>"),
        section("What made this page", "", made_by(record)),
        "</main>",
    ]
    return whole_page(f"{title} · matwright screen", "".join(body))


def _funnel(counts: Sequence[RungCount], most: int) -> str:
    rows = "".join(_step(count, most) for count in counts)
    return f'<table class="funnel"><tbody>{rows}</tbody></table>'


def _step(count: RungCount, most: int) -> str:
    def width(number: int) -> float:
        return 100 * log(1 + number) / log(1 + most)

    why = " · ".join(f"<b>{number}</b> {wording.rule_title(rule)}" for rule, number in count.stopped_by[:4])
    each = f"{_duration(count.seconds)}, {_duration(count.seconds / count.entered)} each"
    kept = 100 * width(count.passed) / width(count.entered)
    inner = f'<div class="kept" style="width:{kept:.1f}%"></div>'
    bar = f'<div class="lost" style="width:{width(count.entered):.1f}%">{inner}</div>'
    title = count.rung.replace("_", " ").capitalize()
    return (
        f'<tr><td class="step"><b>{title}</b><small>{_MEANS[count.rung]}; {each}</small></td>'
        f'<td class="count">{count.passed}</td><td class="bar">{bar}</td><td class="why">{why}</td></tr>'
    )


def _duration(seconds: float) -> str:
    """A time with three digits in the unit that suits it."""
    for size, unit in ((60.0, "min"), (1.0, "s"), (1e-3, "ms")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _survivors(survivors: Sequence[DesignRecord], result: ScreenResult, cifs: Mapping[str, str]) -> str:
    if not survivors:
        return "<p>No candidate passed every rung.</p>"
    known = [(name, title) for name, title in _COLUMNS if any(record.measured(name) for record in survivors)]
    titles = ("formula", "space group", "material", "total residual", *(title for _, title in known))
    kinds = [' class="text"'] * _TEXTS + [""] * (len(titles) - _TEXTS)
    head = "".join(
        f'<th{kind}><button type="button">{title}</button></th>' for title, kind in zip(titles, kinds, strict=True)
    )
    lines = "".join(f"<tr>{_cells(record, result, cifs, [name for name, _ in known])}</tr>" for record in survivors)
    table = f'<table class="sortable"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>'
    return f'<div class="scroll">{table}</div>'


def _cells(record: DesignRecord, result: ScreenResult, cifs: Mapping[str, str], names: Sequence[str]) -> str:
    formula = wording.formula_html(formula_of(record.crystal))
    linked = f'<a href="{escape(cifs[record.id])}">{formula}</a>' if record.id in cifs else formula
    number = space_group_number(record)
    group = f"{wording.space_group_html(space_group_symbol(number))} · {number}" if number else ""
    material = escape(record.candidate.provenance.parents[0])
    cells = [linked, group, material, f"{result.residual(record):.3g}"]
    for name in names:
        measured = record.measured(name)
        cells.append("" if measured is None or measured.value is None else f"{measured.value:.4g}")
    texts = "".join(f'<td class="text">{cell}</td>' for cell in cells[:_TEXTS])
    return texts + "".join(f"<td>{cell}</td>" for cell in cells[_TEXTS:])


def _residual_rule(result: ScreenResult) -> str:
    epsilon = result.settings.thresholds.residual.epsilon
    return (
        "A candidate goes on while the sum of its residuals, each in units of its threshold and times its weight, is "
        f"at most {epsilon:g} (E32)."
    )
