"""One picture of a generated population beside the reference: sizes, densities, symmetry, energies above the hull."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.evaluation.plots import TEST_COLOUR, VALIDATION_COLOUR, new_figure, save_figure

SYSTEMS = ("triclinic", "monoclinic", "orthorhombic", "tetragonal", "trigonal", "hexagonal", "cubic")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """What is drawn of a set of crystals.

    Attributes:
        label: in the legend.
        density: (n,) g/cm³.
        n_elements: (n,) different elements.
        systems: (n,) crystal system 0..6, triclinic to cubic.
        e_above_hull: (m,) eV/atom of those relaxed; empty where none was.
    """

    label: str
    density: NDArray[np.float64]
    n_elements: NDArray[np.int64]
    systems: Sequence[int]
    e_above_hull: NDArray[np.float64]


def plot_populations(populations: Sequence[Population], path: Path) -> None:
    """Draw the populations over each other as shares, one panel a quantity, as PNG; `path` is replaced atomically."""
    with_energy = any(len(p.e_above_hull) for p in populations)
    figure = new_figure(2, columns=2, shared=False)
    density, elements, systems, energy = figure.axes
    edges = np.linspace(0, max(float(p.density.max()) for p in populations) * 1.02, 31)
    most = max(int(p.n_elements.max()) for p in populations)
    for place, population in enumerate(populations):
        colour = (TEST_COLOUR, VALIDATION_COLOUR)[place % 2]
        weights = np.full(len(population.density), 1 / len(population.density))
        density.hist(
            population.density, bins=edges.tolist(), weights=weights, color=colour, alpha=0.6, label=population.label
        )
        shift, width = 0.4 * place - 0.2 * (len(populations) - 1), 0.38
        counts = np.bincount(population.n_elements, minlength=most + 1)[1:] * weights[0]
        elements.bar(np.arange(1, most + 1) + shift, counts, width, color=colour, alpha=0.6, label=population.label)
        found = np.bincount(np.asarray(population.systems, dtype=np.int64), minlength=7) * weights[0]
        systems.bar(np.arange(7) + shift, found, width, color=colour, alpha=0.6, label=population.label)
        if len(population.e_above_hull):
            energy.hist(
                np.clip(population.e_above_hull, -0.3, 1.0),
                bins=np.linspace(-0.3, 1.0, 53).tolist(),
                color=colour,
                alpha=0.6,
                label=population.label,
            )
    density.set_xlabel("density (g/cm³)")
    elements.set_xlabel("different elements")
    elements.set_xticks(range(1, most + 1))
    systems.set_xticks(range(7), SYSTEMS, rotation=45, ha="right")
    energy.set_xlabel("energy above the hull (eV/atom, ends clipped)")
    for axis in (density, elements, systems):
        axis.set_ylabel("share of crystals")
    energy.set_ylabel("crystals")
    energy.set_visible(with_energy)
    density.legend(frameon=False)
    save_figure(figure, path)
