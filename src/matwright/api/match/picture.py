"""The overlay: measured pattern, what the phases explain of it, where their peaks lie, and what is left."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from matwright.api.match.mixture import Mixture
from matwright.physics.diffraction.axis import AXIS, REFERENCE_WAVELENGTH, AxisPattern
from matwright.physics.diffraction.peaks import side_by_side

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0c6b6b", "#c44e2b", "#2f6fb0", "#8a5aa8", "#b08a1e", "#4c8c3f")
_INK, _SOFT = "#1d2329", "#8d959d"
_TICKS = 60  # strongest peaks of a phase that get a mark


def overlay(pattern: AxisPattern, mixture: Mixture, labels: Sequence[str], wavelength: float) -> bytes:
    """Draw the overlay as PNG.

    Args:
        pattern: background subtracted.
        mixture: the phases found.
        labels: one a phase.
        wavelength: Å; the angles of the picture are those of the measurement.
    """
    # heavy: behind its door; the object API draws without a window or a global state
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    part = slice(pattern.first, pattern.last)
    x, top = measured_angles(AXIS[part], wavelength), max(float(pattern.intensity[part].max()), 1e-30)
    measured, profiles = pattern.intensity[part] / top * 100, mixture.profiles[:, part] / top * 100
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    FigureCanvasAgg(figure)
    heights = (5.0, 0.35 * len(labels) + 0.2, 1.4)
    upper, marks, lower = figure.subplots(3, 1, sharex=True, gridspec_kw={"height_ratios": heights, "hspace": 0.02})
    upper.plot(x, measured, color=_SOFT, linewidth=0.7, label="measured, background removed")
    if len(labels) > 1:
        upper.plot(x, profiles.sum(axis=0), color=_INK, linewidth=0.9, label="sum of the phases")
    for profile, label, colour in zip(profiles, labels, _cycle(len(labels)), strict=True):
        upper.plot(x, profile, color=colour, linewidth=1.1, label=label)
    lower.plot(x, measured - profiles.sum(axis=0), color=_SOFT, linewidth=0.7)
    lower.axhline(0, color=_INK, linewidth=0.6)
    _mark_peaks(marks, mixture, wavelength)
    upper.legend(frameon=False, loc="upper right")
    upper.set(ylabel="intensity (% of the highest)", xlim=(x[0], x[-1]))
    lower.set(xlabel=f"2θ (degrees, λ = {wavelength:g} Å)", ylabel="difference")
    for axis in (upper, lower):
        axis.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def measured_angles(angles: NDArray[np.float64], wavelength: float) -> NDArray[np.float64]:
    """Angles of the common axis as those of a measurement at `wavelength` in Å."""
    sine = np.sin(np.radians(angles) / 2.0) * (wavelength / REFERENCE_WAVELENGTH)
    return np.asarray(np.degrees(2.0 * np.arcsin(np.minimum(sine, 1.0))))


def _mark_peaks(axis: Axes, mixture: Mixture, wavelength: float) -> None:
    """A row of marks for each phase."""
    for row, (match, colour) in enumerate(zip(mixture.phases, _cycle(len(mixture.phases)), strict=True)):
        table = side_by_side([match.peaks], _TICKS)
        angles = table.angles(match.strain[None], np.array([match.zero]))[0]
        strong = table.area[0] > 0.002 * table.area[0].max()
        axis.vlines(measured_angles(angles[strong], wavelength), -row - 0.35, -row + 0.35, color=colour, linewidth=0.9)
    axis.set(ylim=(-len(mixture.phases) + 0.4, 0.6), yticks=[])
    axis.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axis.tick_params(bottom=False)


def _cycle(count: int) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(count)]
