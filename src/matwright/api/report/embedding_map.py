"""The page of a map: the plot, its clusters and its outliers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from matwright.api.condition_ranges import FAR_FROM_DATA
from matwright.api.map import TABLE_FILE, MappedMaterials
from matwright.api.report import wording
from matwright.api.report.embedding_plot import map_plot
from matwright.api.report.figures import number
from matwright.api.report.shell import made_by, section, whole_page
from matwright.elements import SYMBOLS
from matwright.explain.maps import CLUSTER_SHARE, SPARSE, VARIANCE, Projection

MAX_OUTLIERS = 40
"""Outliers that the page lists; the table holds all."""


def render_map(mapped: MappedMaterials, *, model: str, record: Mapping[str, object]) -> str:
    """The page as HTML text, the plotting library inside it.

    Args:
        mapped: the materials and where they lie.
        model: its name.
        record: what made the page (see `runs.provenance`).
    """
    n, clusters = len(mapped.names), int(mapped.map.clusters.max(initial=0))
    sampled = f"{n} of the {mapped.n_rows} rows of the table are on the map; the others were not drawn or not usable."
    note = f'<p class="note">{sampled}</p>' if n < mapped.n_rows else ""
    lead = (
        "Materials that the model sees alike lie together. Point at one to see its name, formula and predictions; "
        "choose above the map what colours it; draw a box to look closer, and a double click goes back."
    )
    body = (
        f'<header><p class="kicker">Map · {escape(model)}</p><h1>{n:,} materials as the model sees them</h1>'
        f'<p class="lead">{lead}</p></header><main>{note}<div class="map">{map_plot(mapped)}</div>'
        + section("Clusters", _clusters_lead(mapped, clusters), _cluster_table(mapped, clusters))
        + section("Outliers", _outliers_lead(mapped), _outlier_table(mapped))
        + section("How to read this", "", _how(mapped))
        + section("What made this page", "", made_by(record))
        + "</main><footer>Colours are predictions of the model, not measurements.</footer>"
    )
    return whole_page(f"{model} · matwright map", body)


def _clusters_lead(mapped: MappedMaterials, clusters: int) -> str:
    alone = float((mapped.map.clusters == 0).mean())
    return (
        f"{clusters} dense regions of the map, each of at least {100 * CLUSTER_SHARE:g} % of the materials; "
        f"{100 * alone:.0f} % lie in none."
    )


def _cluster_table(mapped: MappedMaterials, clusters: int) -> str:
    if clusters == 0:
        return ""
    rows = ""
    for cluster in range(1, clusters + 1):
        chosen = mapped.map.clusters == cluster
        common = ", ".join(f"{SYMBOLS[z]} {100 * share:.0f} %" for z, share in mapped.commonest_elements(cluster))
        medians = "".join(_cell(float(np.median(p.mean[chosen]))) for p in mapped.predictions.values())
        rows += (
            f'<tr><td>{cluster}</td><td>{int(chosen.sum())}</td><td class="text">{common}</td>{medians}'
            f"{_cell(100 * float(mapped.is_far[chosen].mean()))}</tr>"
        )
    heads = ["Cluster", "Materials", "Commonest elements", *(f"Median {head}" for head in _heads(mapped)), "Unlike, %"]
    return _table(heads, rows)


def _outliers_lead(mapped: MappedMaterials) -> str:
    far, alone = int(mapped.is_far.sum()), int(mapped.map.is_local_outlier.sum())
    listed = min(MAX_OUTLIERS, int(mapped.is_outlier.sum()))
    return (
        f"{far} materials are unlike the training data of the model (domain score ≥ {FAR_FROM_DATA:g}), {alone} lie "
        f"alone among these materials (surroundings {SPARSE:g} times sparser than their neighbours'). Press their "
        f"names above the map to mark them. The {listed} farthest are listed, all are in {TABLE_FILE}."
    )


def _outlier_table(mapped: MappedMaterials) -> str:
    order = np.lexsort((-mapped.map.local_factor, -np.nan_to_num(mapped.domain_score)))
    chosen = [index for index in order.tolist() if mapped.is_outlier[index]][:MAX_OUTLIERS]
    rows = "".join(
        f'<tr><td class="text">{escape(mapped.names[i])}</td>'
        f'<td class="text">{wording.formula_html(mapped.formulas[i])}</td>'
        f"{_cell(float(mapped.domain_score[i]))}{_cell(float(mapped.map.local_factor[i]))}"
        + "".join(_cell(float(p.mean[i])) for p in mapped.predictions.values())
        + "</tr>"
        for i in chosen
    )
    return _table(["Material", "Formula", "Domain score", "Outlier factor", *_heads(mapped)], rows) if chosen else ""


def _heads(mapped: MappedMaterials) -> list[str]:
    specs = [prediction.spec for prediction in mapped.predictions.values()]
    return [wording.label(spec.name) + ("" if spec.unit == "1" else f", {escape(spec.unit)}") for spec in specs]


def _cell(value: float) -> str:
    return f'<td data-value="{value:.6g}">{number(value)}</td>'


def _table(heads: Sequence[str], rows: str) -> str:
    row = "".join(f'<th scope="col"><button>{head}</button></th>' for head in heads)
    return (
        f'<div class="scroll"><table class="sortable"><thead><tr>{row}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _how(mapped: MappedMaterials) -> str:
    drawn = mapped.map
    made = (
        f"The two axes are the leading principal components; they hold {100 * drawn.kept:.0f} % of the variance."
        if drawn.projection is Projection.PCA
        else "t-SNE keeps near neighbours near. How far apart two groups lie, and how wide one is, means nothing."
    )
    return (
        "<p>Each material is a point in the embedding space of the model, the state from which its predictions are "
        f"made. The embeddings were standardised and reduced to the {drawn.components} principal components that hold "
        f"{100 * VARIANCE:g} % of their variance. {made}</p>"
        "<p>Clusters are dense regions of the drawn map (HDBSCAN). Other materials in the table move their borders: "
        "they are a help for looking, not classes of nature. A material alone has a high local outlier factor among "
        "the components, so that the drawing does not decide it. The domain score compares a material with the "
        "training data of the model instead; of materials like them, one in twenty is marked.</p>"
    )
