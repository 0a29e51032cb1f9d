"""Properties of many candidates from one or several property models, each with interval and domain score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Protocol, final

import numpy as np
from numpy.typing import NDArray

from matwright.api.conditions import conditions_of_models
from matwright.api.design.judging import DOMAIN
from matwright.api.design.records import Measurement
from matwright.api.design.stability import shifted
from matwright.api.models import not_predicted
from matwright.data.hull import Hull
from matwright.errors import CalculationError, InputError
from matwright.materials.conditions import Conditions
from matwright.materials.crystal import Crystal
from matwright.materials.properties import KNOWN_PROPERTIES, PropertySpec
from matwright.materials.target import Target
from matwright.models.interface import Prediction
from matwright.physics import geometry
from matwright.screening.hull_distance import FORMATION_ENERGY, HULL_DISTANCE

if TYPE_CHECKING:
    from matwright.api.predict import Predictor as TrainedPredictor

__all__ = ["FORMATION_ENERGY", "HULL_DISTANCE", "MEASURED_EXACTLY", "Predictor", "Surrogates", "load_surrogates"]

MEASURED_EXACTLY: Mapping[str, Callable[[Crystal], float]] = {
    "density": geometry.density,
    "volume_per_atom": geometry.volume_per_atom,
}
"""Properties that follow from the structure alone and need no model."""


class Predictor(Protocol):
    """What a design run asks of a property model."""

    @property
    def specs(self) -> Mapping[str, PropertySpec]:
        """The properties it predicts, by name."""
        ...

    def predict(self, crystals: Sequence[Crystal]) -> Mapping[str, Prediction]:
        """Each property for n crystals."""
        ...


@final
class UnderConditions:
    """A trained model that predicts under the same conditions for every crystal."""

    def __init__(self, predictor: TrainedPredictor, conditions: Conditions) -> None:
        self._predictor, self._conditions = predictor, conditions

    @property
    def specs(self) -> Mapping[str, PropertySpec]:
        """The properties it predicts, by name."""
        return self._predictor.specs

    def predict(self, crystals: Sequence[Crystal]) -> Mapping[str, Prediction]:
        """Each property for n crystals."""
        return self._predictor.predict(crystals, self._conditions)

    def embed(self, crystals: Sequence[Crystal]) -> NDArray[np.float32]:
        """(n, width) where n crystals lie in the model's embedding space."""
        return self._predictor.embed(crystals, self._conditions)


def load_surrogates(names: Sequence[str], conditions: Sequence[str], hull: Hull) -> Surrogates:
    """The trained models of these names, each under those of the conditions that it knows.

    Args:
        names: shipped models or run folders, in order of preference.
        conditions: "temperature=700 K" for each; what is not said is unknown.
        hull: see `Surrogates`.

    Raises:
        InputError: a model is not there, none knows a condition, or a value cannot be read.
    """
    from matwright.api.predict import load_predictor  # heavy (torch): behind its door

    loaded = {name: load_predictor(name) for name in names}
    stated = conditions_of_models({name: one.schema for name, one in loaded.items()}, conditions)
    found: dict[str, Predictor] = {}
    for name, one in loaded.items():
        under = stated[name]
        found[name] = one if under is None else UnderConditions(one, under)
    return Surrogates(found, hull)


@final
class Surrogates:
    """Several property models as one: a property comes from the first model that predicts it.

    Args:
        predictors: by name, in order of preference.
        hull: turns a predicted formation energy into an energy above the hull.
    """

    def __init__(self, predictors: Mapping[str, Predictor], hull: Hull) -> None:
        self._predictors = dict(predictors)
        self._hull = hull
        self.source: dict[str, str] = {}
        for name, predictor in self._predictors.items():
            for predicted in predictor.specs:
                self.source.setdefault(predicted, name)

    def check(self, targets: Sequence[Target]) -> None:
        """Make sure that every target can be predicted.

        Raises:
            InputError: one cannot; the message says which shipped model can, else how one is trained.
        """
        for target in targets:
            if target.name in self.source or target.name in MEASURED_EXACTLY or target.name == HULL_DISTANCE:
                continue
            raise InputError(not_predicted(target.name, {name: one.specs for name, one in self._predictors.items()}))

    def measure(self, crystals: Sequence[Crystal]) -> list[tuple[Measurement, ...] | CalculationError]:
        """For each crystal its predicted properties, energy above hull, exact properties and domain score.

        A crystal that a model cannot treat gives the error that says so.
        """
        if not crystals:
            return []
        try:
            return list(self._measure_all(crystals))
        except (CalculationError, InputError) as error:
            if len(crystals) == 1:
                return [CalculationError(str(error))]
            return [result for crystal in crystals for result in self.measure([crystal])]

    def _measure_all(self, crystals: Sequence[Crystal]) -> list[tuple[Measurement, ...]]:
        predictions: dict[str, Prediction] = {}
        for name, predictor in self._predictors.items():
            wanted = [predicted for predicted, source in self.source.items() if source == name]
            found = predictor.predict(crystals) if wanted else {}
            predictions |= {predicted: found[predicted] for predicted in wanted}
        rows: list[tuple[Measurement, ...]] = []
        for index, crystal in enumerate(crystals):
            row = [_measurement(prediction, index) for prediction in predictions.values()]
            row += self._hull_distance(crystal, row)
            row += [
                Measurement(name=name, value=measure(crystal), unit=KNOWN_PROPERTIES[name].unit)
                for name, measure in MEASURED_EXACTLY.items()
            ]
            strangest = max((float(p.domain_score[index]) for p in predictions.values()), default=float("nan"))
            if np.isfinite(strangest):
                row.append(Measurement(name=DOMAIN, value=strangest, unit="1"))
            rows.append(tuple(row))
        return rows

    def _hull_distance(self, crystal: Crystal, row: Sequence[Measurement]) -> list[Measurement]:
        formation = next((m for m in row if m.name == FORMATION_ENERGY), None)
        if formation is None:
            return []
        return [shifted(formation, self._hull.hull_energy(Counter(int(number) for number in crystal.numbers)))]


def _measurement(prediction: Prediction, index: int) -> Measurement:
    """The prediction of one crystal; a model without calibration gives its normal interval instead."""
    value = float(prediction.mean[index])
    if not np.isfinite(value):
        raise CalculationError(f"the predicted {prediction.spec.name} is not a finite number")
    lower, upper = float(prediction.lower[index]), float(prediction.upper[index])
    if not np.isfinite([lower, upper]).all():
        half = NormalDist().inv_cdf(0.5 + prediction.level / 2) * float(prediction.std[index])
        lower, upper = value - half, value + half
    return Measurement(
        name=prediction.spec.name,
        value=value,
        unit=prediction.spec.unit,
        lower=lower,
        upper=upper,
        level=prediction.level,
    )
