"""The page of an explanation: each prediction from its reference, on the structure, in bars and in tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape

import numpy as np
from numpy.typing import NDArray

from matwright.api.report import diverging, wording
from matwright.api.report import scene as scenes
from matwright.api.report.attribution_tables import attribution_tables
from matwright.api.report.figures import number
from matwright.api.report.shell import made_by, section, whole_page
from matwright.api.report.waterfall import Step, waterfall
from matwright.elements import SYMBOLS
from matwright.explain.attribution import TOLERANCE, Attribution
from matwright.explain.bonds import Bonds
from matwright.explain.explanation import Explanation
from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal
from matwright.models.interface import Prediction

_NO_COLOUR = "#8b939c"  # a bond drawn by the rule of radii that the graph does not hold
_SMALLEST_BALL = 0.048  # so that the smallest atoms show their colour, too
_SAME = 0.02  # Å; two vectors within it are one bond


def render_explanations(
    explanations: Sequence[Explanation], *, model: str, n_all: int, record: Mapping[str, object]
) -> str:
    """The page as HTML text.

    Args:
        explanations: those that are shown, at least one.
        model: its name.
        n_all: how many structures were explained; more than are shown stand in the table only.
        record: what made the page (see `runs.provenance`).
    """
    lead = (
        "Each prediction starts at the reference, a structure of no particular element whose atoms do not see each "
        "other, and every atom, bond and condition moves it. Red adds, blue takes away. Drag a structure to turn it; a "
        "double click turns it back."
    )
    shown = f"The first {len(explanations)} of {n_all} structures are shown; all stand in attributions.csv."
    note = f'<p class="note">{shown}</p>' if len(explanations) < n_all else ""
    body = (
        f'<header><p class="kicker">Explanation · {escape(model)}</p><h1>What the predictions rest on</h1>'
        f'<p class="lead">{lead}</p></header><main>{note}'
        + "".join(_structure(explanation) for explanation in explanations)
        + section("How to read this", "", _HOW)
        + section("What made this page", "", made_by(record))
        + "</main><footer>An attribution says what the model used, which is not always what nature uses.</footer>"
    )
    levels = range(-diverging.LEVELS, diverging.LEVELS + 1)
    balls = "".join(scenes.ball(_ball(level), diverging.colour(level)) for level in levels)
    return whole_page(f"{model} · matwright explain", body, balls, styles=("style.css", "attribution.css"))


def _structure(explanation: Explanation) -> str:
    lead = f"{escape(explanation.id)} · {_size(explanation)}"
    cards = "".join(_card(explanation, attribution) for attribution in explanation.explained.attributions)
    return section(wording.formula_html(explanation.formula), lead, f'<div class="cards wide">{cards}</div>')


def _size(explanation: Explanation) -> str:
    if isinstance(explanation.structure, Composition):
        return "a composition, without structure"
    n_atoms, n_bonds = len(explanation.structure), len(explanation.explained.bonds)
    return f"{n_atoms} atom{'s' if n_atoms > 1 else ''}, {n_bonds} pairs of neighbours"


def _card(explanation: Explanation, attribution: Attribution) -> str:
    name, unit = attribution.spec.name, _unit(attribution)
    prediction = explanation.predictions[name]
    return (
        f'<article><div class="head"><h3 class="formula">{wording.label(name)}</h3>'
        f'<span class="group">{_predicted(prediction, unit)}</span></div>'
        f"{_figure(explanation, attribution)}{_bars(explanation, attribution, unit)}"
        f'<div class="foot"><span>{_completeness(attribution)}</span></div>'
        f"<details><summary>Sites, bonds and agreement of the methods</summary>"
        f"{attribution_tables(explanation, attribution)}"
        "</details></article>"
    )


def _unit(attribution: Attribution) -> str:
    return "" if attribution.spec.unit == "1" else escape(attribution.spec.unit)


def _predicted(prediction: Prediction, unit: str) -> str:
    text = f"<b>{number(float(prediction.mean[0]))}</b> {unit}"
    if not np.isnan(prediction.lower[0]):
        text += f" <span>{number(float(prediction.lower[0]))} … {number(float(prediction.upper[0]))}</span>"
    return text


def _completeness(attribution: Attribution) -> str:
    error = 100 * attribution.completeness_error
    text = f"completeness error {error:.2g} % with {attribution.steps} points on the path"
    if attribution.complete:
        return text
    return f'<b class="miss">{text}: more than {100 * TOLERANCE:g} %, do not rely on it</b>'


def _bars(explanation: Explanation, attribution: Attribution, unit: str) -> str:
    elements = sorted(explanation.elements(attribution), key=lambda part: -abs(part.total))
    steps = [Step(name=SYMBOLS[part.number], value=part.total) for part in elements]
    steps += [Step(name=part.name, value=part.value) for part in explanation.others(attribution)]
    return waterfall(attribution.reference, steps, unit, f"contributions to {attribution.spec.name}")


def _figure(explanation: Explanation, attribution: Attribution) -> str:
    """The structure, atoms and bonds coloured each on its own scale."""
    structure = explanation.structure
    if isinstance(structure, Composition):
        return ""
    scene = scenes.build_scene(structure)
    scene = replace(scene, radii=np.maximum(scene.radii, _SMALLEST_BALL))
    atoms = attribution.contributions.atoms
    bonds = _drawn_bonds(scene, explanation.explained.bonds, attribution.contributions.bonds)
    most_atoms, most_bonds = float(np.abs(atoms).max()), float(np.nanmax(np.abs(bonds), initial=0.0))
    colours = [
        _NO_COLOUR if np.isnan(value) else diverging.colour(diverging.shade(value, most_bonds)) for value in bonds
    ]
    paint = scenes.Paint(
        balls=tuple(_ball(diverging.shade(value, most_atoms)) for value in atoms[scene.sites]),
        bonds=tuple((colour, colour) for colour in colours),
        labels=tuple(SYMBOLS[z] for z in scene.numbers.tolist()),
    )
    view = scenes.first_view(structure.lattice) if isinstance(structure, Crystal) else np.eye(3)
    unit = _unit(attribution)
    legend = diverging.scale_html("atoms", number(most_atoms), unit)
    if len(bonds):
        legend += diverging.scale_html("bonds", number(most_bonds), unit)
    picture = scenes.draw(scene, view, paint)
    said = f"{explanation.formula} coloured by contribution to {attribution.spec.name}; drag or arrow keys turn it"
    return (
        f'<figure class="crystal attributed" data-view="{json.dumps(view.round(4).tolist())}">'
        f'<svg viewBox="-1 -1 2 2" tabindex="0" role="img" aria-label="{escape(said)}">{picture}</svg>'
        f'<script type="application/json">{scene.to_json(paint)}</script></figure><p class="scales">{legend}</p>'
    )


def _ball(level: int) -> str:
    return f"d{level + diverging.LEVELS}"


def _drawn_bonds(scene: scenes.Scene, bonds: Bonds, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_drawn,) contribution of each drawn bond, NaN where the graph does not hold it."""
    of_pair: dict[tuple[int, int], list[int]] = {}
    for index, pair in enumerate(zip(bonds.first.tolist(), bonds.second.tolist(), strict=True)):
        of_pair.setdefault(pair, []).append(index)
    drawn = np.full(len(scene.bonds), np.nan)
    for place, (i, j) in enumerate(scene.bonds):
        low, high = (i, j) if scene.sites[i] <= scene.sites[j] else (j, i)
        vector = (scene.positions[high] - scene.positions[low]) * scene.reach
        candidates = of_pair.get((int(scene.sites[low]), int(scene.sites[high])), [])
        signs = (1, -1) if scene.sites[i] == scene.sites[j] else (1,)
        for index in candidates:
            if min(np.linalg.norm(bonds.vectors[index] - sign * vector) for sign in signs) < _SAME:
                drawn[place] = values[index]
    return drawn


_HOW = (
    "<p><strong>Contributions</strong> are integrated gradients: the model is followed along the straight line from "
    "the reference to the structure, and each part is charged with the change that it causes on the way. They have the "
    "unit of the property and sum to prediction minus reference; the completeness error says how well. Those of an "
    "ensemble are the mean over its members; a forest beside the networks (train --forest) is not explained.</p>"
    "<p>The <strong>reference</strong> (also called baseline) has as many atoms. Each carries the mean embedding of "
    "all elements of the training data, no atom sees another, and no condition is known; what a model reads from the "
    "formula as a whole is at its mean over the training data, and a law of temperature at 300 K. An <em>atom</em> "
    "contributes by its element, a <em>bond</em> by being there: every pair of neighbours in the model's graph is a "
    "bond, also the far ones that are not drawn. The bar of an element is its atoms, half of each of their bonds, and "
    "its amount where the model reads that from the formula; <em>absent elements</em> and <em>element statistics</em> "
    "are what else it reads there: what is not in the formula, and means and extremes of properties of the elements."
    "</p>"
    "<p><strong>Saliency</strong> is the size of the gradient, that is where a small change would matter, and "
    "<strong>attention</strong> is what the gates of message passing let through. They answer other questions than the "
    "contributions and need not agree with them; the rank correlation (Spearman) of their sizes says how far they do "
    "(1 the same order, 0 unrelated). It needs four parts that differ.</p>"
)
