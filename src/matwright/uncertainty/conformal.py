"""Split-conformal intervals: the nominal coverage holds on new data like the calibration data, whatever the model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.materials.properties import PropertySpec
from matwright.models.interface import BatchPrediction, Prediction, PropertyModel

if TYPE_CHECKING:
    from matwright.graphs.batch import GraphBatch

DEFAULT_LEVEL = 0.9
MAX_SCORES = 5_000  # more calibration records hardly sharpen a quantile and would only fatten the checkpoint
FLOOR_SHARE = 0.2  # of the median residual: keeps the scale away from 0 where all members agree by chance


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """The residuals of one property on held-out data.

    An interval is ŷ ± q s, with s = √(σ² + floor²) where the model gives a standard deviation σ and s = 1 where it
    gives none, and q the ⌈(n + 1) level⌉-th smallest of the scores |y − ŷ| / s.

    Attributes:
        scores: (n,) float64, ascending; in the unit of the property where `normalised` is False, else without unit.
        floor: in the unit of the property.
        normalised: whether the predicted standard deviation scales the interval.
    """

    scores: NDArray[np.float64]
    floor: float
    normalised: bool

    @classmethod
    def fit(cls, truth: NDArray[np.float64], prediction: Prediction) -> Calibration:
        """Calibrate on held-out truths, (n,) in the unit of the property, NaN where unknown.

        Raises:
            InputError: no truth is known.
        """
        known = ~np.isnan(truth)
        if not known.any():
            raise InputError(
                f"{prediction.spec.name}: the validation part has no known value to calibrate intervals on"
            )
        residual = np.abs(truth - prediction.mean)[known]
        std = prediction.std[known]
        floor = FLOOR_SHARE * float(np.median(residual))
        normalised = bool((std > 0).all()) and floor > 0
        scores = np.sort(residual / np.sqrt(std**2 + floor**2) if normalised else residual)
        return cls(scores=_thin(scores), floor=floor, normalised=normalised)

    def quantile(self, level: float) -> float:
        """Return q for the level; infinite where the calibration data are too few to promise that level.

        Raises:
            InputError: the level does not lie in (0, 1).
        """
        if not 0 < level < 1:
            raise InputError(f"the level of an interval lies between 0 and 1, found {level}")
        rank = math.ceil((len(self.scores) + 1) * level - 1e-9)
        return float(self.scores[rank - 1]) if rank <= len(self.scores) else math.inf

    def interval(self, prediction: Prediction, level: float = DEFAULT_LEVEL) -> Prediction:
        """Return the prediction with its interval at `level`, cut at the property's physical bounds."""
        scale = np.sqrt(prediction.std**2 + self.floor**2) if self.normalised else np.ones(len(prediction.mean))
        margin = self.quantile(level) * scale
        spec = prediction.spec
        lower = np.maximum(prediction.mean - margin, -math.inf if spec.lower is None else spec.lower)
        upper = np.minimum(prediction.mean + margin, math.inf if spec.upper is None else spec.upper)
        return replace(prediction, lower=lower, upper=upper, level=level)


def _thin(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep at most MAX_SCORES order statistics, evenly spaced and rounded up, so that intervals stay valid."""
    if len(scores) <= MAX_SCORES:
        return scores
    ranks = np.ceil((len(scores) + 1) * np.arange(1, MAX_SCORES + 1) / (MAX_SCORES + 1)).astype(np.int64)
    kept: NDArray[np.float64] = scores[np.minimum(ranks, len(scores)) - 1]
    return kept


@final
class ConformalModel:
    """A model whose predictions carry calibrated intervals; a property without a calibration passes through.

    Raises:
        InputError: the level does not lie in (0, 1).
    """

    def __init__(
        self, inner: PropertyModel, calibrations: Mapping[str, Calibration], level: float = DEFAULT_LEVEL
    ) -> None:
        for calibration in calibrations.values():
            calibration.quantile(level)
        self._inner, self._calibrations, self._level = inner, dict(calibrations), level

    @property
    def specs(self) -> tuple[PropertySpec, ...]:
        """The properties of the held model."""
        return self._inner.specs

    def predict(self, batch: GraphBatch) -> BatchPrediction:
        """Predict and add the intervals."""
        plain = self._inner.predict(batch)
        properties = {
            name: self._calibrations[name].interval(prediction, self._level)
            if name in self._calibrations
            else prediction
            for name, prediction in plain.properties.items()
        }
        return replace(plain, properties=properties)
