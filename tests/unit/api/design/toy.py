"""A small honest pipeline for tests of the design run: prototype crystals and properties by closed formulas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np

from matwright.elements import COVALENT_RADIUS, ELECTRONEGATIVITY
from matwright.errors import InputError
from matwright.generation.interface import Candidate, Provenance
from matwright.materials.constraints import NO_CONSTRAINTS, Constraints
from matwright.materials.crystal import Crystal
from matwright.materials.properties import KNOWN_PROPERTIES, PropertySpec
from matwright.models.interface import Prediction
from matwright.physics.geometry import volume_per_atom

METALS = (3, 11, 12, 13, 20, 21, 22, 23, 24, 25, 26, 27, 28, 30, 39, 40, 41, 42, 72, 73, 74)
ANIONS = (5, 6, 7, 8, 9, 14, 15, 16, 17, 34)
FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
PROTOTYPES = (
    ("rock salt", FCC, (0, 1), [[0, 0, 0], [0.5, 0.5, 0.5]], 2.0),
    ("zinc blende", FCC, (0, 1), [[0, 0, 0], [0.25, 0.25, 0.25]], 4.0 / np.sqrt(3.0)),
    ("caesium chloride", np.eye(3), (0, 1), [[0, 0, 0], [0.5, 0.5, 0.5]], 2.0 / np.sqrt(3.0)),
    ("fluorite", FCC, (0, 1, 1), [[0, 0, 0], [0.25, 0.25, 0.25], [0.75, 0.75, 0.75]], 4.0 / np.sqrt(3.0)),
)


def prototype(kind: int, metal: int, anion: int, stretch: float = 1.0) -> Crystal:
    """A crystal of a prototype whose nearest neighbours touch, times `stretch`."""
    _, cell, species, coords, per_bond = PROTOTYPES[kind]
    bond = float(COVALENT_RADIUS[metal] + COVALENT_RADIUS[anion]) * stretch
    numbers = np.array([(metal, anion)[which] for which in species])
    return Crystal(lattice=cell * per_bond * bond, frac_coords=np.array(coords, dtype=float), numbers=numbers)


@final
class PrototypeGenerator:
    """Binary compounds in four prototypes; some are stretched, squeezed or repeated, so that every rule has work."""

    name = "prototypes"

    def sample(self, n: int, *, constraints: Constraints = NO_CONSTRAINTS, seed: int = 0) -> list[Candidate]:
        """n candidates; the same seed gives the same ones."""
        metals = [z for z in METALS if _fits(z, constraints)]
        anions = [z for z in ANIONS if _fits(z, constraints)]
        if not metals or not anions:
            raise InputError("the prototypes need a metal and an anion among the allowed elements")
        random = np.random.default_rng(seed)
        return [
            Candidate(
                crystal=prototype(
                    int(random.integers(len(PROTOTYPES))),
                    int(random.choice(metals)),
                    int(random.choice(anions)),
                    float(random.choice([0.2, 0.95, 1.0, 1.05])),
                ),
                provenance=Provenance(generator=self.name, seed=seed, index=index),
            )
            for index in range(n)
        ]


def _fits(number: int, constraints: Constraints) -> bool:
    return number not in constraints.forbidden and (not constraints.allowed or number in constraints.allowed)


@final
class FormulaPredictor:
    """Properties by closed formulas of volume and electronegativity: smooth, deterministic, roughly right."""

    specs: Mapping[str, PropertySpec] = {
        name: KNOWN_PROPERTIES[name] for name in ("formation_energy_per_atom", "band_gap", "bulk_modulus")
    }

    def predict(self, crystals: Sequence[Crystal]) -> dict[str, Prediction]:
        """Each property with an interval of fixed width."""
        volume = np.array([volume_per_atom(crystal) for crystal in crystals])
        spread = np.array([np.ptp(ELECTRONEGATIVITY[crystal.numbers]) for crystal in crystals])
        mean = np.array([float(np.mean(ELECTRONEGATIVITY[crystal.numbers])) for crystal in crystals])
        values = {
            "formation_energy_per_atom": (-0.6 * spread**1.5, 0.3),
            "band_gap": (2.0 * spread, 1.0),
            "bulk_modulus": (2000.0 * mean / volume / (1.0 + 0.2 * spread), 40.0),
        }
        return {name: self._prediction(name, mean, width) for name, (mean, width) in values.items()}

    def _prediction(self, name: str, mean: np.ndarray, width: float) -> Prediction:
        lower = np.maximum(mean - width, self.specs[name].lower or -np.inf)
        zeros = np.zeros_like(mean)
        return Prediction(
            spec=self.specs[name],
            mean=mean,
            epistemic=zeros + width / 1.645,
            aleatoric=zeros,
            lower=lower,
            upper=mean + width,
            level=0.9,
            domain_score=zeros + 0.5,
        )
