"""matwright: from wanted properties to a short list of candidate materials, each with its evidence.

The public names below load the module that defines them when they are first used: importing the package is instant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matwright.api.design import DesignSettings, design
    from matwright.api.generate import load_generator
    from matwright.api.predict import Predictor, load_predictor
    from matwright.api.train import train
    from matwright.api.train_settings import TrainSettings
    from matwright.data.sources import open_source
    from matwright.errors import CalculationError, InputError, MatwrightError, ResourceError
    from matwright.generation.interface import Candidate, Generator
    from matwright.materials.constraints import Constraints
    from matwright.materials.crystal import Crystal
    from matwright.materials.interop import read_structure
    from matwright.materials.properties import PropertySpec
    from matwright.materials.target import Target, parse_target
    from matwright.models.interface import Prediction

__version__ = "0.1.0"

_HOMES = {
    "CalculationError": "matwright.errors",
    "Candidate": "matwright.generation.interface",
    "Constraints": "matwright.materials.constraints",
    "Crystal": "matwright.materials.crystal",
    "DesignSettings": "matwright.api.design",
    "Generator": "matwright.generation.interface",
    "InputError": "matwright.errors",
    "MatwrightError": "matwright.errors",
    "Prediction": "matwright.models.interface",
    "Predictor": "matwright.api.predict",
    "PropertySpec": "matwright.materials.properties",
    "ResourceError": "matwright.errors",
    "Target": "matwright.materials.target",
    "TrainSettings": "matwright.api.train_settings",
    "design": "matwright.api.design",
    "load_generator": "matwright.api.generate",
    "load_predictor": "matwright.api.predict",
    "open_source": "matwright.data.sources",
    "parse_target": "matwright.materials.target",
    "read_structure": "matwright.materials.interop",
    "train": "matwright.api.train",
}

__all__ = [
    "CalculationError",
    "Candidate",
    "Constraints",
    "Crystal",
    "DesignSettings",
    "Generator",
    "InputError",
    "MatwrightError",
    "Prediction",
    "Predictor",
    "PropertySpec",
    "ResourceError",
    "Target",
    "TrainSettings",
    "__version__",
    "design",
    "load_generator",
    "load_predictor",
    "open_source",
    "parse_target",
    "read_structure",
    "train",
]


def __getattr__(name: str) -> object:
    """Return a public name, importing its module at first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'matwright' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
