"""What S.U.N. shows beside its counts: a filter before relaxation, its hits, and the distances as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matwright.api.design.surrogate import Surrogates
from matwright.api.predict import load_predictor
from matwright.data.hull import Hull
from matwright.evaluation.generation import Assessed, StructureComparison, is_stable
from matwright.evaluation.plots import new_figure, save_figure
from matwright.generation.interface import Candidate, Generator

COLOURS = ("#c44e2b", "#7a7a7a", "#2f6fb0", "#3d8c5a", "#8a5fa8")
LOWEST, HIGHEST, BIN = -0.3, 1.0, 0.05  # eV/atom


def best_by_hull(generator: Generator, n: int, factor: int, seed: int) -> list[Candidate]:
    """The n candidates nearest to the hull, by `mp-crystal`, of factor × n: the same filter for every generator."""
    drawn = generator.sample(n * factor, seed=seed)
    if factor == 1:
        return drawn
    surrogates = Surrogates({"mp-crystal": load_predictor("mp-crystal")}, Hull.load())
    answers = surrogates.measure([candidate.crystal for candidate in drawn])
    above = np.full(len(drawn), np.inf)
    for place, answer in enumerate(answers):
        if not isinstance(answer, Exception):
            values = {one.name: one.value for one in answer}
            if values.get("e_above_hull") is not None:
                above[place] = values["e_above_hull"]
    return [drawn[place] for place in np.argsort(above, kind="stable")[:n]]


def hits(
    items: Sequence[Assessed], novel: Sequence[bool], potentials: Sequence[str], comparison: StructureComparison
) -> list[int]:
    """Places of crystals within 0.1 eV/atom of the hull by all potentials, novel, and the first of their kind."""
    found, crystals = [], []
    for place, (item, new) in enumerate(zip(items, novel, strict=True)):
        if new and item.crystal is not None and is_stable(item, potentials, 0.1):
            found.append(place)
            crystals.append(item.crystal)
    first = comparison.classes(crystals) == np.arange(len(crystals))
    return [place for place, leads in zip(found, first, strict=True) if leads]


def draw_distances(above: Mapping[str, Mapping[str, NDArray[np.float64]]], path: Path) -> None:
    """Draw generator → potential → (n,) eV/atom above the hull as shares of all, one panel a potential, as PNG.

    What failed is infinite and, like everything beyond the axis, stands in the last bin.
    """
    potentials = list(next(iter(above.values())))
    figure = new_figure(len(potentials))
    edges = np.arange(LOWEST, HIGHEST + 1.5 * BIN, BIN)
    for axes, potential in zip(figure.axes, potentials, strict=True):
        for colour, (name, some) in zip(COLOURS, above.items(), strict=False):
            values = np.clip(some[potential], LOWEST, HIGHEST + BIN / 2)
            weights = np.full(len(values), 1 / max(len(values), 1))
            axes.hist(values, bins=edges.tolist(), weights=weights, histtype="step", color=colour, label=name)
        axes.axvline(0.1, color="black", linewidth=0.6, linestyle=":")
        axes.set(ylabel=f"share, {potential}")
        axes.grid(visible=True, alpha=0.2)
    figure.axes[0].legend(frameon=False)
    figure.axes[-1].set(xlabel="energy above the hull, eV/atom")
    save_figure(figure, path)
