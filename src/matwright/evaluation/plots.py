"""Pictures for reports: learning curves, predicted against true values, error against complexity."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from matwright.serialization import atomic_write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 5.2  # inches
SHOWN = 5_000  # points of a parity plot; more only cover each other
TRAIN_COLOUR, VALIDATION_COLOUR, TEST_COLOUR = "#7a7a7a", "#2f6fb0", "#c44e2b"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One fit's learning curve.

    Attributes:
        epochs: (n,) passes over the training records.
        train_loss: (n,).
        validation: (n,) validation numbers by name, for instance "mae_band_gap".
    """

    epochs: Sequence[float]
    train_loss: Sequence[float]
    validation: Mapping[str, Sequence[float]]


def plot_learning_curves(curves: Sequence[Curve], labels: Mapping[str, str], path: Path) -> None:
    """Draw training loss and validation errors over the epochs, one line a member, as PNG.

    Args:
        curves: one a member of the ensemble.
        labels: axis label by validation name; names without a label are not drawn.
        path: of the PNG file, replaced atomically.
    """
    names = [name for name in labels if any(name in curve.validation for curve in curves)]
    figure = new_figure(1 + len(names))
    first, *others = figure.axes
    for curve in curves:
        first.plot(curve.epochs, curve.train_loss, color=TRAIN_COLOUR, linewidth=1.2)
    first.set_ylabel("training loss")
    for axis, name in zip(others, names, strict=True):
        for curve in curves:
            if name in curve.validation:
                axis.plot(curve.epochs, curve.validation[name], color=VALIDATION_COLOUR, linewidth=1.2)
        axis.set_ylabel(labels[name])
    for axis in figure.axes:
        if all((np.asarray(line.get_ydata(), dtype=float) > 0).all() for line in axis.get_lines()):
            axis.set_yscale("log")  # a likelihood may be negative, and then the scale stays linear
        axis.grid(visible=True, which="both", alpha=0.2)
    figure.axes[-1].set_xlabel("epoch")
    save_figure(figure, path)


def plot_panels(steps: Sequence[float], panels: Mapping[str, Sequence[float]], name: str, path: Path) -> None:
    """Draw several numbers over the same steps, one panel a number, as PNG.

    Args:
        steps: (n,) along the horizontal axis.
        panels: (n,) numbers by the label of their axis.
        name: of the steps.
        path: of the PNG file, replaced atomically.
    """
    figure = new_figure(len(panels), height=1.6)
    for axis, (label, values) in zip(figure.axes, panels.items(), strict=True):
        axis.plot(steps, values, color=VALIDATION_COLOUR, linewidth=1.4)
        axis.set_ylabel(label)
        axis.grid(visible=True, alpha=0.2)
    figure.axes[-1].set_xlabel(name)
    save_figure(figure, path)


def plot_parity(
    truth: NDArray[np.float64],
    mean: NDArray[np.float64],
    std: NDArray[np.float64],
    *,
    name: str,
    unit: str,
    note: str,
    path: Path,
) -> None:
    """Draw predicted against true values, with error bars where there is a standard deviation, as PNG.

    Args:
        truth, mean, std: (n,) in `unit`; NaN truths are left out.
        name, unit: of the property.
        note: short text in the corner, for instance the error.
        path: of the PNG file, replaced atomically.
    """
    known = np.flatnonzero(~np.isnan(truth))[:SHOWN]
    truth, mean, std = truth[known], mean[known], std[known]
    figure = new_figure(1, height=WIDTH)
    axis = figure.axes[0]
    both = np.concatenate([truth, mean])
    margin = 0.03 * (float(np.ptp(both)) or 1.0)
    ends = (float(both.min()) - margin, float(both.max()) + margin)
    axis.plot(ends, ends, color=TRAIN_COLOUR, linewidth=1)
    if (std > 0).any():
        axis.errorbar(truth, mean, std, fmt="none", ecolor=TEST_COLOUR, alpha=0.15, linewidth=0.8)
    axis.scatter(truth, mean, s=6, color=TEST_COLOUR, alpha=0.5, linewidths=0)
    axis.set(xlim=ends, ylim=ends, xlabel=f"{name}, true ({unit})", ylabel=f"{name}, predicted ({unit})")
    axis.set_aspect("equal")
    axis.text(0.04, 0.96, note, transform=axis.transAxes, va="top")
    save_figure(figure, path)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadCurves:
    """What a calibration picture shows.

    Attributes:
        shares: (n,) nominal shares 0…1.
        observed: (n,) share of truths inside the central Gaussian interval of each.
        levels: nominal → observed coverage of the conformal intervals.
        spread, error: (n_bins,) root mean variance and root mean square error of bins by σ.
        sigmas, errors: (n_records,) σ and |error| of each record.
    """

    shares: NDArray[np.float64]
    observed: NDArray[np.float64]
    levels: Mapping[float, float]
    spread: NDArray[np.float64]
    error: NDArray[np.float64]
    sigmas: NDArray[np.float64]
    errors: NDArray[np.float64]


def plot_calibration(curves: SpreadCurves, *, name: str, unit: str, note: str, path: Path) -> None:
    """Draw how honest the uncertainty of one property is, as PNG: reliability, and beside it error against σ.

    Args:
        curves: what to draw.
        name, unit: of the property.
        note: short text in the corner.
        path: of the PNG file, replaced atomically.
    """
    figure = new_figure(1, height=WIDTH, columns=2, shared=False)
    left, right = figure.axes
    left.plot((0, 1), (0, 1), color=TRAIN_COLOUR, linewidth=1)
    left.plot(curves.shares, curves.observed, color=VALIDATION_COLOUR, linewidth=1.6, label="standard deviations")
    left.fill_between(curves.shares, curves.shares, curves.observed, color=VALIDATION_COLOUR, alpha=0.15, linewidth=0)
    if curves.levels:
        left.scatter(*zip(*curves.levels.items(), strict=True), color=TEST_COLOUR, label="intervals", zorder=3)
    left.set(xlabel="nominal share", ylabel="observed share", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    left.legend(frameon=False, loc="lower right")
    left.text(0.04, 0.96, note, transform=left.transAxes, va="top")
    seen = np.maximum(curves.errors[:SHOWN], curves.sigmas.min() * 1e-2)  # a logarithmic axis has no 0
    right.scatter(curves.sigmas[:SHOWN], seen, s=5, color=TRAIN_COLOUR, alpha=0.3, linewidths=0, label="records")
    right.plot(
        curves.spread, curves.error, color=TEST_COLOUR, marker="o", markersize=4, label="root mean square of bins"
    )
    ends = (float(curves.sigmas.min()), float(curves.sigmas.max()))
    right.plot(ends, ends, color=TRAIN_COLOUR, linewidth=1)
    right.set(xscale="log", yscale="log", xlabel=f"σ of {name} ({unit})", ylabel=f"|error| ({unit})")
    right.legend(frameon=False, loc="lower right")
    save_figure(figure, path)


def plot_front(
    complexity: Sequence[int],
    errors: Mapping[str, Sequence[float]],
    *,
    label: str,
    best: Mapping[str, float],
    path: Path,
) -> None:
    """Draw error against complexity of some formulas, one line a kind of error, as PNG.

    Args:
        complexity: (n,) of the formulas, rising.
        errors: (n,) by what they are measured against, NaN where unknown; at most two.
        label: of the axis of errors, with its unit.
        best: further errors, drawn as level lines: for instance that of the model itself.
        path: of the PNG file, replaced atomically.
    """
    figure = new_figure(1, height=3.6)
    axis = figure.axes[0]
    for (name, values), colour in zip(errors.items(), (VALIDATION_COLOUR, TEST_COLOUR), strict=False):
        axis.plot(complexity, values, color=colour, marker="o", markersize=4, linewidth=1.2, label=name)
    for name, value in best.items():
        axis.axhline(value, color=TRAIN_COLOUR, linewidth=1, linestyle="--", label=name)
    axis.set(xlabel="complexity (numbers, descriptors and operations)", ylabel=label)
    axis.set_ylim(bottom=0)
    axis.grid(visible=True, alpha=0.2)
    axis.legend(frameon=False)
    save_figure(figure, path)


def plot_search(
    scores: Sequence[float | None],
    whole: Sequence[bool],
    importances: Mapping[str, float],
    *,
    label: str,
    path: Path,
) -> None:
    """Draw how a search went and which settings mattered, as PNG.

    Args:
        scores: (n_trials,) in their order, None where a trial failed.
        whole: (n_trials,) whether the trial had its whole budget.
        importances: share of each setting, none for too few trials.
        label: of the axis of scores.
        path: of the PNG file, replaced atomically.
    """
    figure = new_figure(2 if importances else 1, height=3.0, shared=False)
    left = figure.axes[0]
    for wanted, colour, name in ((True, VALIDATION_COLOUR, "whole budget"), (False, TRAIN_COLOUR, "stopped early")):
        own = [(n, s) for n, (s, w) in enumerate(zip(scores, whole, strict=True)) if s is not None and w == wanted]
        if own:
            left.scatter([n for n, _ in own], [s for _, s in own], s=14, color=colour, label=name)
    known = [score if score is not None and done else np.inf for score, done in zip(scores, whole, strict=True)]
    best = np.minimum.accumulate(known)
    left.step(
        np.arange(len(best)), np.where(np.isinf(best), np.nan, best), color=TEST_COLOUR, label="best", where="post"
    )
    left.set(xlabel="trial", ylabel=label)
    left.legend(frameon=False)
    left.grid(visible=True, alpha=0.2)
    if importances:
        names = sorted(importances, key=lambda name: importances[name])
        figure.axes[1].barh(names, [importances[name] for name in names], color=VALIDATION_COLOUR)
        figure.axes[1].set(xlabel="share of what sets good trials apart", xlim=(0, 1))
    save_figure(figure, path)


def new_figure(rows: int, height: float = 2.4, columns: int = 1, *, shared: bool = True) -> Figure:
    """An empty figure of rows × columns axes, `height` inches a row."""
    # heavy: behind its door; the object API draws to a file without a window or a global state
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH * columns, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    figure.subplots(rows, columns, sharex=shared)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure as PNG; `path` is replaced atomically."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    atomic_write_bytes(path, buffer.getvalue())
