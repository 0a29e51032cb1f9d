"""What every property model gives back: a mean with its uncertainty, interval and domain score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, final

import numpy as np
from numpy.typing import NDArray

from matwright.materials.properties import PropertySpec

if TYPE_CHECKING:
    from matwright.graphs.batch import GraphBatch


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One property predicted for n materials; every array has shape (n,) and the unit of `spec`.

    Attributes:
        spec: name and unit of the property.
        mean: predicted value.
        epistemic: standard deviation from what the model does not know (spread of the ensemble).
        aleatoric: standard deviation from what the data do not tell (variance head).
        lower, upper: split-conformal interval at `level`.
        level: nominal coverage of the interval, for instance 0.9.
        domain_score: how unlike the training data the material is, in composition and in embedding space, as a
            percentile among held-out in-domain materials in [0, 1]; near 1 means unlike anything the model has
            seen (no unit).
    """

    spec: PropertySpec
    mean: NDArray[np.float64]
    epistemic: NDArray[np.float64]
    aleatoric: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    level: float
    domain_score: NDArray[np.float64]

    @property
    def std(self) -> NDArray[np.float64]:
        """(n,) total standard deviation √(epistemic² + aleatoric²), in the unit of `spec`."""
        return np.sqrt(self.epistemic**2 + self.aleatoric**2)

    def at(self, chosen: NDArray[np.bool_] | NDArray[np.integer]) -> Prediction:
        """The prediction of some of the materials."""
        return replace(
            self,
            mean=self.mean[chosen],
            epistemic=self.epistemic[chosen],
            aleatoric=self.aleatoric[chosen],
            lower=self.lower[chosen],
            upper=self.upper[chosen],
            domain_score=self.domain_score[chosen],
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPrediction:
    """What a property model says about one batch.

    Attributes:
        properties: one prediction of n values a property, by name; a categorical property appears as one
            probability a class, named "<property>=<class>".
        embedding: (n_crystals, width) float32, where the crystals lie in the model's embedding space.
        distance: (n_crystals,) from there to the nearest training data (no unit); None where it was not measured.
    """

    properties: Mapping[str, Prediction]
    embedding: NDArray[np.float32]
    distance: NDArray[np.float64] | None = None

    def at(self, chosen: NDArray[np.bool_] | NDArray[np.integer]) -> BatchPrediction:
        """The predictions of some of the materials."""
        return BatchPrediction(
            properties={name: prediction.at(chosen) for name, prediction in self.properties.items()},
            embedding=self.embedding[chosen],
            distance=None if self.distance is None else self.distance[chosen],
        )


class PropertyModel(Protocol):
    """Anything that predicts properties of crystals: a network, and every wrapper that holds one.

    Scaler, ensemble, conformal interval and domain score are such wrappers; what a wrapper does not know it
    passes through. A bare network leaves `epistemic` 0 and interval and domain score NaN.
    """

    @property
    def specs(self) -> tuple[PropertySpec, ...]:
        """The properties as they were learned (a categorical one with its classes)."""
        ...

    def predict(self, batch: GraphBatch) -> BatchPrediction:
        """Predict all properties of a batch, without gradients and in eval mode."""
        ...


def bare_prediction(
    spec: PropertySpec, mean: NDArray[np.float64], aleatoric: NDArray[np.float64] | None = None
) -> Prediction:
    """Return a prediction that knows only its mean and perhaps the noise of the data, (n,) each."""
    unknown = np.full(len(mean), np.nan)
    return Prediction(
        spec=spec,
        mean=mean,
        epistemic=np.zeros(len(mean)),
        aleatoric=np.zeros(len(mean)) if aleatoric is None else aleatoric,
        lower=unknown,
        upper=unknown,
        level=float("nan"),
        domain_score=unknown,
    )


def join_predictions(parts: Sequence[BatchPrediction]) -> BatchPrediction:
    """Return the predictions of several batches as one, in their order; there is at least one batch."""
    properties = {name: join_property([part.properties[name] for part in parts]) for name in parts[0].properties}
    distances = [part.distance for part in parts if part.distance is not None]
    return BatchPrediction(
        properties=properties,
        embedding=np.concatenate([part.embedding for part in parts]),
        distance=np.concatenate(distances) if len(distances) == len(parts) else None,
    )


def join_property(parts: Sequence[Prediction]) -> Prediction:
    """Return the predictions of one property for several batches as one, in their order; there is at least one."""
    return replace(
        parts[0],
        mean=np.concatenate([part.mean for part in parts]),
        epistemic=np.concatenate([part.epistemic for part in parts]),
        aleatoric=np.concatenate([part.aleatoric for part in parts]),
        lower=np.concatenate([part.lower for part in parts]),
        upper=np.concatenate([part.upper for part in parts]),
        domain_score=np.concatenate([part.domain_score for part in parts]),
    )
