"""Property models as the surrogate of reinforcement learning: crystals in flat arrays in, predictions out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.api.predict import Predictor
from matwright.data.hull_batch import HullTable
from matwright.elements import ATOMIC_MASS
from matwright.errors import InputError
from matwright.generation.rl.surrogate import HULL_DISTANCE
from matwright.generation.wyckoff.decode import CrystalArrays
from matwright.graphs.arrays import CrystalGraphs
from matwright.materials.properties import KNOWN_PROPERTIES, PropertySpec
from matwright.materials.target import Target
from matwright.models.interface import Prediction, bare_prediction
from matwright.physics.geometry import GRAM_PER_CM3

FORMATION_ENERGY = "formation_energy_per_atom"
MOST_ELEMENTS = 8


@final
class ModelSurrogate:
    """Several property models as one, with energies above the hull and what follows from the structure alone.

    Args:
        predictors: by name; a property comes from the first that predicts it.
        hull: turns a predicted formation energy into an energy above the hull.

    Raises:
        InputError: no model predicts the formation energy, which the stability term needs, or one needs conditions.
    """

    def __init__(self, predictors: Mapping[str, Predictor], hull: HullTable) -> None:
        self._predictors, self._hull = dict(predictors), hull
        self._source: dict[str, str] = {}
        for name, predictor in self._predictors.items():
            for predicted in predictor.specs:
                self._source.setdefault(predicted, name)
        if FORMATION_ENERGY not in self._source:
            raise InputError(
                f"no model here predicts {FORMATION_ENERGY}, which stability needs; give --model mp-crystal as well"
            )

    @property
    def specs(self) -> Mapping[str, PropertySpec]:
        """The properties by name: those of the models, the energy above the hull, density and volume."""
        found = {name: self._predictors[source].specs[name] for name, source in self._source.items()}
        more = (HULL_DISTANCE, "density", "volume_per_atom")
        return {**found, **{name: KNOWN_PROPERTIES[name] for name in more if name not in found}}

    def check(self, targets: Sequence[Target]) -> None:
        """Make sure that every target can be predicted.

        Raises:
            InputError: one cannot; the message says what can.
        """
        for target in targets:
            if target.name not in self.specs:
                raise InputError(
                    f"no model here predicts {target.name}; what is known: {', '.join(self.specs)}. "
                    "Train one with `matwright train` and give it with --model"
                )

    def predict(self, crystals: CrystalArrays) -> Mapping[str, Prediction]:
        """Each property for n crystals (n ≥ 1)."""
        predictions: dict[str, Prediction] = {}
        for name, predictor in self._predictors.items():
            wanted = [predicted for predicted, source in self._source.items() if source == name]
            if wanted:
                found = predictor.predict_source(_graphs(crystals, predictor), len(crystals))
                predictions |= {predicted: found[predicted] for predicted in wanted}
        formation = predictions[FORMATION_ENERGY]
        above = formation.mean - self._hull.energies_at(*compositions(crystals))
        predictions[HULL_DISTANCE] = replace(formation, spec=KNOWN_PROPERTIES[HULL_DISTANCE], mean=above)
        return predictions | _exact(crystals, formation.domain_score)


def compositions(crystals: CrystalArrays) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(n, MOST_ELEMENTS) atomic numbers and amounts, 0 as padding; the rarest beyond that many are left out."""
    sizes = np.diff(crystals.offsets)
    counts = np.zeros((len(sizes), len(ATOMIC_MASS)), dtype=np.int64)
    np.add.at(counts, (np.repeat(np.arange(len(sizes)), sizes), crystals.numbers), 1)
    numbers = np.argsort(-counts, axis=1, kind="stable")[:, :MOST_ELEMENTS]
    amounts = np.take_along_axis(counts, numbers, axis=1)
    return np.where(amounts > 0, numbers, 0), amounts.astype(np.float64)


def _graphs(crystals: CrystalArrays, predictor: Predictor) -> CrystalGraphs:
    return CrystalGraphs(
        lattices=crystals.lattices,
        frac_coords=crystals.frac_coords,
        numbers=crystals.numbers,
        offsets=crystals.offsets,
        settings=predictor.graph_settings,
    )


def _exact(crystals: CrystalArrays, domain: NDArray[np.float64]) -> dict[str, Prediction]:
    """Density (g/cm³) and volume per atom (Å³), which need no model."""
    sizes = np.diff(crystals.offsets)
    volume = np.abs(np.linalg.det(crystals.lattices))
    mass = np.add.reduceat(ATOMIC_MASS[crystals.numbers], crystals.offsets[:-1])
    values = {"density": mass / volume * GRAM_PER_CM3, "volume_per_atom": volume / sizes}
    return {
        name: replace(bare_prediction(KNOWN_PROPERTIES[name], value), lower=value, upper=value, domain_score=domain)
        for name, value in values.items()
    }
