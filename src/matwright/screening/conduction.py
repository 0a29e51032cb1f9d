"""Ionic conductivity by molecular dynamics: all temperatures of a crystal advance together, then D, σ, Arrhenius."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.elements import symbol
from matwright.errors import CalculationError, InputError
from matwright.materials.crystal import Crystal
from matwright.materials.supercell import roomy, shortest_translation
from matwright.physics.transport import (
    FEWEST_FRAMES,
    ION_CHARGES,
    Arrhenius,
    Diffusion,
    Window,
    arrhenius,
    collective_diffusion,
    nernst_einstein,
    tracer_diffusion,
)
from matwright.screening.dynamics import DynamicsSettings, Replica, Trajectory, run_dynamics
from matwright.screening.potential import Failure, FailureKind, Potential
from matwright.screening.relax import RelaxationSettings, relax

REST = RelaxationSettings(fmax=0.05, smax=0.1, max_steps=400)
"""The cell that keeps its volume at all temperatures: at rest, thermal expansion left out."""
ROOM = 300.0
"""K, to which conductivities are extrapolated."""
_MELTS = 0.1
"""Share of the ions' diffusion beyond which the host counts as moving too."""
_UNITS: Mapping[str, str] = {
    "room": "Å", "temperature": "K", "kinetic": "K", "value": "cm^2/s", "std": "cm^2/s", "along": "cm^2/s",
    "lags": "ps", "msd": "Å^2", "conductivity": "S/cm", "collective_conductivity": "S/cm", "conductivity_300": "S/cm",
    "activation_energy": "eV", "log_std": "1", "seconds": "s",
}  # fmt: skip
"""Of the numbers that `plain` gives, by name."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ConductionSettings:
    """How a conductivity is found.

    Attributes:
        ion: symbol of what moves, one of `ION_CHARGES`.
        temperatures: K, at least four for an activation energy.
        dynamics: time step, lengths, thermostat, seed.
        min_length: Å, least distance of an atom to its own image; max_atoms: of the supercell.
        window: lags over which the slope is taken.
    """

    ion: str = "Li"
    temperatures: tuple[float, ...] = (600.0, 700.0, 850.0, 1050.0)
    dynamics: DynamicsSettings = field(default_factory=DynamicsSettings)
    min_length: float = 10.0
    max_atoms: int = 250
    window: Window = field(default_factory=Window)

    def __post_init__(self) -> None:
        if self.ion not in ION_CHARGES:
            raise InputError(f"{self.ion!r} is no ion that is followed; choose one of {', '.join(ION_CHARGES)}")
        if not self.temperatures or min(self.temperatures) <= 0:
            raise InputError("temperatures lie above 0 K, and at least one is needed")
        if self.min_length <= 0 or self.max_atoms < 2:
            raise InputError("min_length must be above 0 Å and max_atoms at least 2")
        frames = self.dynamics.steps[1] // self.dynamics.stride + 1
        if frames < FEWEST_FRAMES:
            raise InputError(f"a production of {frames} frames is too short: diffusion needs {FEWEST_FRAMES}")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Point:
    """One temperature.

    Attributes:
        temperature: K, asked for; kinetic: K, found in the motion.
        tracer, collective: diffusion of single ions and of their charge, in the frame of the host.
        host: diffusion of all other atoms; None where there are none.
        conductivity: S/cm by Nernst-Einstein with the tracer diffusion; `collective_conductivity` with the other.
        resolved: whether the point counts in the Arrhenius fit; `reason` says why not.
    """

    temperature: float
    kinetic: float
    tracer: Diffusion
    collective: Diffusion
    host: Diffusion | None
    conductivity: float
    collective_conductivity: float
    resolved: bool
    reason: str


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conductivity:
    """What molecular dynamics says of a crystal.

    Attributes:
        crystal: at rest, in the cell given; atoms: of the supercell that moved; room: Å, from an atom to its own image.
        points: one a temperature that was not lost; failures: temperature → why it was.
        fit: Arrhenius; None where fewer than four temperatures are resolved, `reason` then says so.
        at_room: S/cm at 300 K; log_std: standard deviation of its natural logarithm. None without a fit.
        seconds: wall time of one computing thread.
        trajectories: those that `points` were taken from.
    """

    crystal: Crystal
    atoms: int
    room: float
    points: tuple[Point, ...]
    failures: Mapping[float, str]
    fit: Arrhenius | None
    at_room: float | None
    log_std: float | None
    reason: str
    seconds: float
    trajectories: tuple[Trajectory, ...] = ()


def conductivity(
    crystal: Crystal,
    potential: Potential,
    *,
    settings: ConductionSettings | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> Conductivity | Failure:
    """Bring a crystal to rest, move a roomy supercell at all temperatures in one batch, and take D, σ and E_a.

    Args:
        crystal: ordered and fully periodic; a partly occupied one is ordered first (`materials.annealing`).
        potential: energies, forces and stresses.
        settings: `ConductionSettings()` where None.
        on_step: called after each step of the dynamics with its number and the number of all steps.
    """
    chosen = settings or ConductionSettings()
    if not any(symbol(number) == chosen.ion for number in crystal.numbers.tolist()):
        return Failure(reason=f"the crystal holds no {chosen.ion}", kind=FailureKind.REFUSED)
    (rested,) = relax([crystal], potential, settings=REST)
    if isinstance(rested, Failure):
        return rested
    if not rested.converged:
        reason = f"no state of rest to move from: {rested.reason}"
        return Failure(reason=reason, seconds=rested.seconds, kind=FailureKind.NOT_CONVERGED)
    try:
        cell = roomy(rested.crystal, chosen.min_length, max_atoms=chosen.max_atoms)
    except InputError as error:
        return Failure(reason=str(error), seconds=rested.seconds, kind=FailureKind.REFUSED)
    replicas = [Replica(crystal=cell, temperature=kelvin) for kelvin in chosen.temperatures]
    moved = run_dynamics(replicas, potential, settings=chosen.dynamics, on_step=on_step)
    seconds = rested.seconds + sum(one.seconds for one in moved)
    lost = {
        replica.temperature: one.reason
        for replica, one in zip(replicas, moved, strict=True)
        if isinstance(one, Failure)
    }
    kept = [one for one in moved if isinstance(one, Trajectory)]
    if not kept:
        return Failure(reason=f"every temperature was lost: {next(iter(lost.values()))}", seconds=seconds)
    return replace(analysed(kept, chosen), crystal=rested.crystal, failures=lost, seconds=seconds)


def analysed(trajectories: Sequence[Trajectory], settings: ConductionSettings) -> Conductivity:
    """Diffusion at each temperature, and the line through those that show it; also of trajectories kept from before.

    Args:
        trajectories: of one supercell, which stands as `crystal` in the answer.
        settings: ion and lags.

    Raises:
        InputError: no trajectory, or one that is too short.
    """
    if not trajectories:
        raise InputError("a conductivity needs at least one trajectory")
    cell = trajectories[0].replica.crystal
    points = sorted((_point(one, settings) for one in trajectories), key=lambda point: point.temperature)
    good = [point for point in points if point.resolved]
    fit, at_room, log_std, reason = None, None, None, ""
    try:
        fit = arrhenius(
            [point.temperature for point in good],
            [point.tracer.value for point in good],
            [point.tracer.std for point in good],
        )
        diffusion, log_std = fit.at(ROOM)
        at_room = _sigma(diffusion, cell, settings.ion, ROOM)
    except CalculationError as error:
        why = "; ".join(f"{point.temperature:g} K: {point.reason}" for point in points if not point.resolved)
        reason = f"{error} ({why})" if why else str(error)
    return Conductivity(
        crystal=cell,
        atoms=len(cell),
        room=shortest_translation(cell.lattice),
        points=tuple(points),
        failures={},
        fit=fit,
        at_room=at_room,
        log_std=log_std,
        reason=reason,
        seconds=sum(one.seconds for one in trajectories),
        trajectories=tuple(trajectories),
    )


def _point(trajectory: Trajectory, settings: ConductionSettings) -> Point:
    cell, kelvin = trajectory.replica.crystal, trajectory.replica.temperature
    mobile = np.array([symbol(number) == settings.ion for number in cell.numbers.tolist()])
    host = trajectory.positions[:, ~mobile]
    ions = trajectory.positions[:, mobile]
    if host.shape[1]:
        drift = host.mean(axis=1, keepdims=True)
        ions, host = ions - drift, host - drift
    tracer = tracer_diffusion(ions, trajectory.step, settings.window)
    collective = collective_diffusion(ions, trajectory.step, settings.window)
    framework = tracer_diffusion(host, trajectory.step, settings.window) if host.shape[1] else None

    def sigma(diffusion: float) -> float:
        return _sigma(diffusion, cell, settings.ion, kelvin)

    reason = tracer.reason
    if not reason and framework is not None and framework.resolved and framework.value > _MELTS * tracer.value:
        reason = f"the host moves too, at {framework.value:.1g} cm²/s: it melts or falls apart"
    return Point(
        temperature=kelvin,
        kinetic=trajectory.kinetic,
        tracer=tracer,
        collective=collective,
        host=framework,
        conductivity=sigma(tracer.value),
        collective_conductivity=sigma(collective.value),
        resolved=not reason,
        reason=reason,
    )


def _sigma(diffusion: float, cell: Crystal, ion: str, temperature: float) -> float:
    ions = sum(symbol(number) == ion for number in cell.numbers.tolist())
    return nernst_einstein(diffusion, ions=ions, volume=cell.volume, charge=ION_CHARGES[ion], temperature=temperature)


def plain(found: Conductivity) -> dict[str, Any]:
    """All numbers as JSON: what a table, a figure or another fit needs."""
    return {
        "units": dict(_UNITS),
        "atoms": found.atoms,
        "room": found.room,
        "points": [_plain_point(point) for point in found.points],
        "failures": {f"{kelvin:g}": reason for kelvin, reason in found.failures.items()},
        "activation_energy": None if found.fit is None else [found.fit.energy, found.fit.energy_std],
        "chi2": None if found.fit is None else found.fit.chi2,
        "conductivity_300": found.at_room,
        "log_std": found.log_std,
        "reason": found.reason,
        "seconds": found.seconds,
    }


def _plain_point(point: Point) -> dict[str, Any]:
    return {
        "temperature": point.temperature,
        "kinetic": point.kinetic,
        "tracer": _plain_diffusion(point.tracer),
        "collective": _plain_diffusion(point.collective),
        "host": None if point.host is None else _plain_diffusion(point.host),
        "conductivity": point.conductivity,
        "collective_conductivity": point.collective_conductivity,
        "resolved": point.resolved,
        "reason": point.reason,
    }


def _plain_diffusion(found: Diffusion) -> dict[str, Any]:
    thinned: NDArray[np.int64] = np.unique(np.linspace(0, len(found.lags) - 1, 60).astype(np.int64))
    return {
        "value": found.value,
        "std": found.std,
        "along": found.along.tolist(),
        "exponent": found.exponent,
        "hops": found.hops if np.isfinite(found.hops) else None,
        "resolved": found.resolved,
        "reason": found.reason,
        "lags": found.lags[thinned].tolist(),
        "msd": found.msd[thinned].tolist(),
    }
