"""Pictures of a training run: the learning curve and, for each property, predicted against true values."""

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
    figure = _figure(1 + len(names))
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
    _save(figure, path)


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
    figure = _figure(1, height=WIDTH)
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
    _save(figure, path)


def _figure(rows: int, height: float = 2.4) -> Figure:
    # heavy: behind its door; the object API draws to a file without a window or a global state
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    figure.subplots(rows, 1, sharex=rows > 1)
    return figure


def _save(figure: Figure, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    atomic_write_bytes(path, buffer.getvalue())
