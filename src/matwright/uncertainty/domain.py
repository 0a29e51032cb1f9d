"""The domain score: how far a crystal lies from the training data, where the model sees it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.materials.properties import PropertySpec
from matwright.models.interface import BatchPrediction, PropertyModel

if TYPE_CHECKING:
    from matwright.graphs.batch import GraphBatch

NEIGHBOURS = 5
MAX_SAMPLE = 2_000  # training crystals, and held-out distances, that a checkpoint keeps


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DomainReference:
    """Where the training data lie in the embedding space.

    Attributes:
        centre, scale: (width,) float32, mean and standard deviation of the training embeddings.
        sample: (n_sample, width) float32, standardised embeddings of some training crystals.
        distances: (n_held_out,) float32, ascending, distances of held-out in-domain crystals.
    """

    centre: NDArray[np.float32]
    scale: NDArray[np.float32]
    sample: NDArray[np.float32]
    distances: NDArray[np.float32]

    @classmethod
    def fit(
        cls, train: NDArray[np.float32], held_out: NDArray[np.float32], generator: np.random.Generator
    ) -> DomainReference:
        """Make the reference from embeddings (n, width) of training and held-out crystals.

        Raises:
            InputError: one of the two is empty.
        """
        if len(train) == 0 or len(held_out) == 0:
            raise InputError("a domain score needs embeddings of training and of held-out crystals")
        chosen = generator.permutation(len(train))[:MAX_SAMPLE]
        centre, scale = train.mean(0), np.maximum(train.std(0), 1e-6)
        sample = ((train[chosen] - centre) / scale).astype(np.float16).astype(np.float32)  # as a checkpoint keeps it
        bare = cls(centre=centre, scale=scale, sample=sample, distances=np.zeros(1, np.float32))
        distances = np.sort(bare.distance(held_out[generator.permutation(len(held_out))[:MAX_SAMPLE]]))
        return replace(bare, distances=distances)

    def distance(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (n,) mean Euclidean distances to the nearest training crystals of the sample, per √width."""
        points = (embedding - self.centre) / self.scale
        squared = points @ (-2 * self.sample.T)  # (n, n_sample)
        squared += (points**2).sum(1)[:, None] + (self.sample**2).sum(1)
        k = min(NEIGHBOURS, len(self.sample))
        nearest = np.sqrt(np.maximum(np.partition(squared, k - 1, axis=1)[:, :k], 0))
        result: NDArray[np.float32] = (nearest.mean(1) / np.sqrt(points.shape[1])).astype(np.float32)
        return result

    def score(self, embedding: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return (n,) shares in [0, 1] of held-out crystals that lie nearer to the training data."""
        return np.searchsorted(self.distances, self.distance(embedding)) / len(self.distances)


@final
class DomainModel:
    """A model whose predictions carry a domain score."""

    def __init__(self, inner: PropertyModel, reference: DomainReference) -> None:
        self._inner, self._reference = inner, reference

    @property
    def specs(self) -> tuple[PropertySpec, ...]:
        """The properties of the held model."""
        return self._inner.specs

    def predict(self, batch: GraphBatch) -> BatchPrediction:
        """Predict and add the domain score, the same for every property of a crystal."""
        plain = self._inner.predict(batch)
        score = self._reference.score(plain.embedding)
        properties = {name: replace(p, domain_score=score) for name, p in plain.properties.items()}
        return replace(plain, properties=properties)
