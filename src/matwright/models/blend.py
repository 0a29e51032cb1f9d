"""Networks and trees as one model: where near neighbours matter, trees copy them better than a network does.

Doped variants of one compound stand in most tables of properties, and a forest repeats the value of the nearest;
boosted trees find the few columns that matter in a small table. What a network does better is to read structures and to
go smoothly over conditions and to new mixtures. Their errors are different ones: the weighted mean is better than each
(docs/benchmarks.md, "Tables of properties").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.materials.properties import PropertySpec
from matwright.models.config import GemPpmConfig, HeadKind
from matwright.models.flat import FlatLayout
from matwright.models.forest import TREES, Forest
from matwright.models.interface import BatchPrediction, Prediction, PropertyModel
from matwright.physics.elasticity import COMPONENT_NAMES, components, from_components, moduli, with_moduli
from matwright.rng import generator

if TYPE_CHECKING:
    from matwright.graphs.batch import GraphBatch

PARTS = 10
"""Shares of the training part; each member of the ensemble leaves one of them out."""

KINDS = 3
"""Ways in which trees speak: mean and median of randomised ones, boosted ones."""

_LEAST_MODULUS = 0.1  # GPa

WEIGHT_STEPS = 20
"""A weight is a whole number of these parts of one."""

TENSOR_MODULI = ("bulk_modulus", "shear_modulus")
"""Of what follows from an elastic tensor, that of which trees speak; the tensor is scaled to it."""

Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Share:
    """What trees say of one property, and how much it counts.

    Attributes:
        forest: randomised trees, learned from the training part; None where they do not count.
        boosted: boosted trees, likewise.
        weights: of the mean over the randomised trees, of their median, and of the boosted trees, each at least 0 and
            with a sum of at most 1; the rest is the network's. A median can be exactly 0, the gap of half of all
            compounds, where a mean cannot.
    """

    forest: Forest | None
    boosted: Forest | None
    weights: tuple[float, ...]

    @property
    def weight(self) -> float:
        """Of all trees together, in [0, 1]."""
        return min(1.0, sum(self.weights))

    @property
    def lacks(self) -> bool:
        """Whether trees that count are not there."""
        return (self.forest is None and sum(self.weights[:2]) > 0) or (
            self.boosted is None and sum(self.weights[2:]) > 0
        )

    def said(self, network: Floats, features: NDArray[np.float32]) -> tuple[Floats, Floats]:
        """What each part says, (n_parts, n) with the network's (n,) first, and the weights of the parts, of sum 1."""
        parts, weights = [network[None]], [1 - self.weight]
        if self.forest is not None:
            parts.append(_centres(self.forest, features))
            weights += self.weights[:2]
        if self.boosted is not None:
            parts.append(self.boosted.predict(features)[None])
            weights += self.weights[2:]
        return np.concatenate(parts), np.array(weights)


def _centres(forest: Forest, features: NDArray[np.float32]) -> Floats:
    """(2, n) mean and median over the trees."""
    each = forest.each(features)
    return np.stack([each.mean(axis=1), np.median(each, axis=1)])


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
    """Return the trees of all numeric properties, with the weights that suit records they did not see.

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
    elastic = any(spec.name in COMPONENT_NAMES for spec in specs)
    for column, spec in enumerate(specs):
        known = np.isfinite(targets[:, column])
        if spec.classes or not known.any() or (elastic and spec.name not in TENSOR_MODULI):
            continue
        judged = known & np.isfinite(network[:, column])
        growers = (partial(Forest.learn, seed=seed, trees=trees), partial(Forest.boost, seed=seed))
        unseen = np.full((KINDS, len(targets)), np.nan)
        for part in np.unique(parts[judged]):
            own, others = judged & (parts == part), known & (parts != part)
            if others.any():
                forest, boosted = (grow(features[others], targets[others, column]) for grow in growers)
                unseen[:2, own], unseen[2, own] = _centres(forest, features[own]), boosted.predict(features[own])
        judged &= np.isfinite(unseen).all(axis=0)
        weights = best_weights(targets[judged, column], network[judged, column], unseen[:, judged])
        counts = (sum(weights[:2]) > 0, weights[2] > 0)
        kept = [
            grow(features[known], targets[known, column]) if counted else None
            for grow, counted in zip(growers, counts, strict=True)
        ]
        found[spec.name] = Share(forest=kept[0], boosted=kept[1], weights=weights)
    return Shares(layout=layout, shares=found)


def best_weights(truth: Floats, network: Floats, trees: Floats) -> tuple[float, ...]:
    """The weights of trees (n_kinds, n) beside a network (n,), in steps of 0.05, with the least absolute error.

    Where nothing is known the trees have one half together.
    """
    kinds = len(trees)
    if len(truth) == 0:
        return (0.5 / kinds,) * kinds
    choices = [
        np.array(choice) for choice in product(range(WEIGHT_STEPS + 1), repeat=kinds) if sum(choice) <= WEIGHT_STEPS
    ]
    apart = trees - network
    errors = [np.abs(truth - network - choice @ apart / WEIGHT_STEPS).mean() for choice in choices]
    return tuple(float(step) / WEIGHT_STEPS for step in choices[int(np.argmin(errors))])


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
        if head.kind is HeadKind.ARRHENIUS:
            raise InputError(f"{spec.name} follows a law by construction, which a forest beside it would break")
        if not spec.intensive:
            raise InputError(f"{spec.name} grows with the cell; a forest can join intensive properties alone")


@final
class BlendedModel:
    """A model whose means are weighted means of its own and of those of trees.

    Where they disagree, none knows: the epistemic variance grows by Σ w (ŷ_part - ŷ)², that of a mixture.
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
            name: _blended(plain.properties[name], share, features) for name, share in self._shares.shares.items()
        }
        properties = {**plain.properties, **blended}
        if blended and all(name in properties for name in COMPONENT_NAMES):
            properties |= _scaled_tensor(properties)
        return replace(plain, properties=properties)


def _blended(prediction: Prediction, share: Share, features: NDArray[np.float32]) -> Prediction:
    spec = prediction.spec
    lower, upper = (-np.inf if spec.lower is None else spec.lower, np.inf if spec.upper is None else spec.upper)
    said, weights = share.said(prediction.mean, features)
    said[1:] = np.clip(said[1:], lower, upper)
    mean = weights @ said
    apart = weights @ (said - mean) ** 2
    return replace(prediction, mean=mean, epistemic=np.sqrt(prediction.epistemic**2 + apart))


def _scaled_tensor(properties: Mapping[str, Prediction]) -> dict[str, Prediction]:
    """All that follows from the tensors once they have the moduli that networks and trees agreed on.

    By as much as a value moves, so much the parts disagree: the move enters its epistemic part.
    """
    stiffness = from_components(np.stack([properties[name].mean for name in COMPONENT_NAMES], axis=1))
    wanted = [np.maximum(properties[name].mean, _LEAST_MODULUS) for name in TENSOR_MODULI]
    scaled = with_moduli(stiffness, wanted[0], wanted[1])
    found = dict(zip(COMPONENT_NAMES, components(scaled).T, strict=True))
    of_tensor = moduli(scaled)
    found |= {
        "young_modulus": of_tensor.young,
        "poisson_ratio": of_tensor.poisson,
        "universal_anisotropy": of_tensor.anisotropy,
        "bulk_modulus_voigt": of_tensor.bulk_voigt,
        "shear_modulus_voigt": of_tensor.shear_voigt,
    }
    moved = {}
    for name in properties.keys() & found.keys():
        plain = properties[name]
        epistemic = np.hypot(plain.epistemic, found[name] - plain.mean)
        moved[name] = replace(plain, mean=found[name], epistemic=epistemic)
    return moved
