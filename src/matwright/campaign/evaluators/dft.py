"""Density functional theory as an evaluator: a single point, or a relaxation by the same code."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self, final

import numpy as np

from matwright.campaign.evaluator import Evaluation, Fidelity, Quantity
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.screening.dft.calculation import DftPotential, Programs
from matwright.screening.dft.settings import DftSettings, load_dft_settings
from matwright.screening.potential import GPA_PER_EV_A3, Failure, FailureKind, PointResult
from matwright.screening.relax import RelaxationSettings, relax


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DftEvaluator:
    """Energy, forces and stress of one self-consistent calculation; input and output come as blobs.

    Attributes:
        dft: the settings; programs: where pw.x or GPAW's Python are found on the workers.
        version: of settings and program, as `DftPotential` states it.
        relaxation: when atoms and cell are relaxed first; None for a single point.
        cost: CPU seconds that one crystal is expected to take.
    """

    dft: DftSettings
    version: str
    programs: Programs = field(default_factory=Programs)
    relaxation: RelaxationSettings | None = None
    cost: float = 600.0
    fidelity: ClassVar[Fidelity] = Fidelity.DFT
    batch_size: ClassVar[int] = 1  # every crystal has a process of its own

    @classmethod
    def of(
        cls,
        settings: str | Path,
        *,
        programs: Programs | None = None,
        relaxation: RelaxationSettings | None = None,
        cost: float = 600.0,
    ) -> Self:
        """Make the evaluator of a preset or settings file.

        Raises:
            InputError: there are no such settings, or their program is not there.
        """
        dft, found = load_dft_settings(settings), programs or Programs()
        version = DftPotential(dft, found).version
        return cls(dft=dft, version=version, programs=found, relaxation=relaxation, cost=cost)

    @property
    def name(self) -> str:
        """Name of the settings, and what is done with them."""
        return f"{self.dft.name}-{'relaxation' if self.relaxation else 'point'}"

    @property
    def settings(self) -> Mapping[str, Any]:
        """Everything in the settings file but the time that a calculation may take, and when a relaxation ends."""
        plain = {key: value for key, value in self.dft.plain().items() if key != "wall_minutes"}
        limits = None if self.relaxation is None else asdict(self.relaxation)
        return {"dft": plain, "relaxation": limits}

    @property
    def units(self) -> Mapping[str, str]:
        """Energy on the code's own scale, volume, force, stress, pressure, and the gap on the mesh of k points."""
        return {
            "energy_per_atom": "eV/atom",
            "volume_per_atom": "Å^3/atom",
            "fmax": "eV/Å",
            "smax": "GPa",
            "pressure": "GPa",
            "band_gap": "eV",
        }

    def prepare(self) -> None:
        """Find the program.

        Raises:
            InputError: it is not there, or of another version than the evaluator was made with.
        """
        self._potential()

    def evaluate(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        """One evaluation a crystal; known troubles are failures with their reason. Errors as for `prepare`."""
        return [self._one(crystal) for crystal in crystals]

    def _potential(self) -> DftPotential:
        potential = _load(_Key(self.dft, self.programs))
        if potential.version != self.version:
            raise InputError(f"the evaluator is of {self.dft.name} {self.version}, here is {potential.version}")
        return potential

    def _one(self, crystal: Crystal) -> Evaluation:
        start = time.perf_counter()
        potential = self._potential()
        at = crystal
        if self.relaxation is not None:
            (outcome,) = relax([crystal], potential, settings=self.relaxation)
            if isinstance(outcome, Failure):
                return Evaluation(answer=outcome, seconds=time.perf_counter() - start)
            if not outcome.converged:
                failure = Failure(reason=outcome.reason, seconds=outcome.seconds, kind=FailureKind.NOT_CONVERGED)
                return Evaluation(answer=failure, seconds=time.perf_counter() - start)
            at = outcome.crystal
        answer, files = potential.calculate(at)
        seconds = time.perf_counter() - start
        if isinstance(answer, Failure):
            return Evaluation(answer=replace(answer, seconds=seconds), seconds=seconds, blobs=files)
        relaxed = at if self.relaxation is not None else None
        return Evaluation(answer=dft_quantities(at, answer), seconds=seconds, crystal=relaxed, blobs=files)


def dft_quantities(crystal: Crystal, point: PointResult) -> dict[str, Quantity]:
    """What is recorded of a single point."""
    found = {
        "energy_per_atom": Quantity(value=point.energy / len(crystal), unit="eV/atom"),
        "volume_per_atom": Quantity(value=crystal.volume / len(crystal), unit="Å^3/atom"),
        "fmax": Quantity(value=float(np.linalg.norm(point.forces, axis=1).max()), unit="eV/Å"),
        "smax": Quantity(value=float(np.abs(point.stress).max()) * GPA_PER_EV_A3, unit="GPa"),
        "pressure": Quantity(value=-float(np.trace(point.stress)) / 3 * GPA_PER_EV_A3, unit="GPa"),
    }
    if point.band_gap is not None:
        found["band_gap"] = Quantity(value=point.band_gap, unit="eV")
    return found


@final
class _Key:
    """Settings and programs as a key of the cache, by their contents."""

    def __init__(self, dft: DftSettings, programs: Programs) -> None:
        self.dft, self.programs = dft, programs
        self._text = repr((dft.plain(), programs))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


@functools.lru_cache(maxsize=4)
def _load(key: _Key) -> DftPotential:
    """Find a program once a process."""
    return DftPotential(key.dft, key.programs)
