"""A trained property model as the reader of graphs that a generator's recognition network may have (E25)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, final

import numpy as np
import torch

from matwright.errors import InputError
from matwright.materials.crystal import Crystal

if TYPE_CHECKING:
    from torch import Tensor

    from matwright.api.predict import Predictor

AT_ONCE = 512


@final
class ModelReader:
    """Reads crystals with the encoder and readout of a property model (GEM-PPM), loaded when first used."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._model: Predictor | None = None
        self._width = 0

    @property
    def name(self) -> str:
        """The model's name or folder."""
        return self._name

    @property
    def width(self) -> int:
        """Numbers in an embedding."""
        self._loaded()
        return self._width

    def __call__(self, crystals: Sequence[Crystal]) -> Tensor:
        """(n, width) float32 embeddings; NaN rows for crystals that the model refuses (two atoms coincide)."""
        model = self._loaded()
        found = torch.full((len(crystals), self._width), torch.nan)
        for start in range(0, len(crystals), AT_ONCE):
            rows, part = list(range(start, start + AT_ONCE))[: len(crystals) - start], crystals[start : start + AT_ONCE]
            try:
                embedded = model.embed(part)
            except InputError:  # one of them cannot be read: which one is found out by trying each
                rows = [row for row in rows if _readable(model, crystals[row])]
                if not rows:
                    continue
                embedded = model.embed([crystals[row] for row in rows])
            found[rows] = torch.from_numpy(embedded).float()
        return found

    def _loaded(self) -> Predictor:
        if self._model is None:
            from matwright.api.predict import load_predictor  # heavy (torch): behind its door

            self._model = load_predictor(self._name)
            self._width = self._model.embed([_SALT]).shape[1]
        return self._model


def _readable(model: Predictor, crystal: Crystal) -> bool:
    try:
        model.graph(crystal)
    except InputError:
        return False
    return True


_SALT = Crystal(
    lattice=2.8 * (1 - np.eye(3)),
    frac_coords=np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]),
    numbers=np.array([11, 17]),
)
"""Rock salt, whose embedding tells how wide embeddings are."""
