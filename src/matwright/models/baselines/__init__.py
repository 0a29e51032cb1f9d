"""Baselines: what a property model has to beat on a table (needs the extra `bench`)."""

from matwright.models.baselines.classical import (
    TREES,
    ClassicalKind,
    ClassicalRegressor,
    flat_conditions,
    flat_steps,
    magpie_features,
)

__all__ = ["TREES", "ClassicalKind", "ClassicalRegressor", "flat_conditions", "flat_steps", "magpie_features"]
