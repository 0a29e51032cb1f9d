"""Readiness: before a design run, what the models know of what is asked for, how well, and what is known nearby."""

from matwright.api.readiness.files import PAGE_FILE, known_near, write_readiness
from matwright.api.readiness.judging import KnowingModel, assess_readiness, knowing_models
from matwright.api.readiness.result import READINESS_FILE, KnownMaterials, Readiness, Standing, TargetReadiness

__all__ = [
    "PAGE_FILE",
    "READINESS_FILE",
    "KnowingModel",
    "KnownMaterials",
    "Readiness",
    "Standing",
    "TargetReadiness",
    "assess_readiness",
    "knowing_models",
    "known_near",
    "write_readiness",
]
