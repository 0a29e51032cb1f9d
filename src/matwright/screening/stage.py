"""A stage does the work of one rung on many candidates at once: it measures, and holds against the thresholds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, final

from matwright.errors import MatwrightError
from matwright.materials.crystal import Crystal
from matwright.materials.symmetry import site_symmetry
from matwright.screening.cascade import apply_rules
from matwright.screening.rules import rules_of
from matwright.screening.rung import Measurement, Rung, judged
from matwright.screening.thresholds import Thresholds
from matwright.screening.verdict import Verdict


class Climber(Protocol):
    """What a stage sees of a candidate."""

    @property
    def crystal(self) -> Crystal:
        """The best structure known: relaxed where there is one, else as given."""
        ...

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Those of the rungs below."""
        ...

    def measured(self, name: str) -> Measurement | None:
        """The latest measurement of that name, or None."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Climb:
    """What a stage found out about one candidate.

    Attributes:
        rung: what was measured, judged and said.
        relaxed: the crystal after it, None where the stage leaves the crystal alone.
    """

    rung: Rung
    relaxed: Crystal | None = None


class Stage(Protocol):
    """The work of one rung."""

    @property
    def name(self) -> str:
        """Name of the rung."""
        ...

    def climb(self, climbers: Sequence[Climber]) -> list[Climb]:
        """One answer a candidate, in their order; a calculation that fails is a rung that was not passed."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RulesStage:
    """Rules on the crystal alone: density, geometry, chemistry or symmetry.

    Attributes:
        name: of the rung, see `rules.RULES_OF_RUNG`.
        thresholds: of all rungs.
    """

    name: str
    thresholds: Thresholds

    def climb(self, climbers: Sequence[Climber]) -> list[Climb]:
        """The verdicts of every rule of the rung."""
        return [Climb(rung=self._rung(climber)) for climber in climbers]

    def _rung(self, climber: Climber) -> Rung:
        start = time.perf_counter()
        rules = rules_of(self.name, self.thresholds)
        verdicts = apply_rules(climber.crystal, self.thresholds, rules=rules, stop_at_first=False)
        taken = _space_group(climber.crystal, self.thresholds) if self.name == "symmetry" else []
        return judged(
            self.name,
            verdicts,
            taken,
            before=climber.verdicts,
            residual=self.thresholds.residual,
            seconds=time.perf_counter() - start,
        )


def _space_group(crystal: Crystal, thresholds: Thresholds) -> list[Measurement]:
    """Its number; nothing where no symmetry can be found."""
    try:
        number = site_symmetry(crystal, thresholds.symmetry.symprec).number
    except MatwrightError:
        return []
    return [Measurement(name="space_group", value=float(number), unit="1")]
