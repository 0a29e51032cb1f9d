"""The rung of relaxation: forces and stress come to rest under a potential, and the atoms keep their distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from matwright.errors import CalculationError
from matwright.materials.crystal import Crystal
from matwright.materials.interop import primitive
from matwright.screening.cascade import apply_rules
from matwright.screening.potential import Failure, Potential
from matwright.screening.relax import Outcome, RelaxationSettings, relax
from matwright.screening.rules import at_most, rules_of
from matwright.screening.rung import Measurement, Rung, broken, judged
from matwright.screening.stage import Climb, Climber
from matwright.screening.thresholds import Thresholds
from matwright.screening.verdict import Verdict

RELAXATION = "relaxation"
"""Name of the rung."""


def relaxation_rung(
    given: Crystal,
    outcome: Outcome,
    potential: str,
    thresholds: Thresholds,
    *,
    before: Sequence[Verdict] = (),
    further: Sequence[Verdict] = (),
) -> Rung:
    """What became of a crystal; one that has not converged passes all the same when little force and stress is left.

    Args:
        given: the crystal before it.
        outcome: of `relax`.
        potential: name of the potential, for a failure.
        thresholds: of all rungs.
        before: verdicts of the rungs below.
        further: verdicts on the relaxed crystal that belong to the rung.
    """
    if isinstance(outcome, Failure):
        return broken(RELAXATION, outcome.reason, code=potential, seconds=outcome.seconds)
    name, _, version = outcome.potential.partition(" ")
    limits, n_atoms = thresholds.relaxation, len(outcome.crystal)
    verdicts = [
        at_most("fmax", outcome.fmax, limits.max_fmax, "eV/Å"),
        at_most("smax", outcome.smax, limits.max_smax, "GPa"),
    ]
    gained = (outcome.initial_energy - outcome.energy) / n_atoms
    change = 100 * (outcome.crystal.volume / given.volume - 1)
    taken = [
        Measurement(name="energy_per_atom", value=outcome.energy_per_atom, unit="eV/atom"),
        Measurement(name="energy_gained", value=gained, unit="eV/atom"),
        Measurement(name="fmax", value=outcome.fmax, unit="eV/Å"),
        Measurement(name="smax", value=outcome.smax, unit="GPa"),
        Measurement(name="relaxation_steps", value=float(outcome.steps), unit="1"),
        Measurement(name="volume_change", value=change, unit="%"),
    ]
    return judged(
        RELAXATION,
        [*verdicts, *further],
        taken,
        before=before,
        residual=thresholds.residual,
        code=name,
        version=version,
        seconds=outcome.seconds,
    )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RelaxationStage:
    """Relaxes positions and primitive cells to half of what may be left, in batches.

    Attributes:
        potential: energies, forces and stresses.
        thresholds: of all rungs.
    """

    potential: Potential
    thresholds: Thresholds

    @property
    def name(self) -> str:
        """Name of the rung."""
        return RELAXATION

    def climb(self, climbers: Sequence[Climber]) -> list[Climb]:
        """Every crystal relaxed, then held against the rules of density and geometry again."""
        limits = self.thresholds.relaxation
        settings = RelaxationSettings(fmax=limits.max_fmax / 2, smax=limits.max_smax / 2, max_steps=limits.max_steps)
        crystals = [smallest_cell(climber.crystal) for climber in climbers]
        outcomes = relax(crystals, self.potential, settings=settings)
        found = zip(climbers, crystals, outcomes, strict=True)
        return [self._climb(climber, crystal, outcome) for climber, crystal, outcome in found]

    def _climb(self, climber: Climber, given: Crystal, outcome: Outcome) -> Climb:
        relaxed = None if isinstance(outcome, Failure) else outcome.crystal
        rules = rules_of("density", self.thresholds) | rules_of("geometry", self.thresholds)
        further = () if relaxed is None else apply_rules(relaxed, self.thresholds, rules=rules, stop_at_first=False)
        rung = relaxation_rung(
            given,
            outcome,
            self.potential.name,
            self.thresholds,
            before=climber.verdicts,
            further=further,
        )
        return Climb(rung=rung, relaxed=relaxed)


def smallest_cell(crystal: Crystal) -> Crystal:
    """The primitive cell, which costs the least; the crystal itself where none is found or it is not periodic."""
    if not all(crystal.pbc):
        return crystal
    try:
        return primitive(crystal)
    except CalculationError:
        return crystal
