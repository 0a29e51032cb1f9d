"""The dear rungs under a potential: equation of state, elastic tensor, phonons."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from matwright.physics.elasticity import COMPONENT_NAMES, components, moduli
from matwright.screening.compression import EquationOfState, equations_of_state
from matwright.screening.deformation import ElasticTensor, elastic_tensors
from matwright.screening.lattice_dynamics import Phonons, phonons
from matwright.screening.potential import Failure, Potential
from matwright.screening.rules import at_least, at_most
from matwright.screening.rung import Measurement, Rung, broken, judged
from matwright.screening.stage import Climb, Climber
from matwright.screening.thresholds import Thresholds
from matwright.screening.verdict import Verdict

EQUATION_OF_STATE, ELASTIC, PHONON = "equation_of_state", "elastic", "phonon"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EquationOfStateStage:
    """Bulk modulus from energies over volumes.

    Attributes:
        potential: energies, forces and stresses.
        thresholds: of all rungs.
    """

    potential: Potential
    thresholds: Thresholds

    @property
    def name(self) -> str:
        """Name of the rung."""
        return EQUATION_OF_STATE

    def climb(self, climbers: Sequence[Climber]) -> list[Climb]:
        """One rung a candidate, and the crystal at rest."""
        start, limits = time.perf_counter(), self.thresholds.equation_of_state
        crystals = [climber.crystal for climber in climbers]
        answers = equations_of_state(crystals, self.potential, span=limits.span, points=limits.points)
        seconds = (time.perf_counter() - start) / len(climbers)
        return [self._climb(climber, answer, seconds) for climber, answer in zip(climbers, answers, strict=True)]

    def _climb(self, climber: Climber, answer: EquationOfState | Failure, seconds: float) -> Climb:
        if isinstance(answer, Failure):
            return Climb(rung=failed_rung(self.name, answer, self.potential, seconds))
        limits = self.thresholds.equation_of_state
        verdicts = [
            at_least("eos_bulk_modulus", answer.bulk_modulus, limits.min_bulk_modulus, "GPa"),
            at_most("eos_misfit", answer.misfit, limits.max_misfit, "meV/atom"),
        ]
        taken = [
            Measurement(name="bulk_modulus_eos", value=answer.bulk_modulus, unit="GPa"),
            Measurement(name="bulk_modulus_slope", value=answer.slope, unit="1"),
            Measurement(name="volume_eos", value=answer.volume, unit="Å³/atom"),
        ]
        rung = potential_rung(self.name, climber, verdicts, taken, self.potential, self.thresholds, seconds)
        return Climb(rung=rung, relaxed=answer.crystal)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticStage:
    """Elastic tensor with relaxed ions, and its Born eigenvalues.

    Attributes:
        potential: energies, forces and stresses.
        thresholds: of all rungs.
    """

    potential: Potential
    thresholds: Thresholds

    @property
    def name(self) -> str:
        """Name of the rung."""
        return ELASTIC

    def climb(self, climbers: Sequence[Climber]) -> list[Climb]:
        """One rung a candidate, and the crystal at rest."""
        start = time.perf_counter()
        crystals = [climber.crystal for climber in climbers]
        answers = elastic_tensors(crystals, self.potential, strain=self.thresholds.elastic.strain)
        seconds = (time.perf_counter() - start) / len(climbers)
        return [self._climb(climber, answer, seconds) for climber, answer in zip(climbers, answers, strict=True)]

    def _climb(self, climber: Climber, answer: ElasticTensor | Failure, seconds: float) -> Climb:
        if isinstance(answer, Failure):
            return Climb(rung=failed_rung(self.name, answer, self.potential, seconds))
        limits, averages = self.thresholds.elastic, moduli(answer.stiffness[None])
        verdicts = [
            at_least("least_eigenvalue", float(averages.least_eigenvalue[0]), limits.min_eigenvalue, "GPa"),
            at_most("elastic_misfit", answer.misfit, limits.max_misfit, "1"),
        ]
        taken = [
            Measurement(name=name, value=float(value), unit="GPa")
            for name, value in zip(COMPONENT_NAMES, components(answer.stiffness), strict=True)
        ]
        taken.append(Measurement(name="deformed_cells", value=float(answer.cells), unit="1"))
        if averages.is_stable[0]:  # the averages of an unstable crystal mean nothing
            taken += [
                Measurement(name="elastic_bulk_modulus", value=float(averages.bulk[0]), unit="GPa"),
                Measurement(name="elastic_shear_modulus", value=float(averages.shear[0]), unit="GPa"),
                Measurement(name="elastic_anisotropy", value=float(averages.anisotropy[0]), unit="1"),
            ]
        rung = potential_rung(self.name, climber, verdicts, taken, self.potential, self.thresholds, seconds)
        return Climb(rung=rung, relaxed=answer.crystal)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PhononStage:
    """Phonons of the primitive cell, and whether one is imaginary.

    Attributes:
        potential: energies, forces and stresses.
        thresholds: of all rungs.
    """

    potential: Potential
    thresholds: Thresholds

    @property
    def name(self) -> str:
        """Name of the rung."""
        return PHONON

    def climb(self, climbers: Sequence[Climber]) -> list[Climb]:
        """One rung a candidate."""
        start, limits = time.perf_counter(), self.thresholds.phonon
        answers = phonons(
            [climber.crystal for climber in climbers],
            self.potential,
            displacement=limits.displacement,
            min_length=limits.min_length,
            max_atoms=limits.max_atoms,
        )
        seconds = (time.perf_counter() - start) / len(climbers)
        return [self._climb(climber, answer, seconds) for climber, answer in zip(climbers, answers, strict=True)]

    def _climb(self, climber: Climber, answer: Phonons | Failure, seconds: float) -> Climb:
        if isinstance(answer, Failure):
            return Climb(rung=failed_rung(self.name, answer, self.potential, seconds))
        limit = self.thresholds.phonon.max_imaginary
        verdict = at_most("imaginary_frequency", max(0.0, -answer.lowest), limit, "THz")
        if not verdict.passed:
            at = ", ".join(f"{part:.3g}" for part in answer.lowest_at)
            verdict = replace(verdict, reason=f"{verdict.reason}, at q = ({at})")
        taken = [
            Measurement(name="lowest_frequency", value=answer.lowest, unit="THz"),
            Measurement(name="highest_frequency", value=answer.highest, unit="THz"),
            Measurement(name="supercell_atoms", value=float(answer.atoms), unit="1"),
            Measurement(name="displacements", value=float(answer.displacements), unit="1"),
        ]
        return Climb(
            rung=potential_rung(self.name, climber, [verdict], taken, self.potential, self.thresholds, seconds)
        )


def failed_rung(name: str, failure: Failure, potential: Potential, seconds: float) -> Rung:
    """The rung of a candidate that the potential could not answer for."""
    return broken(name, failure.reason, code=potential.name, version=potential.version, seconds=seconds)


def potential_rung(
    name: str,
    climber: Climber,
    verdicts: Sequence[Verdict],
    taken: Sequence[Measurement],
    potential: Potential,
    thresholds: Thresholds,
    seconds: float,
) -> Rung:
    """The rung of what was measured under a potential."""
    return judged(
        name,
        verdicts,
        taken,
        before=climber.verdicts,
        residual=thresholds.residual,
        code=potential.name,
        version=potential.version,
        seconds=seconds,
    )
