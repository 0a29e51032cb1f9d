"""Readiness: before a design run, what the models know of what is asked for, how well, and what is known nearby."""

from matwright.api.readiness.files import PAGE_FILE, known_near, write_readiness
from matwright.api.readiness.judging import assess_readiness
from matwright.api.readiness.knowing import KnowingModel, knowing_models
from matwright.api.readiness.remarks import remarks_on
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
    "remarks_on",
    "write_readiness",
]
