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
from matwright.uncertainty.spread import SpreadModel

if TYPE_CHECKING:
    from matwright.graphs.batch import GraphBatch

DEFAULT_LEVEL = 0.9
MAX_SCORES = 5_000  # more calibration records hardly sharpen a quantile and would only fatten the checkpoint


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """What held-out errors of one property say: how wide its predictions spread, and how far its intervals reach.

    An interval is ŷ ± q s, s the spread of the prediction and q a quantile of the scores |y − ŷ| / s, each with an s
    that the record itself did not help to fit. So its width follows the material (locally adaptive) and its coverage
    is the level on the average over materials like the held-out ones. Records of one composition (polymorphs, one
    alloy at several temperatures) are not independent, unless the model knows it: each of K groups has the weight
    1/(K + 1), shared by its records, and q is the smallest score below which the level lies (Y. Lee, R. F. Barber and
    R. Willett, arXiv:2306.06342). With one record a group it is the ⌈(n + 1) level⌉-th smallest.

    Attributes:
        scores: (n,) float64, ascending, without unit.
        covered: (n,) float64, ascending, the weight of the scores up to each.
        spread: of a prediction.
    """

    scores: NDArray[np.float64]
    covered: NDArray[np.float64]
    spread: SpreadModel

    @classmethod
    def fit(
        cls,
        truth: NDArray[np.float64],
        prediction: Prediction,
        distance: NDArray[np.float64] | None = None,
        groups: NDArray[np.int64] | None = None,
    ) -> Calibration:
        """Calibrate on held-out records.

        Args:
            truth: (n,) in the unit of the property, NaN where unknown.
            prediction: of the same records.
            distance: (n,) to the training data, None where it is not measured.
            groups: (n,) which group of dependent records each belongs to; None for independent ones.

        Raises:
            InputError: no truth is known.
        """
        known = ~np.isnan(truth) & ~np.isnan(prediction.mean)
        if not known.any():
            raise InputError(
                f"{prediction.spec.name}: the validation part has no known value to calibrate intervals on"
            )
        judged = prediction.at(known)
        error = np.abs(truth[known] - judged.mean)
        names = np.arange(len(truth)) if groups is None else groups
        _, own, sizes = np.unique(names[known], return_inverse=True, return_counts=True)
        spread, untouched = SpreadModel.fit(error, judged, None if distance is None else distance[known], own)
        order = np.argsort(error / untouched, kind="stable")
        covered = np.cumsum(1 / sizes[own][order]) / (len(sizes) + 1)
        kept = _thinned(len(order))
        return cls(scores=(error / untouched)[order][kept], covered=covered[kept], spread=spread)

    def quantile(self, level: float) -> float:
        """Return q for the level; infinite where the calibration data are too few to promise that level.

        Raises:
            InputError: the level does not lie in (0, 1).
        """
        if not 0 < level < 1:
            raise InputError(f"the level of an interval lies between 0 and 1, found {level}")
        rank = int(np.searchsorted(self.covered, level - 1e-9))
        return float(self.scores[rank]) if rank < len(self.scores) else math.inf

    def interval(
        self, prediction: Prediction, level: float = DEFAULT_LEVEL, distance: NDArray[np.float64] | None = None
    ) -> Prediction:
        """Return the prediction with its interval at `level`, cut at the property's physical bounds.

        Its standard deviations are scaled so that the total is the spread that held-out errors show; where the model
        gives none, the spread counts as aleatoric.
        """
        spread = self.spread.spread(prediction, distance)
        given = prediction.std
        factor = np.where(given > 0, spread / np.where(given > 0, given, 1.0), 0.0)
        aleatoric = np.where(given > 0, prediction.aleatoric * factor, spread)
        calibrated = replace(prediction, aleatoric=aleatoric, epistemic=prediction.epistemic * factor)
        lower, upper = self.bounds(calibrated, level)
        return replace(calibrated, lower=lower, upper=upper, level=level)

    def bounds(self, calibrated: Prediction, level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return lower and upper bounds, (n,) each, at another level for a prediction that `interval` returned."""
        margin = self.quantile(level) * calibrated.std
        spec = calibrated.spec
        lower = np.maximum(calibrated.mean - margin, -math.inf if spec.lower is None else spec.lower)
        upper = np.minimum(calibrated.mean + margin, math.inf if spec.upper is None else spec.upper)
        return lower, upper


def _thinned(n: int) -> NDArray[np.int64]:
    """At most MAX_SCORES of n places, evenly spaced and the last one among them: intervals stay valid."""
    count = min(n, MAX_SCORES)
    return np.ceil(n * np.arange(1, count + 1) / count - 1e-9).astype(np.int64) - 1


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
        return with_intervals(self._inner.predict(batch), self._calibrations, self._level)


def with_intervals(
    plain: BatchPrediction, calibrations: Mapping[str, Calibration], level: float = DEFAULT_LEVEL
) -> BatchPrediction:
    """Return the predictions with intervals and calibrated standard deviations."""
    properties = {
        name: calibrations[name].interval(prediction, level, plain.distance) if name in calibrations else prediction
        for name, prediction in plain.properties.items()
    }
    return replace(plain, properties=properties)
