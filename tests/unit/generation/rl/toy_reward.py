"""A surrogate with a known optimum: what share of the atoms is fluorine, and how large the cell is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from matwright.generation.rl.surrogate import HULL_DISTANCE
from matwright.generation.wyckoff.decode import CrystalArrays
from matwright.materials.properties import PropertySpec
from matwright.models.interface import Prediction, bare_prediction

FLUORINE = PropertySpec(name="fluorine", unit="1", lower=0.0, upper=1.0)
ABOVE = PropertySpec(name=HULL_DISTANCE, unit="eV/atom")
KNOWN = {FLUORINE.name: FLUORINE, ABOVE.name: ABOVE}


class ShareOfFluorine:
    """A `Surrogate` that is exact: it counts atoms."""

    @property
    def specs(self) -> Mapping[str, PropertySpec]:
        return KNOWN

    def predict(self, crystals: CrystalArrays) -> Mapping[str, Prediction]:
        sizes = np.diff(crystals.offsets)
        share = np.add.reduceat((crystals.numbers == 9).astype(float), crystals.offsets[:-1]) / sizes
        return {
            FLUORINE.name: bare_prediction(FLUORINE, share),
            ABOVE.name: bare_prediction(ABOVE, np.zeros(len(sizes))),
        }
