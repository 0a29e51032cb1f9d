"""The rung of the hull: what a relaxed crystal would gain by falling apart into known compounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

from matwright.data.hull import Hull
from matwright.data.references import ElementReferences
from matwright.errors import CalculationError
from matwright.physics.thermodynamics import stability
from matwright.screening.rules import at_most
from matwright.screening.rung import Measurement, Rung, broken, judged
from matwright.screening.stage import Climb, Climber
from matwright.screening.thresholds import Thresholds
from matwright.screening.verdict import Verdict

HULL = "hull"
"""Name of the rung."""
FORMATION_ENERGY = "formation_energy_per_atom"
HULL_DISTANCE = "e_above_hull"


def hull_rung(
    climber: Climber,
    hull: Hull,
    references: ElementReferences,
    thresholds: Thresholds,
    *,
    code: str,
    version: str,
    asked: Callable[[Sequence[Measurement]], Sequence[Verdict]] = lambda _: (),
) -> Rung:
    """Formation energy and distance to the hull of a relaxed crystal.

    Args:
        climber: with a measured "energy_per_atom" in eV/atom.
        hull: of known compounds.
        references: of the potential that measured the energy.
        thresholds: of all rungs.
        code, version: of that potential.
        asked: further verdicts on what was measured, for instance of the user's targets.
    """
    start = time.perf_counter()
    energy = climber.measured("energy_per_atom")
    try:
        if energy is None or energy.value is None:
            raise CalculationError("there is no energy of a relaxed crystal")
        found = stability(climber.crystal, energy.value, references, hull)
    except CalculationError as error:
        return broken(HULL, str(error), code=code, version=version)
    known = hull.n_compounds(set(climber.crystal.numbers.tolist()))
    taken = [
        Measurement(name=FORMATION_ENERGY, value=found.formation_energy, unit="eV/atom"),
        Measurement(name=HULL_DISTANCE, value=found.e_above_hull, unit="eV/atom"),
        Measurement(name="known_compounds_in_system", value=float(known), unit="1"),
    ]
    verdict = at_most(HULL_DISTANCE, found.e_above_hull, thresholds.hull.max_e_above_hull, "eV/atom")
    return judged(
        HULL,
        [verdict, *asked(taken)],
        taken,
        before=climber.verdicts,
        residual=thresholds.residual,
        code=code,
        version=version,
        seconds=time.perf_counter() - start,
    )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HullStage:
    """Places relaxed crystals on the hull of known compounds.

    Attributes:
        hull, references, thresholds: see `hull_rung`.
        code, version: of the potential.
        asked: see `hull_rung`.
    """

    hull: Hull
    references: ElementReferences
    thresholds: Thresholds
    code: str
    version: str
    asked: Callable[[Sequence[Measurement]], Sequence[Verdict]]

    @property
    def name(self) -> str:
        """Name of the rung."""
        return HULL

    def climb(self, climbers: Sequence[Climber]) -> list[Climb]:
        """One rung a candidate."""
        return [Climb(rung=self._rung(climber)) for climber in climbers]

    def _rung(self, climber: Climber) -> Rung:
        return hull_rung(
            climber,
            self.hull,
            self.references,
            self.thresholds,
            code=self.code,
            version=self.version,
            asked=self.asked,
        )
