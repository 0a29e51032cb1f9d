"""Networks and trees as one model: where near neighbours matter, trees copy them better than a network does.

Doped variants of one compound stand in most tables of properties, and a forest repeats the value of the nearest;
boosted trees find the few columns that matter in a small table. What a network does better is to read structures and to
go smoothly over conditions and to new mixtures. Their errors are different ones: the weighted mean is better than each
(docs/benchmarks.md, "Tables of properties").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.materials.properties import PropertySpec
from matwright.models.config import GemPpmConfig, HeadKind
from matwright.models.flat import FlatLayout
from matwright.models.forest import TREES, Forest
from matwright.models.interface import BatchPrediction, Prediction, PropertyModel, bare_prediction
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

DOUBT_LEAF, DOUBT_COLUMNS = 10, 0.3
"""Records in a leaf, and share of the columns at a split, of trees that learn errors: these are mostly chance."""

_LOG_OF_ERROR = 0.635  # -E ln|x| of a standard normal x, (γ + ln 2) / 2: from mean log errors to standard deviations
_LEAST_ERROR, _LEAST_OF_MEAN = 0.1, 0.01  # of the median and of the mean error: what is added before the logarithm

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
        doubt: trees that say the natural logarithm of the standard deviation to expect, learned from errors of the
            blend on training records that it did not see; they ask the features and `_clues`. None where trees do not
            count, and in models of before.
    """

    forest: Forest | None
    boosted: Forest | None
    weights: tuple[float, ...]
    doubt: Forest | None = None

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

    def said(self, network: Floats, features: NDArray[np.float32]) -> tuple[Floats, Floats, Floats]:
        """What each part says, (n_parts, n) with the network's (n,) first, and the weights of the parts, of sum 1.

        The third is (n,) how far the randomised trees lie apart, their standard deviation; 0 where there are none.
        """
        parts, weights, spread = [network[None]], [1 - self.weight], np.zeros(len(network))
        if self.forest is not None:
            centres = _centres(self.forest, features)
            parts.append(centres[:2])
            weights += self.weights[:2]
            spread = centres[2]
        if self.boosted is not None:
            parts.append(self.boosted.predict(features)[None])
            weights += self.weights[2:]
        return np.concatenate(parts), np.array(weights), spread


def _centres(forest: Forest, features: NDArray[np.float32]) -> Floats:
    """(3, n) mean, median and standard deviation over the trees."""
    each = forest.each(features)
    return np.stack([each.mean(axis=1), np.median(each, axis=1), each.std(axis=1)])


def _clues(trees: Floats, weights: Floats, spread: Floats, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 3 + n_features) what tells errors: what trees say, how far their kinds and they lie apart, the features.

    From what each kind of trees says, (n_kinds, n), the weights of the kinds, and the (n,) spread of the randomised
    ones. Roots of distances: a random threshold finds a small one as easily as a large one.
    """
    mean = weights @ trees / weights.sum()
    apart = weights @ (trees - mean) ** 2 / weights.sum()
    return np.concatenate([np.stack([mean, apart**0.25, spread**0.5], axis=1).astype(np.float32), features], axis=1)


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
    networks: Mapping[str, Prediction],
    parts: NDArray[np.int64],
    specs: Sequence[PropertySpec],
    *,
    seed: int,
    trees: int = TREES,
    counts: Floats | None = None,
    judge: bool = False,
) -> tuple[Shares, dict[str, Prediction]]:
    """Return the trees of all numeric properties, with the weights that suit records they did not see.

    With `counts` they learn too how large errors are, from all training records: those of the blend where a network
    did not see the record, those of the trees alone where each did.

    With `judge` there is also, by property, what a blend says of each training record that no part of it saw, neither
    the network nor the trees, nor those that learned errors: (n,), with a NaN as mean where there is none. Elastic
    tensors have none: their components follow each other.

    Args:
        layout: of the columns of `features`.
        features: (n, n_features) of the training part.
        targets: (n, n_targets), NaN where not known; of a bound, its number.
        networks: (n,) by property, what networks say of records that they did not see; a NaN as mean where there is
            none.
        parts: (n,) the part of each record, 0..PARTS-1 (see `parts_of`).
        specs: one a target.
        seed: of the forests.
        trees: of each forest.
        counts: (n, n_targets) how much the error of each record counts, at least 0; None if errors are not learned.
        judge: whether to predict training records.
    """
    found, unseen = {}, {}
    elastic = any(spec.name in COMPONENT_NAMES for spec in specs)
    for column, spec in enumerate(specs):
        known = np.isfinite(targets[:, column])
        if spec.classes or not known.any() or (elastic and spec.name not in TENSOR_MODULI):
            continue
        table = _Table(
            features=features[known],
            truth=targets[known, column],
            network=networks[spec.name].at(known),
            parts=parts[known],
            counts=np.zeros(int(known.sum())) if counts is None else counts[known, column],
            seed=seed,
            trees=trees,
        )
        votes = table.votes()
        found[spec.name] = table.share(votes)
        if judge and not elastic:
            unseen[spec.name] = _among(known, table.unseen(votes, found[spec.name]))
    return Shares(layout=layout, shares=found), unseen


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Votes:
    """What trees say of records that they did not see: (n_kinds, n), NaN where none were asked; their spread, (n,).

    `grown` holds by part the randomised and the boosted trees that did not see it.
    """

    said: Floats
    spread: Floats
    grown: Mapping[int, tuple[Forest, Forest]]

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n,) where they say something."""
        return np.asarray(np.isfinite(self.said).all(axis=0))


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """The n training records with a value of one property, as `learn_shares` was given them."""

    features: NDArray[np.float32]
    truth: Floats
    network: Prediction
    parts: NDArray[np.int64]
    counts: Floats
    seed: int
    trees: int

    def votes(self) -> _Votes:
        """Ask trees of each part that did not see it."""
        asked = (self.counts > 0) | np.isfinite(self.network.mean)
        said, spread, grown = np.full((KINDS, len(asked)), np.nan), np.zeros(len(asked)), {}
        for part in np.unique(self.parts[asked]):
            own, others = asked & (self.parts == part), self.parts != part
            if others.any():
                forest, boosted = grown[int(part)] = self._forest(others), self._boosted(others)
                centres = _centres(forest, self.features[own])
                said[:2, own], spread[own] = centres[:2], centres[2]
                said[2, own] = boosted.predict(self.features[own])
        return _Votes(said=said, spread=spread, grown=grown)

    def share(self, votes: _Votes) -> Share:
        """The trees of all records, with the weights and the errors that those of the votes have."""
        judged = votes.known & np.isfinite(self.network.mean)
        weights = best_weights(self.truth[judged], self.network.mean[judged], votes.said[:, judged])
        doubt = self._doubt(votes, weights, votes.known)
        every = np.ones(len(self.truth), dtype=bool)
        return Share(
            # the spread of randomised trees tells errors
            forest=self._forest(every) if sum(weights[:2]) > 0 or doubt is not None else None,
            boosted=self._boosted(every) if weights[2] > 0 else None,
            weights=weights,
            doubt=doubt,
        )

    def unseen(self, votes: _Votes, share: Share) -> Prediction:
        """(n,) what the blend says of records that no part of it saw."""
        result = bare_prediction(self.network.spec, np.full(len(self.truth), np.nan))
        judged = votes.known & np.isfinite(self.network.mean)
        for part, (forest, boosted) in votes.grown.items():
            own = judged & (self.parts == part)
            if not own.any():
                continue
            doubt = self._doubt(votes, share.weights, votes.known & (self.parts != part))
            if (doubt is None) != (share.doubt is None):
                continue
            other = replace(share, forest=forest, boosted=boosted, doubt=doubt)
            said = blended(self.network.at(own), other, self.features[own])
            result.mean[own], result.epistemic[own], result.aleatoric[own] = said.mean, said.epistemic, said.aleatoric
        return result

    def _forest(self, chosen: NDArray[np.bool_]) -> Forest:
        return Forest.learn(self.features[chosen], self.truth[chosen], seed=self.seed, trees=self.trees)

    def _boosted(self, chosen: NDArray[np.bool_]) -> Forest:
        return Forest.boost(self.features[chosen], self.truth[chosen], seed=self.seed)

    def _doubt(self, votes: _Votes, weights: tuple[float, ...], chosen: NDArray[np.bool_]) -> Forest | None:
        """Trees that learn the logarithms of errors on the chosen records; None where these are too few or no error."""
        used = chosen & (self.counts > 0)
        if used.sum() < 2 * DOUBT_LEAF or sum(weights) == 0:
            return None
        each = np.array(weights)
        truth, network, trees = self.truth[used], self.network.mean[used], votes.said[:, used]
        alone = each @ trees / each.sum()
        said = np.where(np.isnan(network), alone, (1 - each.sum()) * network + each @ trees)
        error = np.abs(truth - said)
        least = max(_LEAST_ERROR * float(np.median(error)), _LEAST_OF_MEAN * float(error.mean()))
        if least == 0:
            return None
        return Forest.learn(
            _clues(trees, each, votes.spread[used], self.features[used]),
            np.log(error + least) + _LOG_OF_ERROR,
            seed=self.seed,
            trees=self.trees,
            leaf=DOUBT_LEAF,
            columns=DOUBT_COLUMNS,
            counts=self.counts[used],
        )


def _among(known: NDArray[np.bool_], prediction: Prediction) -> Prediction:
    """A prediction of the known ones of n records as one of all, NaN of the others."""
    place = np.where(known, np.cumsum(known) - 1, 0)
    placed = prediction.at(place)
    return replace(placed, mean=np.where(known, placed.mean, np.nan))


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

    Where they disagree, none knows: the epistemic variance grows by Σ w (ŷ_part - ŷ)², that of a mixture. Trees that
    learned errors of the blend say its aleatoric part in the place of the network, which knows its own errors alone;
    beside them the epistemic variance grows by that over the randomised trees too, since each tree is a guess.
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
        both = {name: blended(plain.properties[name], share, features) for name, share in self._shares.shares.items()}
        properties = {**plain.properties, **both}
        if both and all(name in properties for name in COMPONENT_NAMES):
            properties |= _scaled_tensor(properties)
        return replace(plain, properties=properties)


def blended(prediction: Prediction, share: Share, features: NDArray[np.float32]) -> Prediction:
    """The network's prediction of n materials together with what trees say of their features (n, n_features)."""
    spec = prediction.spec
    lower, upper = (-np.inf if spec.lower is None else spec.lower, np.inf if spec.upper is None else spec.upper)
    said, weights, spread = share.said(prediction.mean, features)
    trees = said[1:].copy()
    said[1:] = np.clip(trees, lower, upper)
    mean = weights @ said
    apart = weights @ (said - mean) ** 2
    both = replace(prediction, mean=mean, epistemic=np.sqrt(prediction.epistemic**2 + apart))
    if share.doubt is None:
        return both
    aleatoric = np.exp(share.doubt.predict(_clues(trees, weights[1:], spread, features)))
    return replace(both, epistemic=np.hypot(both.epistemic, spread), aleatoric=aleatoric)


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
