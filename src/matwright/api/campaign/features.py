"""What the surrogate of a campaign sees of a crystal: descriptors, a model's predictions, its place in the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from matwright.api.campaign.settings import SurrogateSettings
from matwright.api.conditions import conditions_known, conditions_of_words
from matwright.api.design.surrogate import Surrogates, UnderConditions
from matwright.errors import MatwrightError
from matwright.explain.descriptors import describe
from matwright.materials.crystal import Crystal

if TYPE_CHECKING:
    from matwright.api.predict import Predictor

Array = NDArray[np.float64]
_CHUNK = 256


@final
class Features:
    """Rows of features by structure, computed once a process; NaN where a feature cannot be found.

    Args:
        settings: what is seen.
        conditions: of the campaign; the model is told those that it knows.
    """

    def __init__(self, settings: SurrogateSettings, conditions: Sequence[str] = ()) -> None:
        self._settings, self._conditions = settings, conditions
        self._rows: dict[str, Array] = {}
        self._predicted: dict[str, dict[str, float]] = {}
        self._predictor: Predictor | UnderConditions | None = None

    def baseline(self, crystals: Mapping[str, Crystal], name: str) -> Array:
        """(n,) what the model predicts of a quantity, 0 where it cannot; the surrogate learns the rest."""
        if not self._settings.residual:
            return np.zeros(len(crystals))
        fresh = {address: crystal for address, crystal in crystals.items() if address not in self._predicted}
        if fresh:
            from matwright.data.hull import Hull

            surrogates = Surrogates({self._settings.model: self.predictor}, Hull.load())
            answers = surrogates.measure(list(fresh.values()))
            for address, answer in zip(fresh, answers, strict=True):
                known = () if isinstance(answer, MatwrightError) else answer
                self._predicted[address] = {one.name: one.value for one in known if one.value is not None}
        return np.array([self._predicted[address].get(name, 0.0) for address in crystals])

    def of(self, crystals: Mapping[str, Crystal]) -> Array:
        """(n, width) of the crystals by address, in their order."""
        fresh = {address: crystal for address, crystal in crystals.items() if address not in self._rows}
        addresses = list(fresh)
        for start in range(0, len(addresses), _CHUNK):
            chunk = addresses[start : start + _CHUNK]
            table = self._computed([fresh[address] for address in chunk])
            self._rows |= dict(zip(chunk, table, strict=True))
        return np.stack([self._rows[address] for address in crystals])

    def _computed(self, crystals: Sequence[Crystal]) -> Array:
        parts = []
        if "descriptors" in self._settings.features:
            parts.append(np.stack([describe(crystal) for crystal in crystals]))
        if {"predictions", "embedding"} & set(self._settings.features):
            parts.append(self._seen(crystals))
        return np.concatenate(parts, axis=1)

    def _seen(self, crystals: Sequence[Crystal]) -> Array:
        """All at once; where that fails one by one, so that the guilty crystal alone is not known."""
        try:
            return self._by_model(crystals)
        except MatwrightError:
            if len(crystals) == 1:
                return np.full((1, self._width()), np.nan)
            return np.concatenate([self._seen([crystal]) for crystal in crystals])

    def _by_model(self, crystals: Sequence[Crystal]) -> Array:
        parts: list[Array] = []
        if "predictions" in self._settings.features:
            found = self.predictor.predict(crystals)
            parts += [np.column_stack([one.mean, one.std]) for one in found.values()]
        if "embedding" in self._settings.features:
            parts.append(self.predictor.embed(crystals).astype(np.float64))
        return np.concatenate(parts, axis=1)

    def _width(self) -> int:
        """Features that a crystal would have which the model can treat."""
        salt = Crystal(
            lattice=5.64 * (1 - np.eye(3)) / 2, frac_coords=np.array([[0.0] * 3, [0.5] * 3]), numbers=np.array([11, 17])
        )
        return int(self._by_model([salt]).shape[1])

    @property
    def predictor(self) -> Predictor | UnderConditions:
        """The model, loaded once."""
        if self._predictor is None:
            from matwright.api.predict import load_predictor  # heavy (torch): behind its door

            loaded = load_predictor(self._settings.model)
            stated = conditions_of_words(loaded.schema, conditions_known([loaded.schema], self._conditions))
            self._predictor = loaded if stated is None else UnderConditions(loaded, stated)
        return self._predictor
