"""The rung of conduction: molecular dynamics under a potential, σ at room temperature and its activation energy."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from matwright.elements import symbol
from matwright.screening.conduction import ConductionSettings, Conductivity, conductivity
from matwright.screening.dynamics import DynamicsSettings
from matwright.screening.evidence import failed_rung, potential_rung
from matwright.screening.limits import ConductionLimits
from matwright.screening.potential import Failure, FailureKind, Potential
from matwright.screening.rules import at_least
from matwright.screening.rung import Measurement
from matwright.screening.stage import Climb, Climber
from matwright.screening.thresholds import Thresholds
from matwright.screening.verdict import Verdict

CONDUCTION = "conduction"
"""Name of the rung."""
_LEVEL = 0.9
_DEVIATIONS = 1.645
"""Standard deviations on either side that hold 90 %."""


def conduction_settings(limits: ConductionLimits, ion: str) -> ConductionSettings:
    """What the limits ask for: temperatures at equal steps of 1 / T."""
    inverse = np.linspace(1.0 / limits.lowest_temperature, 1.0 / limits.highest_temperature, limits.temperatures)
    return ConductionSettings(
        ion=ion,
        temperatures=tuple(float(np.round(1.0 / one, 1)) for one in inverse),
        min_length=limits.min_length,
        max_atoms=limits.max_atoms,
        dynamics=DynamicsSettings(
            timestep=limits.timestep, production=limits.production, interval=10 * limits.timestep
        ),
    )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ConductionStage:
    """Ionic conductivity.

    Attributes:
        potential: energies, forces and stresses.
        thresholds: of all rungs.
    """

    potential: Potential
    thresholds: Thresholds

    @property
    def name(self) -> str:
        """Name of the rung."""
        return CONDUCTION

    def climb(self, climbers: Sequence[Climber]) -> list[Climb]:
        """One rung a candidate, one after the other: the temperatures of one crystal fill a batch."""
        return [self._climb(climber) for climber in climbers]

    def _climb(self, climber: Climber) -> Climb:
        start = time.perf_counter()
        limits = self.thresholds.conduction
        held = {symbol(number) for number in climber.crystal.numbers.tolist()}
        ion = next((name for name in limits.ions if name in held), None)
        if ion is None:
            found: Conductivity | Failure = Failure(
                reason=f"the crystal holds none of the ions {', '.join(limits.ions)}", kind=FailureKind.REFUSED
            )
        else:
            found = conductivity(climber.crystal, self.potential, settings=conduction_settings(limits, ion))
        seconds = time.perf_counter() - start
        if isinstance(found, Failure):
            return Climb(rung=failed_rung(self.name, found, self.potential, seconds))
        verdicts = [_verdict(found, limits.min_ionic_conductivity)]
        taken = measurements(found)
        rung = potential_rung(self.name, climber, verdicts, taken, self.potential, self.thresholds, seconds)
        return Climb(rung=rung)


def _verdict(found: Conductivity, least: float) -> Verdict:
    """The conductivity at 300 K against its limit.

    Without a fit nothing is rejected for what the runs were too short to see, unless no temperature shows diffusion.
    """
    if found.at_room is not None:
        return at_least("ionic_conductivity", found.at_room, least, "S/cm")
    passed = least == 0.0 or any(point.resolved for point in found.points)
    return Verdict(
        rule="ionic_conductivity",
        residual=0.0 if passed else least,
        threshold=least,
        passed=passed,
        reason=found.reason,
        unit="S/cm",
    )


def measurements(found: Conductivity) -> list[Measurement]:
    """Conductivity at 300 K and activation energy with their errors, and those of every temperature."""
    taken = []
    if found.fit is not None and found.at_room is not None and found.log_std is not None:
        factor = math.exp(_DEVIATIONS * found.log_std)
        reach = _DEVIATIONS * found.fit.energy_std
        taken = [
            Measurement(
                name="ionic_conductivity",
                value=found.at_room,
                unit="S/cm",
                lower=found.at_room / factor,
                upper=found.at_room * factor,
                level=_LEVEL,
            ),
            Measurement(
                name="activation_energy",
                value=found.fit.energy,
                unit="eV",
                lower=found.fit.energy - reach,
                upper=found.fit.energy + reach,
                level=_LEVEL,
            ),
        ]
    for point in found.points:
        place = f"_{point.temperature:.0f}K"
        reach = _DEVIATIONS * point.tracer.std
        taken += [
            Measurement(
                name=f"diffusion{place}",
                value=point.tracer.value,
                unit="cm²/s",
                lower=point.tracer.value - reach,
                upper=point.tracer.value + reach,
                level=_LEVEL,
            ),
            Measurement(name=f"collective_diffusion{place}", value=point.collective.value, unit="cm²/s"),
            Measurement(name=f"diffusion_resolved{place}", value=float(point.resolved), unit="1"),
        ]
    return [*taken, Measurement(name="dynamics_atoms", value=float(found.atoms), unit="1")]
