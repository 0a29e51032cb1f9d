"""The plot of a map: points that show what they are, in colours to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from matwright.api.map import MappedMaterials
from matwright.explain.maps import Projection
from matwright.models.interface import Prediction

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_MOST_SVG = 4_000  # points that a browser draws well without WebGL
_CATEGORIES = (
    "#4c78a8", "#f58518", "#54a24b", "#e45756", "#72b7b2", "#b279a2", "#ff9da6", "#9d755d", "#d8b02a", "#2f6f5e",
)  # fmt: skip
_NO_CLUSTER = "#b9bfc4"


def map_plot(mapped: MappedMaterials) -> str:
    """The plot as HTML, the plotting library inside it."""
    # an optional library: behind its door
    from plotly.graph_objects import Figure, Scatter, Scattergl

    trace = Scatter if len(mapped.names) <= _MOST_SVG else Scattergl
    x, y = mapped.map.coordinates.round(3).T
    choices, names = _colourings(mapped), zip(mapped.names, mapped.formulas, strict=True)
    figure: Figure = Figure()
    figure.add_trace(
        trace(
            x=x, y=y, mode="markers", name="materials", showlegend=False, hovertemplate=_hover(mapped),
            text=[f"<b>{escape(name)}</b> {escape(formula)}" for name, formula in names],
            customdata=np.column_stack([_rounded(column) for column in _columns(mapped)]),
            marker={"size": 5 if len(x) > 1_000 else 8, "opacity": 0.8, **choices[0][1]},
        )
    )  # fmt: skip
    for name, symbol, chosen in (
        ("unlike the training data", "circle-open", mapped.is_far),
        ("alone on the map", "x-thin-open", mapped.map.is_local_outlier),
    ):
        marker = {"symbol": symbol, "size": 10, "color": "#1d2329", "line": {"width": 1}}
        figure.add_trace(
            trace(
                x=x[chosen],
                y=y[chosen],
                mode="markers",
                name=name,
                hoverinfo="skip",
                visible="legendonly",
                marker=marker,
            )
        )
    _lay_out(figure, mapped, choices)
    config = {"displaylogo": False, "responsive": True}
    return str(figure.to_html(full_html=False, include_plotlyjs=True, config=config, div_id="map"))


def _columns(mapped: MappedMaterials) -> list[NDArray[np.float64]]:
    """What a point shows: the predictions, then domain score, outlier factor and cluster."""
    means = [prediction.mean for prediction in mapped.predictions.values()]
    return [*means, mapped.domain_score, mapped.map.local_factor, mapped.map.clusters.astype(np.float64)]


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([float(f"{value:.4g}") for value in values])


def _hover(mapped: MappedMaterials) -> str:
    lines = ["%{text}"]
    for place, prediction in enumerate(mapped.predictions.values()):
        unit = "" if prediction.spec.unit == "1" else f" {escape(prediction.spec.unit)}"
        lines.append(f"{escape(_plain(prediction))} %{{customdata[{place}]}}{unit}")
    place = len(mapped.predictions)
    lines.append(f"domain score %{{customdata[{place}]}}, outlier factor %{{customdata[{place + 1}]}}")
    lines.append(f"cluster %{{customdata[{place + 2}]}} (0: none)")
    return "<br>".join(lines) + "<extra></extra>"


def _plain(prediction: Prediction) -> str:
    return prediction.spec.name.replace("_", " ")


def _colourings(mapped: MappedMaterials) -> list[tuple[str, dict[str, Any]]]:
    """(name, marker) of everything that can colour the map, the first property first."""
    found = []
    for prediction in mapped.predictions.values():
        unit = "" if prediction.spec.unit == "1" else f" ({prediction.spec.unit})"
        found.append((f"{_plain(prediction)}{unit}", _scale(prediction.mean, "Viridis")))
    if not np.isnan(mapped.domain_score).all():
        found.append(("unlike the training data (domain score)", _scale(mapped.domain_score, "Plasma")))
    colours = [_CATEGORIES[(c - 1) % len(_CATEGORIES)] if c else _NO_CLUSTER for c in mapped.map.clusters.tolist()]
    return [*found, ("cluster", {"color": colours, "showscale": False})]


def _scale(values: NDArray[np.float64], name: str) -> dict[str, Any]:
    """A colour scale over the middle 98 % of the values: a few extreme ones do not take all the colours."""
    low, high = (float(bound) for bound in np.nanquantile(values, (0.01, 0.99)))
    return {
        "color": _rounded(values).tolist(), "colorscale": name, "showscale": True,
        "cmin": low, "cmax": high if high > low else low + 1.0,
    }  # fmt: skip


def _lay_out(figure: Figure, mapped: MappedMaterials, choices: Sequence[tuple[str, dict[str, Any]]]) -> None:
    buttons = [
        {"label": name, "method": "restyle", "args": [{f"marker.{key}": [value] for key, value in marker.items()}, [0]]}
        for name, marker in choices
    ]
    is_pca = mapped.map.projection is Projection.PCA
    axis = {"zeroline": False, "showgrid": is_pca, "gridcolor": "#d5d9dc", "showticklabels": is_pca}
    figure.update_layout(
        updatemenus=[{"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.08, "yanchor": "bottom"}],
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
        xaxis={**axis, "title": "first principal component" if is_pca else None},
        yaxis={**axis, "title": "second principal component" if is_pca else None, "scaleanchor": "x"},
        margin={"l": 40, "r": 10, "t": 70, "b": 40},
        height=640,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "color": "#7a838a"},
        hovermode="closest",
        dragmode="zoom",
    )
