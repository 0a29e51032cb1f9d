"""Batched relaxation: many crystals descend together, each call of the potential serves one step of all of them.

A crystal leaves the batch when it has converged, failed, or used up its steps (or its time, where that is limited), and
the next one takes its place. Whatever goes wrong with one crystal is that crystal's `Failure`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import final

import numpy as np

from matwright.errors import CalculationError, InputError
from matwright.materials.crystal import Crystal
from matwright.screening.descent import Descent
from matwright.screening.potential import GPA_PER_EV_A3, Failure, FailureKind, PointResult, Potential


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RelaxationSettings:
    """When a relaxation ends.

    Attributes:
        fmax: eV/Å, largest force on an atom at convergence.
        smax: GPa, largest component of the stress at convergence.
        max_steps: steps after which a crystal leaves the batch unconverged.
        max_seconds: wall time of one crystal, its share of each batch, after which it leaves unconverged. Infinite
            unless asked for: the clock of a busy machine would decide what is found.
        batch_size: crystals that advance together.
        cell: whether the cell moves too; where it does not, the stress is left as it is.
    """

    fmax: float = 0.05
    smax: float = 0.5
    max_steps: int = 300
    max_seconds: float = inf
    batch_size: int = 16
    cell: bool = True

    def __post_init__(self) -> None:
        for name in ("fmax", "smax", "max_steps", "max_seconds", "batch_size"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be above 0, found {getattr(self, name)}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxation:
    """The end of one crystal's relaxation.

    Attributes:
        crystal: the last crystal, in the cell setting it was given in.
        energy: eV of the whole cell; initial_energy: eV before the first step.
        fmax: eV/Å, largest force left; smax: GPa, largest stress component left.
        steps: steps taken.
        converged: whether both criteria were met; `reason` says why not.
        seconds: this crystal's share of the wall time.
        potential: name and version of the potential.
    """

    crystal: Crystal
    energy: float
    initial_energy: float
    fmax: float
    smax: float
    steps: int
    converged: bool
    reason: str
    seconds: float
    potential: str

    @property
    def energy_per_atom(self) -> float:
        """eV/atom after relaxation."""
        return self.energy / len(self.crystal)


Outcome = Relaxation | Failure


@final
@dataclass(slots=True, kw_only=True)
class _Runner:
    """One crystal on its way: index in the input, descent, first energy, seconds used so far."""

    index: int
    descent: Descent
    initial_energy: float | None = None
    seconds: float = 0.0


def relax(
    crystals: Sequence[Crystal],
    potential: Potential,
    *,
    settings: RelaxationSettings | None = None,
    on_done: Callable[[int, Outcome], None] | None = None,
) -> list[Outcome]:
    """Relax positions and cells; the answers are in the order of `crystals`.

    Args:
        crystals: ordered, fully periodic crystals; primitive cells are the cheapest.
        potential: energies, forces and stresses.
        settings: when to stop; `RelaxationSettings()` where None.
        on_done: called with index and outcome as soon as one crystal is done.
    """
    chosen = settings if settings is not None else RelaxationSettings()
    outcomes: dict[int, Outcome] = {}

    def finish(index: int, outcome: Outcome) -> None:
        outcomes[index] = outcome
        if on_done is not None:
            on_done(index, outcome)

    waiting = list(enumerate(crystals))[::-1]
    running: list[_Runner] = []
    while waiting or running:
        while waiting and len(running) < chosen.batch_size:
            index, crystal = waiting.pop()
            refusal = _refusal(crystal)
            if refusal is None:
                running.append(_Runner(index=index, descent=Descent(crystal, cell=chosen.cell)))
            else:
                finish(index, Failure(reason=refusal, kind=FailureKind.REFUSED))
        running = _advance(running, potential, chosen, finish)
    return [outcomes[index] for index in range(len(crystals))]


def _refusal(crystal: Crystal) -> str | None:
    if not crystal.is_ordered:
        return "a disordered crystal cannot be relaxed: order it first"
    return None if all(crystal.pbc) else "only crystals periodic in three directions are relaxed with their cell"


def _advance(
    running: list[_Runner],
    potential: Potential,
    settings: RelaxationSettings,
    finish: Callable[[int, Outcome], None],
) -> list[_Runner]:
    """One step of every runner; those that go on."""
    if not running:
        return running
    start = time.perf_counter()
    results = _evaluate(potential, [runner.descent.crystal for runner in running])
    atoms = sum(len(runner.descent.crystal) for runner in running)
    elapsed = time.perf_counter() - start
    going_on = []
    for runner, result in zip(running, results, strict=True):
        began = time.perf_counter()
        runner.seconds += elapsed * len(runner.descent.crystal) / atoms
        outcome = _outcome(runner, result, potential, settings)
        runner.seconds += time.perf_counter() - began
        if outcome is None:
            going_on.append(runner)
        else:
            finish(runner.index, outcome)
    return going_on


def _evaluate(potential: Potential, crystals: list[Crystal]) -> list[PointResult | Failure]:
    """The potential's answers; if the whole batch breaks it, one by one, so that the guilty crystal alone fails."""
    try:
        return potential.evaluate(crystals)
    except (RuntimeError, ValueError, ArithmeticError, CalculationError) as error:
        if len(crystals) == 1:
            return [Failure(reason=f"the potential failed: {error}")]
        return [_evaluate(potential, [crystal])[0] for crystal in crystals]


def _outcome(
    runner: _Runner, result: PointResult | Failure, potential: Potential, settings: RelaxationSettings
) -> Outcome | None:
    """What ends this crystal's relaxation here, or None after a step further."""
    if isinstance(result, Failure):
        if not _spent(runner, settings) and runner.descent.retreat():
            return None
        return replace(result, reason=f"{result.reason} (step {runner.descent.steps})", seconds=runner.seconds)
    if runner.initial_energy is None:
        runner.initial_energy = result.energy
    fmax = float(np.sqrt((result.forces**2).sum(axis=1).max()))
    smax = float(np.abs(result.stress).max()) * GPA_PER_EV_A3
    converged = fmax <= settings.fmax and (smax <= settings.smax or not settings.cell)
    spent = _spent(runner, settings)
    if converged or spent:
        return Relaxation(
            crystal=runner.descent.crystal,
            energy=result.energy,
            initial_energy=runner.initial_energy,
            fmax=fmax,
            smax=smax,
            steps=runner.descent.steps,
            converged=converged,
            reason="" if converged else f"{spent}: {fmax:.3g} eV/Å and {smax:.3g} GPa are left",
            seconds=runner.seconds,
            potential=f"{potential.name} {potential.version}",
        )
    try:
        runner.descent.advance(result)
    except (CalculationError, InputError, np.linalg.LinAlgError) as error:
        return Failure(reason=f"{error} (step {runner.descent.steps})", seconds=runner.seconds)
    return None


def _spent(runner: _Runner, settings: RelaxationSettings) -> str:
    """Which limit is used up; empty where none is."""
    if runner.descent.steps >= settings.max_steps:
        return f"not converged after {settings.max_steps} steps"
    if runner.seconds >= settings.max_seconds:
        return f"not converged after {settings.max_seconds:g} s"
    return ""
