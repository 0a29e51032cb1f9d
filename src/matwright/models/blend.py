"""A network and a forest as one model: where near neighbours matter, trees copy them better than a network does.

Doped variants of one compound stand in most tables of properties, and a forest repeats the value of the nearest. What a
network does better is to go smoothly over conditions and to new mixtures. Both errors are different ones: the weighted
mean is better than each (docs/benchmarks.md, "Tables of properties").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.materials.properties import PropertySpec
from matwright.models.config import GemPpmConfig, HeadKind
from matwright.models.flat import FlatLayout
from matwright.models.forest import TREES, Forest
from matwright.models.interface import BatchPrediction, Prediction, PropertyModel
from matwright.rng import generator

if TYPE_CHECKING:
    from matwright.graphs.batch import GraphBatch

PARTS = 10
"""Shares of the training part; each member of the ensemble leaves one of them out."""

Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Share:
    """What the forest says of one property, and how much it counts.

    Attributes:
        forest: learned from the training part.
        weight: of the forest, in [0, 1]; the rest is the network's.
    """

    forest: Forest
    weight: float


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shares:
    """The forests of a model by property, and the columns in which they see a material."""

    layout: FlatLayout
    shares: Mapping[str, Share]

    def around(self, model: PropertyModel) -> PropertyModel:
        """Return the model with the forests beside it."""
        return BlendedModel(model, self)


def learn_shares(
    layout: FlatLayout,
    features: NDArray[np.float32],
    targets: Floats,
    network: Floats,
    parts: NDArray[np.int64],
    specs: Sequence[PropertySpec],
    *,
    seed: int,
    trees: int = TREES,
) -> Shares:
    """Return the forests of all numeric properties, each with the weight that suits records it did not see.

    Args:
        layout: of the columns of `features`.
        features: (n, n_features) of the training part.
        targets: (n, n_targets), NaN where not known; of a bound, its number.
        network: (n, n_targets) predictions of networks for records that they did not see, NaN where there are none.
        parts: (n,) the part of each record, 0..PARTS-1 (see `parts_of`).
        specs: one a target.
        seed: of the forests.
        trees: of each forest.
    """
    found = {}
    for column, spec in enumerate(specs):
        known = np.isfinite(targets[:, column])
        if spec.classes or not known.any():
            continue
        judged = known & np.isfinite(network[:, column])
        unseen = np.full(len(targets), np.nan)
        for part in np.unique(parts[judged]):
            own, others = judged & (parts == part), known & (parts != part)
            if others.any():
                grown = Forest.learn(features[others], targets[others, column], seed=seed, trees=trees)
                unseen[own] = grown.predict(features[own])
        judged &= np.isfinite(unseen)
        weight = best_weight(targets[judged, column], network[judged, column], unseen[judged])
        forest = Forest.learn(features[known], targets[known, column], seed=seed, trees=trees)
        found[spec.name] = Share(forest=forest, weight=weight)
    return Shares(layout=layout, shares=found)


def best_weight(truth: Floats, network: Floats, forest: Floats) -> float:
    """The weight of the forest, in steps of 0.05, with the least absolute error; one half where nothing is known."""
    if len(truth) == 0:
        return 0.5
    weights = np.linspace(0.0, 1.0, 21)
    errors = [np.abs(truth - (1 - weight) * network - weight * forest).mean() for weight in weights]
    return float(weights[int(np.argmin(errors))])


def parts_of(groups: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """(n,) the part of each record, 0..PARTS-1, records of one group (counted from 0) together."""
    order = generator(seed, "parts of the blend").permutation(int(groups.max()) + 1)
    return np.asarray(order[groups] % PARTS, dtype=np.int64)


def check_blend(config: GemPpmConfig, specs: Sequence[PropertySpec]) -> None:
    """Say what cannot be blended.

    Raises:
        InputError: a property is extensive, or its head gives a law that a mean of two models would break.
    """
    for spec, head in zip(specs, config.heads, strict=True):
        if head.kind in (HeadKind.ARRHENIUS, HeadKind.ELASTIC):
            raise InputError(f"{spec.name} follows a law by construction, which a forest beside it would break")
        if not spec.intensive:
            raise InputError(f"{spec.name} grows with the cell; a forest can join intensive properties alone")


@final
class BlendedModel:
    """A model whose means are weighted means of its own and of a forest's.

    Where the two disagree, neither knows: the epistemic variance grows by w (1 - w) (ŷ_network - ŷ_forest)², that of a
    mixture.
    """

    def __init__(self, inner: PropertyModel, shares: Shares) -> None:
        self._inner, self._shares = inner, shares

    @property
    def specs(self) -> tuple[PropertySpec, ...]:
        """The properties of the held model."""
        return self._inner.specs

    def predict(self, batch: GraphBatch) -> BatchPrediction:
        """Predict with both."""
        plain = self._inner.predict(batch)
        features = self._shares.layout.of_batch(batch)
        blended = {
            name: _blended(plain.properties[name], share, share.forest.predict(features))
            for name, share in self._shares.shares.items()
        }
        return replace(plain, properties={**plain.properties, **blended})


def _blended(prediction: Prediction, share: Share, forest: Floats) -> Prediction:
    spec, weight = prediction.spec, share.weight
    lower, upper = (-np.inf if spec.lower is None else spec.lower, np.inf if spec.upper is None else spec.upper)
    mean = (1 - weight) * prediction.mean + weight * np.clip(forest, lower, upper)
    apart = weight * (1 - weight) * (prediction.mean - forest) ** 2
    return replace(prediction, mean=mean, epistemic=np.sqrt(prediction.epistemic**2 + apart))
