"""Crystals and untrained models whose explanations the tests look at."""

from __future__ import annotations

import numpy as np
import torch

from matwright.graphs.settings import GraphSettings
from matwright.materials.conditions import ConditionColumn, ConditionSchema
from matwright.materials.crystal import Crystal
from matwright.materials.processing import StepVocabulary
from matwright.materials.properties import PropertySpec
from matwright.models.conditions import ConditionScale
from matwright.models.config import GemPpmConfig, HeadConfig, HeadKind
from matwright.models.gem_ppm import GemPpm
from matwright.models.scaled import ScaledModel, TargetScale

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
SALT = Crystal(lattice=5.69 * FCC, frac_coords=np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]), numbers=np.array([11, 17]))
FLUORITE = Crystal(
    lattice=5.46 * FCC,
    frac_coords=np.array([[0.0, 0.0, 0.0], [0.25, 0.25, 0.25], [0.75, 0.75, 0.75]]),
    numbers=np.array([20, 9, 9]),
)
PEROVSKITE = Crystal(
    lattice=3.95 * np.eye(3),
    frac_coords=np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.5]]),
    numbers=np.array([38, 22, 8, 8, 8]),
)
MIXED = Crystal(
    lattice=SALT.lattice,
    frac_coords=SALT.frac_coords,
    numbers=SALT.numbers,
    occupancies=(((11, 0.6), (19, 0.3)), ((17, 1.0),)),
)


def doubled(crystal: Crystal) -> Crystal:
    """The same crystal in a cell twice as long."""
    coords = crystal.frac_coords * [1, 1, 0.5]
    return Crystal(
        lattice=crystal.lattice * np.array([[1.0], [1.0], [2.0]]),
        frac_coords=np.concatenate([coords, coords + np.array([0, 0, 0.5])]),
        numbers=np.concatenate([crystal.numbers, crystal.numbers]),
    )


SCHEMA = ConditionSchema(
    columns=(
        ConditionColumn(name="temperature", unit="K"),
        ConditionColumn(name="atmosphere", categories=("air", "argon")),
    ),
    steps=StepVocabulary(operations=("age", "solution"), atmospheres=("argon",), coolings=("water",)),
)
STEPS = ((1.0, 1400.0, 4.0, 0.0, np.nan, 0.0), (0.0, 1100.0, 24.0, np.nan, np.nan, np.nan))
SPECS = (
    PropertySpec(name="conductivity", unit="log10(S/cm)"),
    PropertySpec(name="energy", unit="eV", intensive=False),
    PropertySpec(name="metal", unit="1", classes=("no", "yes")),
)


def untrained(seed: int = 0) -> ScaledModel:
    """A model with every kind of input and head, its weights random and its normalisations not trivial."""
    config = GemPpmConfig(
        heads=(
            HeadConfig(name="conductivity", kind=HeadKind.ARRHENIUS, temperature="temperature"),
            HeadConfig(name="energy", kind=HeadKind.POINT),
            HeadConfig(name="metal", kind=HeadKind.CLASS, n_classes=2),
        ),
        width=16,
        layers=2,
        graph=GraphSettings(),
        conditions=SCHEMA,
        composition=True,
    )
    torch.manual_seed(seed)
    network = GemPpm(config)
    assert network.conditions is not None
    network.conditions.set_scale(ConditionScale(centre=np.array([600.0, 0.0]), scale=np.array([200.0, 1.0])))
    scale = TargetScale(centre=np.array([-4.0, -1.0, 0.0]), scale=np.array([2.0, 0.5, 1.0]))
    return ScaledModel(network, SPECS, scale).eval()
