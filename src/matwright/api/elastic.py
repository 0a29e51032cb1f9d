"""The whole elastic tensor of crystals, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.materials.symmetry import SYMPREC, point_rotations
from matwright.physics.elasticity import (
    COMPONENT_NAMES,
    Moduli,
    from_components,
    moduli,
    symmetrised,
    symmetry_violation,
)

if TYPE_CHECKING:
    from matwright.api.predict import Predictor


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PredictedTensor:
    """The elastic tensor of one crystal.

    Attributes:
        stiffness: (6, 6) GPa, Voigt notation, in the Cartesian frame of the crystal's cell vectors; exactly of the
            point group found, and positive definite.
        std: (6, 6) GPa, one standard deviation of each component (in that frame).
        moduli: averages of `stiffness`, arrays of one value; every predicted crystal is Born stable.
        violation: by how much the network's own tensor broke the point group, relative to its norm; rounding, unless
            the crystal itself is less symmetric than the group found.
        domain_score: near 1 means unlike the training data.
    """

    stiffness: NDArray[np.float64]
    std: NDArray[np.float64]
    moduli: Moduli
    violation: float
    domain_score: float


def predict_tensors(
    predictor: Predictor, crystals: Sequence[Crystal], *, symprec: float = SYMPREC
) -> list[PredictedTensor]:
    """Return the elastic tensors of crystals, in their order.

    Args:
        predictor: of a model with an elastic tensor, for instance `load_predictor("elastic")`.
        crystals: periodic in three directions.
        symprec: Å, tolerance of the search for the point group, over which each tensor is averaged.

    Raises:
        InputError: the model knows no tensor, there is no crystal, one is not periodic or has two atoms in one place.
        CalculationError: no symmetry can be found at this tolerance.
    """
    if not predictor.gives_tensor:
        raise InputError(f"the model {predictor.name} predicts no elastic tensor; the shipped model `elastic` does")
    found = predictor.predict(crystals)
    means = from_components(np.stack([found[name].mean for name in COMPONENT_NAMES], axis=1))
    spreads = from_components(np.stack([found[name].std for name in COMPONENT_NAMES], axis=1))
    scores = found[COMPONENT_NAMES[0]].domain_score
    tensors = []
    for crystal, mean, std, score in zip(crystals, means, spreads, scores, strict=True):
        operations = point_rotations(crystal, symprec)
        stiffness = symmetrised(mean, operations)
        tensors.append(
            PredictedTensor(
                stiffness=stiffness,
                std=std,
                moduli=moduli(stiffness[None]),
                violation=symmetry_violation(mean, operations),
                domain_score=float(score),
            )
        )
    return tensors
