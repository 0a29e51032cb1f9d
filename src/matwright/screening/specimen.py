"""The rung of the specimen: a clamped bar with the candidate's stiffness under a pull at its free end (E33-E35)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import CalculationError
from matwright.physics.continuum import Box, Face, Solution, solve
from matwright.physics.elasticity import COMPONENT_NAMES, from_components
from matwright.screening.limits import SpecimenLimits
from matwright.screening.rules import at_most
from matwright.screening.rung import Measurement, Rung, broken, judged
from matwright.screening.stage import Climb, Climber
from matwright.screening.thresholds import Thresholds

SPECIMEN = "specimen"
_CODE = "scikit-fem"
_SLENDER = 2
"""Length of the bar over its width; the bar lies along z of the crystal's frame."""
_SOURCES = ("", "predicted_")
"""Names of the components begin so: the potential's tensor comes before the predicted one."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SpecimenStage:
    """Solves the bar of each candidate that has an elastic tensor.

    Attributes:
        thresholds: of all rungs.
    """

    thresholds: Thresholds

    @property
    def name(self) -> str:
        """Name of the rung."""
        return SPECIMEN

    def climb(self, climbers: Sequence[Climber]) -> list[Climb]:
        """One rung a candidate."""
        return [Climb(rung=self._rung(climber)) for climber in climbers]

    def _rung(self, climber: Climber) -> Rung:
        start, limits = time.perf_counter(), self.thresholds.specimen
        version = metadata.version(_CODE)
        try:
            field = pulled_bar(known_stiffness(climber), limits)
        except CalculationError as error:
            seconds = time.perf_counter() - start
            return broken(SPECIMEN, str(error), code=_CODE, version=version, seconds=seconds)
        verdicts = [
            at_most("specimen_residual", field.residual, limits.max_residual, "1"),
            at_most("specimen_boundary", max(field.fixed_error, field.traction_error), limits.max_boundary_error, "1"),
            at_most("specimen_strain", field.largest_strain, limits.max_strain, "1"),
        ]
        end = field.points[2] > _SLENDER - 1e-9
        elongation = float(field.displacement[2, end].mean()) / _SLENDER
        taken = [
            Measurement(name="specimen_energy", value=1e3 * field.energy / _SLENDER, unit="MJ/m³"),
            Measurement(name="specimen_elongation", value=100 * elongation, unit="%"),
            Measurement(name="specimen_stiffness", value=limits.traction / elongation, unit="GPa"),
        ]
        return judged(
            SPECIMEN,
            verdicts,
            taken,
            before=climber.verdicts,
            residual=self.thresholds.residual,
            code=_CODE,
            version=version,
            seconds=time.perf_counter() - start,
        )


def known_stiffness(climber: Climber) -> NDArray[np.float64]:
    """The stiffness (6, 6) in GPa, Voigt notation, by the potential; the predicted one where there is none.

    Raises:
        CalculationError: neither rung was climbed.
    """
    for source in _SOURCES:
        found = [climber.measured(f"{source}{name}") for name in COMPONENT_NAMES]
        values = [measured.value for measured in found if measured is not None and measured.value is not None]
        if len(values) == len(COMPONENT_NAMES):
            return from_components(np.array(values))
    raise CalculationError("there is no elastic tensor: climb the rung elastic or predicted_elastic before")


def pulled_bar(stiffness: NDArray[np.float64], limits: SpecimenLimits) -> Solution:
    """A bar of 1 x 1 x 2, clamped at z = 0, pulled along z at the other end, its sides free; errors as in `solve`."""
    n = limits.elements
    box = Box(lengths=(1.0, 1.0, float(_SLENDER)), elements=(n, n, _SLENDER * n))
    pull = np.array([0.0, 0.0, limits.traction])
    return solve(stiffness, box, fixed={Face.Z0: np.zeros_like}, pulled={Face.Z1: lambda x: _everywhere(pull, x)})


def _everywhere(vector: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, …) the same vector at all points (3, …)."""
    return np.broadcast_to(vector.reshape(3, *[1] * (points.ndim - 1)), points.shape)
