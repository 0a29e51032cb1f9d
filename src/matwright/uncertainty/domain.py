"""The domain score: how unlike the training data a material is, in what it is made of and where the model sees it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.evaluation.records import known_compositions
from matwright.materials.properties import PropertySpec
from matwright.models.interface import BatchPrediction, PropertyModel

if TYPE_CHECKING:
    from matwright.graphs.batch import GraphBatch

Floats = NDArray[np.float64]
NEIGHBOURS = 5
NEAR_COMPOSITIONS = 1  # tells withheld chemical systems from known ones better than the mean over three
MAX_SAMPLE = 10_000  # training records, and compositions, that a checkpoint keeps: a thinner sample knows errors worse
MAX_HELD_OUT = 2_000
FLOOR_SHARE = 0.05  # of the usual distance, under distances: a logarithm has no 0
NEVER_SEEN = 0.01  # deviation of the root of an element's fraction below which the element counts as new
DEAD_SHARE = 0.01  # of the liveliest feature's deviation: a feature that hardly moves in training must not rule later
ALLOWANCE = 1.0  # standard deviations by which a position in embedding space must be odder than a composition


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Places:
    """Where n materials lie.

    Attributes:
        embedding: (n, width) float32, in the embedding space of the model.
        fractions: (n, n_elements) float32, atomic fractions by atomic number, each row summing to 1.
    """

    embedding: NDArray[np.float32]
    fractions: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.embedding)

    def at(self, indices: NDArray[np.integer]) -> Places:
        """The places of some of the materials."""
        return Places(embedding=self.embedding[indices], fractions=self.fractions[indices])


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DomainReference:
    """Where the training data lie, and how far held-out materials usually are from them.

    Two distances are taken. One between compositions p and q, √(Σ w_i² (√p_i − √q_i)²), Hellinger's distance with
    w_i² = 1/s_i for the deviation s_i of √p_i in training: an element that training seldom or never has, or a new
    mixture of known ones, is far, whatever the network makes of it. One in the embedding space, which sees structure
    and conditions too, and near which errors are known. With z for the standardised logarithm of each among held-out
    materials, the oddness of a material is log(e^z_c + e^(z_e − 1)): the larger one counts, and of two equal ones the
    composition.

    Attributes:
        centre, scale: (width,) float32, mean and standard deviation of the training embeddings.
        sample: (n_sample, width) float32, standardised embeddings of training records.
        roots: (n_compositions, n_elements) float32, square roots of the atomic fractions of training records.
        weights: (n_elements,) float32, w_i.
        floors: (2,) float64, under the distances.
        usual, deviation: (2,) float64, of the logarithms of the distances among held-out materials.
        held_out: (n_held_out,) float64, ascending, oddness of held-out in-domain materials.
        near: how many of the nearest compositions a distance is the mean over; 3 in models of before.
    """

    centre: NDArray[np.float32]
    scale: NDArray[np.float32]
    sample: NDArray[np.float32]
    roots: NDArray[np.float32]
    weights: NDArray[np.float32]
    floors: Floats
    usual: Floats
    deviation: Floats
    held_out: Floats
    near: int = NEAR_COMPOSITIONS

    @classmethod
    def fit(
        cls,
        train: Places,
        held_out: Places,
        generator: np.random.Generator,
        parts: NDArray[np.int64] | None = None,
    ) -> DomainReference:
        """Make the reference from the places of training and of held-out records.

        Args:
            train: of training records.
            held_out: of records that are not among them.
            generator: draws samples.
            parts: (n_train,) where held-out records are few, at least two parts of the training records: each record
                counts as held out from the parts that it is not in.

        Raises:
            InputError: one of the two is empty, or all training records are in one part.
        """
        if len(train) == 0 or len(held_out) == 0:
            raise InputError("a domain score needs embeddings of training and of held-out crystals")
        centre, scale = train.embedding.mean(0), train.embedding.std(0)
        scale = np.maximum(scale, max(DEAD_SHARE * float(scale.max()), 1e-6))
        chosen = generator.permutation(len(train))[:MAX_SAMPLE]
        bare = cls(
            centre=centre,
            scale=scale,
            sample=half_precision((train.embedding[chosen] - centre) / scale),
            roots=np.sqrt(_different(train.fractions, generator)),
            weights=np.maximum(np.sqrt(train.fractions).std(0), NEVER_SEEN) ** np.float32(-0.5),
            floors=np.zeros(2),
            usual=np.zeros(2),
            deviation=np.ones(2),
            held_out=np.zeros(1),
        )
        distances = bare.spacing(held_out.at(generator.permutation(len(held_out))[:MAX_HELD_OUT]), train)
        if parts is not None:
            drawn = np.sort(generator.permutation(len(train))[:MAX_HELD_OUT])
            distances = np.concatenate([distances, bare.between_parts(train, parts)[drawn]])
        floors = FLOOR_SHARE * np.where(np.median(distances, axis=0) > 0, np.median(distances, axis=0), 1.0)
        logarithms = np.log(distances + floors)
        deviation = np.maximum(logarithms.std(0), 1e-3)
        shaped = replace(bare, floors=floors, usual=logarithms.mean(0), deviation=deviation)
        return replace(shaped, held_out=np.sort(shaped.oddness(distances)))

    def distances(self, places: Places) -> Floats:
        """Return (n, 2) distances to the nearest training composition and, per √width, to the nearest embeddings.

        None has a unit.
        """
        return np.stack([self._of_compositions(places.fractions), self._of_embeddings(places.embedding)], axis=1)

    def between_parts(self, train: Places, parts: NDArray[np.int64]) -> Floats:
        """Return (n_train, 2) distances of training records as `spacing` gives them, to those of other parts alone.

        Raises:
            InputError: all are in one part.
        """
        found = np.empty((len(train), 2))
        for part in np.unique(parts):
            own = parts == part
            if own.all():
                raise InputError("training records of one part have no others to be far from")
            home = train.at(~own)
            others = replace(
                self,
                sample=half_precision((home.embedding - self.centre) / self.scale),
                roots=np.sqrt(np.unique(np.round(home.fractions, 4), axis=0)),
            )
            found[own] = others.spacing(train.at(own), home)
        return found

    def spacing(self, places: Places, train: Places) -> Floats:
        """Return (n, 2) as `distances` does, but of a composition that training has, how far the nearest other one is.

        Where held-out records repeat compositions of the training, a new one between these is not unlike them.
        """
        found = self.distances(places)
        known = known_compositions(places.fractions, train.fractions)
        if known.any():
            roots = np.sqrt(places.fractions[known]) * self.weights
            near, both = (_nearest(roots, self.roots * self.weights, k) for k in (1, 2))
            found[known, 0] = 2 * both - near
        return found

    def oddness(self, distances: Floats) -> Floats:
        """Return (n,) how unusual such distances, (n, 2), are among held-out materials; above 0 more than usual."""
        standard = (np.log(distances + self.floors) - self.usual) / self.deviation
        return np.logaddexp(standard[:, 0], standard[:, 1] - ALLOWANCE)

    def score(self, distances: Floats) -> Floats:
        """Return (n,) shares in [0, 1] of held-out materials that are less odd than materials at these distances."""
        return np.searchsorted(self.held_out, self.oddness(distances)) / len(self.held_out)

    def _of_compositions(self, fractions: NDArray[np.float32]) -> Floats:
        return _nearest(np.sqrt(fractions) * self.weights, self.roots * self.weights, self.near)

    def _of_embeddings(self, embedding: NDArray[np.float32]) -> Floats:
        points = (embedding - self.centre) / self.scale
        distance: Floats = _nearest(points, self.sample, NEIGHBOURS) / np.sqrt(points.shape[1])
        return distance


def _nearest(points: NDArray[np.float32], others: NDArray[np.float32], k: int) -> Floats:
    """(n_points,) mean Euclidean distance to the k nearest of the others."""
    squared = points @ (-2 * others.T)  # (n_points, n_others)
    squared += (points**2).sum(1)[:, None] + (others**2).sum(1)
    k = min(k, len(others))
    least = np.partition(squared, k - 1, axis=1)[:, :k].astype(np.float64)
    nearest: Floats = np.sqrt(np.maximum(least, 0)).mean(1)
    return nearest


def half_precision(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The values as a checkpoint keeps them, so that a loaded reference gives the same distances."""
    return values.astype(np.float16).astype(np.float32)


def _different(fractions: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """At most MAX_SAMPLE different compositions: polymorphs of one would fill the neighbourhood of each other."""
    different = np.unique(np.round(fractions, 4), axis=0)
    return different[np.sort(generator.permutation(len(different))[:MAX_SAMPLE])]


@final
class DomainModel:
    """A model whose predictions carry a domain score and the distance that their spread depends on."""

    def __init__(self, inner: PropertyModel, reference: DomainReference) -> None:
        self._inner, self._reference = inner, reference

    @property
    def specs(self) -> tuple[PropertySpec, ...]:
        """The properties of the held model."""
        return self._inner.specs

    def predict(self, batch: GraphBatch) -> BatchPrediction:
        """Predict and add the domain score, the same for every property of a crystal."""
        from matwright.evaluation.records import fractions_of  # heavy (torch): behind its door

        return with_domain(self._inner.predict(batch), fractions_of(batch), self._reference)


def with_domain(plain: BatchPrediction, fractions: NDArray[np.float32], reference: DomainReference) -> BatchPrediction:
    """Return the predictions with domain score and distance; `fractions` (n, n_elements) are of the same materials."""
    distances = reference.distances(Places(embedding=plain.embedding, fractions=fractions))
    score = reference.score(distances)
    properties = {name: replace(p, domain_score=score) for name, p in plain.properties.items()}
    return replace(plain, properties=properties, distance=distances[:, 1])
