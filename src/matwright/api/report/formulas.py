"""The page of a distillation: the formulas by rising length with their errors, and what their words mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

from matwright.api.report import wording
from matwright.api.report.figures import number
from matwright.api.report.shell import made_by, section, whole_page

if TYPE_CHECKING:
    from matwright.api.distill import DistillResult, JudgedFormula


def render_formulas(result: DistillResult, *, model: str, picture: str, record: Mapping[str, object]) -> str:
    """The page as HTML text; `picture` is the file name of the front beside it."""
    name, unit = wording.label(result.spec.name), escape(result.spec.unit)
    lead = (
        f"Formulas that repeat the {name} ({unit}) predicted by <strong>{escape(model)}</strong>, found on "
        f"{result.n_train:,} materials and judged on {result.n_held_out:,} of other compositions. A longer one stands "
        "here only where it takes at least 2 % of the error away in the search. Numbers carry the units that fit."
    )
    body = (
        f'<header><p class="kicker">Distillation · {escape(model)}</p><h1>{name} in short formulas</h1>'
        f'<p class="lead">{lead}</p></header><main>'
        + "".join(f'<p class="note">{escape(note)}</p>' for note in result.notes)
        + section("The formulas", "", _table(result))
        + section(
            "Error against length", "", f'<img src="{escape(picture)}" alt="error against complexity" width="620">'
        )
        + section("Words of the formulas", "", _glossary(result))
        + section("How to read this", "", _HOW)
        + section("What made this page", "", made_by(record))
        + "</main><footer>A formula says what the model has learned, in as far as it repeats it.</footer>"
    )
    return whole_page(f"{model} · matwright distill", body)


def _table(result: DistillResult) -> str:
    unit = escape(result.spec.unit)
    heads = [("Complexity", ""), ("Error to the model", unit), ("R² to the model", "")]
    if result.model_mae is not None:
        heads.append(("Error to known values", f"{unit}, n = {result.n_truth}"))
    head = "".join(f'<th scope="col"><button>{title}</button><small>{small}</small></th>' for title, small in heads)
    head += '<th scope="col" class="text">Formula</th>'
    rows = "".join(_row(one, result) for one in result.formulas)
    own = ""
    if result.model_mae is not None:
        own = f"<p>The model itself has an error of {number(result.model_mae)} {unit} to the same known values.</p>"
    table = f'<table class="sortable"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<div class="scroll">{table}</div>{own}'


def _row(one: JudgedFormula, result: DistillResult) -> str:
    cells = [(str(one.complexity), float(one.complexity)), (number(one.mae_to_model), one.mae_to_model)]
    cells.append((f"{one.r2_to_model:.3f}".replace("-", "−"), one.r2_to_model))
    if result.model_mae is not None and one.mae_to_truth is not None:
        cells.append((number(one.mae_to_truth), one.mae_to_truth))
    numbers = "".join(f'<td data-value="{value:.6g}">{text}</td>' for text, value in cells)
    return f'<tr>{numbers}<td class="text">{_formula_html(one.text)}</td></tr>'


def _formula_html(text: str) -> str:
    """The formula with the names of descriptors slanted."""
    return re.sub(r"[A-Za-z_]\w*", lambda word: f"<i>{word[0]}</i>", escape(text))


def _glossary(result: DistillResult) -> str:
    used = {word for one in result.formulas for word in re.findall(r"[A-Za-z_]\w*", one.text)}
    entries = "".join(
        f"<dt>{escape(one.name)}</dt><dd>{escape(one.meaning + ('' if one.unit == '1' else f', in {one.unit}'))}</dd>"
        for one in result.descriptors
        if one.name in used
    )
    return f'<dl class="glossary">{entries}</dl>' if entries else ""


_HOW = (
    "<p>The formulas come from genetic programming (Operon): many formulas change and cross, the better and the "
    "shorter live on. The numbers stand as they were used: whoever types a formula in gets the errors of the table. "
    "log is the natural logarithm. The same seed gives the same formulas on one machine.</p>"
    "<p>Means and deviations over the atoms weigh each element by its share. The <em>error to the model</em> says how "
    "well a formula repeats the model; the <em>error to known values</em> says how well it predicts. A formula can be "
    "nearer to one than to the other.</p>"
)
