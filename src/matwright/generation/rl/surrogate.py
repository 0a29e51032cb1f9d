"""What reinforcement learning asks of property models: many crystals in flat arrays, one prediction a property."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from matwright.generation.wyckoff.decode import CrystalArrays
from matwright.materials.properties import PropertySpec
from matwright.models.interface import Prediction

HULL_DISTANCE = "e_above_hull"
"""The property that the stability term reads."""
FORMATION_ENERGY = "formation_energy_per_atom"
"""The property that the hull corrects."""
BAND_GAP = "band_gap"
"""The property that usual valences support."""
VALENCE = PropertySpec(name="valence_likelihood", unit="1", lower=0.0, upper=1.0)
"""How usual the oxidation states are that make a composition neutral (`matwright.physics.valence`)."""


class Surrogate(Protocol):
    """Predicts properties of crystals in one pass."""

    @property
    def specs(self) -> Mapping[str, PropertySpec]:
        """The properties it predicts, by name."""
        ...

    def predict(self, crystals: CrystalArrays) -> Mapping[str, Prediction]:
        """Each property for n crystals (n ≥ 1), `VALENCE` beside the gap; NaN where a crystal cannot be judged."""
        ...
