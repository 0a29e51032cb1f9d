"""Property models as the surrogate of reinforcement learning: crystals in flat arrays in, predictions out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.api.conditions import conditions_of_models
from matwright.api.models import not_predicted
from matwright.api.predict import Predictor, load_predictor
from matwright.api.start import without_ancestors
from matwright.data.hull_batch import HullTable, shipped_hull_table
from matwright.elements import ATOMIC_MASS
from matwright.errors import InputError
from matwright.generation.rl.second_look import SecondLook
from matwright.generation.rl.surrogate import FORMATION_ENERGY, HULL_DISTANCE, VALENCE, Surrogate
from matwright.generation.wyckoff.decode import CrystalArrays
from matwright.graphs.arrays import CrystalGraphs
from matwright.materials.composition import Composition
from matwright.materials.conditions import Conditions
from matwright.materials.properties import KNOWN_PROPERTIES, PropertySpec
from matwright.materials.target import Target
from matwright.models.interface import Prediction, bare_prediction
from matwright.models.learned import Learned
from matwright.physics.geometry import GRAM_PER_CM3
from matwright.physics.valence import valence_likelihood

MOST_ELEMENTS = 8


@final
class ModelSurrogate:
    """Several property models as one, with energies above the hull and what follows from the structure alone.

    Args:
        predictors: by name; a property that several predict is their common vote, see `voted`, without a model that
            another of them started from.
        hull: turns a predicted formation energy into an energy above the hull.
        conditions: of each model that is told any, by name; what is not said is unknown.

    Raises:
        InputError: no model predicts the formation energy, which the stability term needs.
    """

    def __init__(
        self,
        predictors: Mapping[str, Predictor],
        hull: HullTable,
        conditions: Mapping[str, Conditions | None] | None = None,
    ) -> None:
        self._predictors, self._hull, self._conditions = dict(predictors), hull, dict(conditions or {})
        self._specs: dict[str, PropertySpec] = {}
        for predictor in self._predictors.values():
            self._specs = {**predictor.specs, **self._specs}
        self._voters = {name: set(without_ancestors(_able(self._predictors, name))) for name in self._specs}
        if FORMATION_ENERGY not in self._specs:
            raise InputError(
                f"no model here predicts {FORMATION_ENERGY}, which stability needs; give --model mp-crystal as well"
            )

    @property
    def specs(self) -> Mapping[str, PropertySpec]:
        """The properties by name: those of the models, the energy above the hull, density, volume, usual valences."""
        more = [KNOWN_PROPERTIES[name] for name in (HULL_DISTANCE, "density", "volume_per_atom")]
        return {spec.name: spec for spec in (*more, VALENCE)} | self._specs

    def check(self, targets: Sequence[Target]) -> None:
        """Make sure that every target can be predicted.

        Raises:
            InputError: one cannot; the message says which shipped model can, else how one is trained.
        """
        for target in targets:
            if target.name not in self.specs:
                raise InputError(
                    not_predicted(target.name, {name: one.specs for name, one in self._predictors.items()})
                )

    def predict(self, crystals: CrystalArrays) -> Mapping[str, Prediction]:
        """Each property for n crystals (n ≥ 1)."""
        votes: dict[str, list[Prediction]] = {name: [] for name in self._specs}
        for model, predictor in self._predictors.items():
            for name, prediction in _predicted(crystals, predictor, self._conditions.get(model)).items():
                if model in self._voters[name]:
                    votes[name].append(prediction)
        predictions = {name: voted(some) for name, some in votes.items()}
        formation = predictions[FORMATION_ENERGY]
        amounts = compositions(crystals)
        above = formation.mean - self._hull.energies_at(*amounts)
        predictions[HULL_DISTANCE] = replace(formation, spec=KNOWN_PROPERTIES[HULL_DISTANCE], mean=above)
        exact = {**_of_structure(crystals), VALENCE: valence_likelihood(*amounts)}
        return predictions | {spec.name: _known(spec, value, formation) for spec, value in exact.items()}


def surrogate_of(
    models: Sequence[str], targets: Sequence[Target], copies: int, conditions: Sequence[str] = ()
) -> Surrogate:
    """What judges crystals: the first model that knows a property, and near the targets all of them, twice.

    Args:
        models: names or folders, in order of preference; those that say nothing of the targets are not asked, nor is a
            model of a property that another of them has learned on from its weights.
        targets: what is asked for.
        copies: see `SecondLook`; with 0 and one model there is no second look.
        conditions: "temperature=700 K" for each, for the models that know it; what is not said is unknown.

    Raises:
        InputError: no model predicts the formation energy or a target, or none knows a condition.
    """
    predictors = {name: load_predictor(name) for name in models}
    wanted = [FORMATION_ENERGY, *(target.name for target in targets)]
    knowing = [list(without_ancestors(_able(predictors, target))) for target in wanted]
    first = {name: predictors[name] for names in knowing for name in names[:1]}
    every = {name: predictors[name] for names in knowing for name in names}
    hull = shipped_hull_table()
    stated = conditions_of_models({name: one.schema for name, one in predictors.items()}, conditions)
    plain = ModelSurrogate(first, hull, stated)
    plain.check(targets)
    if copies == 0 and len(every) == len(first):
        return plain
    return SecondLook(plain, ModelSurrogate(every, hull, stated), targets, copies)


def _able(predictors: Mapping[str, Predictor], name: str) -> dict[str, Predictor]:
    """The models that know a property."""
    return {model: one for model, one in predictors.items() if name in one.specs}


def voted(predictions: Sequence[Prediction]) -> Prediction:
    """One property by several models: the mean of their means, their disagreement among the epistemic spread.

    The interval is the widest, the domain score the highest: a vote is worth no more than its least informed voter.
    """
    if len(predictions) == 1:
        return predictions[0]
    means = np.stack([one.mean for one in predictions])
    epistemic = np.stack([one.epistemic for one in predictions])
    aleatoric = np.stack([one.aleatoric for one in predictions])
    return replace(
        predictions[0],
        mean=means.mean(0),
        epistemic=np.sqrt((epistemic**2).mean(0) + means.var(0)),
        aleatoric=np.sqrt((aleatoric**2).mean(0)),
        lower=np.min([one.lower for one in predictions], axis=0),
        upper=np.max([one.upper for one in predictions], axis=0),
        domain_score=np.max([one.domain_score for one in predictions], axis=0),
    )


def compositions(crystals: CrystalArrays) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(n, MOST_ELEMENTS) atomic numbers and amounts, 0 as padding; the rarest beyond that many are left out."""
    sizes = np.diff(crystals.offsets)
    counts = np.zeros((len(sizes), len(ATOMIC_MASS)), dtype=np.int64)
    np.add.at(counts, (np.repeat(np.arange(len(sizes)), sizes), crystals.numbers), 1)
    numbers = np.argsort(-counts, axis=1, kind="stable")[:, :MOST_ELEMENTS]
    amounts = np.take_along_axis(counts, numbers, axis=1)
    return np.where(amounts > 0, numbers, 0), amounts.astype(np.float64)


def _predicted(
    crystals: CrystalArrays, predictor: Predictor, conditions: Conditions | None
) -> Mapping[str, Prediction]:
    """What one model says of n crystals, or of their compositions where it learned from nothing else."""
    if predictor.learned is Learned.COMPOSITIONS:
        each = np.split(crystals.numbers, crystals.offsets[1:-1])
        return predictor.predict([Composition.from_amounts(Counter(some.tolist())) for some in each], conditions)
    source = CrystalGraphs(
        lattices=crystals.lattices,
        frac_coords=crystals.frac_coords,
        numbers=crystals.numbers,
        offsets=crystals.offsets,
        settings=predictor.graph_settings,
        labels=predictor.labels(len(crystals), conditions),
    )
    return predictor.predict_source(source, len(crystals))


def _of_structure(crystals: CrystalArrays) -> dict[PropertySpec, NDArray[np.float64]]:
    """Density (g/cm³) and volume per atom (Å³), which need no model."""
    sizes = np.diff(crystals.offsets)
    volume = np.abs(np.linalg.det(crystals.lattices))
    mass = np.add.reduceat(ATOMIC_MASS[crystals.numbers], crystals.offsets[:-1])
    density, per_atom = mass / volume * GRAM_PER_CM3, volume / sizes
    return {KNOWN_PROPERTIES["density"]: density, KNOWN_PROPERTIES["volume_per_atom"]: per_atom}


def _known(spec: PropertySpec, value: NDArray[np.float64], model: Prediction) -> Prediction:
    """A value (n,) without doubt, of crystals as unlike the training data as the model says."""
    return replace(bare_prediction(spec, value), lower=value, upper=value, domain_score=model.domain_score)
