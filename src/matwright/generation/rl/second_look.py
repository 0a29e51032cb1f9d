"""A second, closer look at crystals that come near their targets: more models, and shaken copies of each crystal.

A policy finds where one model errs in its favour, and the details of a cell that flatter it: both are gone once
another model is asked or the crystal has relaxed. So what comes near the targets by the first look is judged by every
model, and together with copies of itself, stretched, compressed and with every atom moved a little; how far the answers
lie apart counts among the uncertainties. What is far from the targets is not worth that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.generation.rl.surrogate import Surrogate
from matwright.generation.wyckoff.decode import CrystalArrays
from matwright.materials.properties import PropertySpec
from matwright.materials.target import Target
from matwright.models.interface import Prediction

NEAR = 3.0
"""Predicted standard deviations from a target within which a crystal is looked at again."""
STRETCH = 0.02
"""Relative change of the lengths of the cell, up and down in turn; relaxation changes them by about as much."""
SHIFT = 0.05
"""Å, standard deviation of each coordinate of a moved atom."""


@final
class SecondLook:
    """A surrogate that judges twice what comes near the targets.

    Args:
        first: judges every crystal.
        second: judges those near the targets again; knows at least what `first` knows.
        targets: what is asked for; where none of them accepts or rejects, every crystal is looked at again.
        copies: shaken ones of each such crystal, beside itself.
    """

    def __init__(self, first: Surrogate, second: Surrogate, targets: Sequence[Target], copies: int) -> None:
        self._first, self._second, self._copies = first, second, copies
        self._demands = tuple(target for target in targets if not target.is_objective)

    @property
    def specs(self) -> Mapping[str, PropertySpec]:
        """The properties it predicts, by name."""
        return self._first.specs

    def predict(self, crystals: CrystalArrays) -> Mapping[str, Prediction]:
        """Each property for n crystals (n ≥ 1); NaN where a crystal cannot be judged."""
        found = self._first.predict(crystals)
        near = np.flatnonzero(self._near(found, len(crystals)))
        if len(near) == 0:
            return found
        some = crystals.select(near)
        looks = [self._second.predict(some)]
        looks += [self._second.predict(shaken(some, copy)) for copy in range(self._copies)]
        return {name: _put(first, near, pooled([look[name] for look in looks])) for name, first in found.items()}

    def _near(self, found: Mapping[str, Prediction], n: int) -> NDArray[np.bool_]:
        """(n,) bool, within `NEAR` standard deviations of every demand."""
        near = np.ones(n, dtype=bool)
        for target in self._demands:
            prediction = found[target.name]
            near &= target.distance(prediction.mean) <= NEAR * prediction.std
        return near


def shaken(crystals: CrystalArrays, copy: int) -> CrystalArrays:
    """The crystals stretched (even copies) or compressed, every atom moved at random; the same at every call."""
    lattices = crystals.lattices * (1 + STRETCH * (1 if copy % 2 == 0 else -1))
    moves = np.random.default_rng(copy).normal(0.0, SHIFT, crystals.frac_coords.shape)
    cells = np.repeat(np.linalg.inv(lattices), np.diff(crystals.offsets), axis=0)
    frac_coords = crystals.frac_coords + np.einsum("ai,aij->aj", moves, cells)
    return replace(crystals, lattices=lattices, frac_coords=frac_coords)


def pooled(looks: Sequence[Prediction]) -> Prediction:
    """Several looks at the same crystals: the mean of the means; their spread adds to what the first did not know."""
    means = np.stack([look.mean for look in looks])
    return replace(looks[0], mean=means.mean(0), epistemic=np.sqrt(looks[0].epistemic ** 2 + means.var(0)))


def _put(first: Prediction, rows: NDArray[np.int64], second: Prediction) -> Prediction:
    """`first` with the rows of `second` in the place of its own."""
    changed = {}
    for field in fields(Prediction):
        if field.name not in ("spec", "level"):
            values = getattr(first, field.name).copy()
            values[rows] = getattr(second, field.name)
            changed[field.name] = values
    return replace(first, **changed)
