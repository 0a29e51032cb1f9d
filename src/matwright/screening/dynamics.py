"""Molecular dynamics of many replicas at once: each call of the potential serves one step of all of them.

Langevin dynamics at constant volume, splitting BAOAB (Leimkuhler and Matthews, Appl. Math. Res. Express 2013, 34):
half a kick, half a drift, friction and noise, half a drift, half a kick. A replica that breaks is a `Failure`; the
others go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.elements import ATOMIC_MASS
from matwright.errors import CalculationError, InputError
from matwright.materials.crystal import Crystal
from matwright.physics.transport import BOLTZMANN
from matwright.screening.potential import Failure, FailureKind, PointResult, Potential

Array = NDArray[np.float64]

_ACCELERATION = 9.648533212e-3
"""Å/fs² of one (eV/Å)/u."""
_HOTTEST = 10.0
"""Times the temperature asked for, above which a replica has exploded."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicsSettings:
    """How a replica moves.

    Attributes:
        timestep: fs.
        equilibration: ps that are not kept; production: ps that are.
        friction: 1/ps; small, so that it does not slow what diffuses.
        interval: fs between two frames that are kept.
        seed: of velocities and noise; each replica has its own stream.
    """

    timestep: float = 2.0
    equilibration: float = 1.0
    production: float = 10.0
    friction: float = 1.0
    interval: float = 20.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("timestep", "production", "interval"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be above 0, found {getattr(self, name)}")
        for name in ("equilibration", "friction", "seed"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} must be at least 0, found {getattr(self, name)}")
        if self.interval < self.timestep:
            raise InputError(f"frames are kept at most once a step of {self.timestep:g} fs")

    @property
    def stride(self) -> int:
        """Steps between two frames."""
        return round(self.interval / self.timestep)

    @property
    def steps(self) -> tuple[int, int]:
        """Steps of equilibration and of production."""
        return round(self.equilibration * 1e3 / self.timestep), round(self.production * 1e3 / self.timestep)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """A crystal (fully periodic, ordered) to move at a temperature in K."""

    crystal: Crystal
    temperature: float


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trajectory:
    """What one replica did after equilibration.

    Attributes:
        replica: what was moved.
        step: ps between two frames.
        positions: (n_frames, n_atoms, 3) Å, unwrapped.
        energies: (n_frames,) eV, potential energy of the cell.
        kinetic: K, mean temperature of the motion.
        seconds: this replica's share of the wall time.
    """

    replica: Replica
    step: float
    positions: Array
    energies: Array
    kinetic: float
    seconds: float


@final
class _Walker:
    """One replica on its way."""

    def __init__(self, index: int, replica: Replica, settings: DynamicsSettings) -> None:
        crystal = replica.crystal
        self.index, self.replica, self.seconds = index, replica, 0.0
        self._settings = settings
        self._rng = np.random.default_rng([settings.seed, index])
        self._inverse = np.linalg.inv(crystal.lattice)
        self._masses = ATOMIC_MASS[crystal.numbers][:, None]
        self._spread = np.sqrt(BOLTZMANN * replica.temperature * _ACCELERATION / self._masses)  # Å/fs
        self._decay = float(np.exp(-settings.friction * 1e-3 * settings.timestep))
        self.positions = crystal.cart_coords.copy()
        # half of the energy goes into the springs of a crystal at rest
        self._velocities = self._still(np.sqrt(2.0) * self._spread * self._rng.normal(size=self.positions.shape))
        self._forces: Array | None = None
        self._frames: list[Array] = []
        self._energies: list[float] = []
        self._kinetic: list[float] = []

    @property
    def crystal(self) -> Crystal:
        """Where it is now."""
        given = self.replica.crystal
        return Crystal(lattice=given.lattice, frac_coords=self.positions @ self._inverse, numbers=given.numbers)

    def drift(self) -> None:
        """Everything of a step that needs no new forces; the first call only waits for the first forces."""
        if self._forces is None:
            return
        step = self._settings.timestep
        self._velocities += step / 2 * _ACCELERATION * self._forces / self._masses
        self.positions += step / 2 * self._velocities
        noise = np.sqrt(1.0 - self._decay**2) * self._spread * self._rng.normal(size=self.positions.shape)
        self._velocities = self._still(self._decay * self._velocities + noise)
        self.positions += step / 2 * self._velocities

    def kick(self, point: PointResult, *, keep: bool) -> str:
        """The end of a step; one clause when the replica has exploded."""
        if self._forces is not None:
            self._velocities += self._settings.timestep / 2 * _ACCELERATION * point.forces / self._masses
        self._forces = point.forces
        kinetic = self._temperature()
        if kinetic > _HOTTEST * self.replica.temperature:
            return f"the motion has {kinetic:.0f} K instead of {self.replica.temperature:.0f} K: it has exploded"
        if keep:
            self._frames.append(self.positions.copy())
            self._energies.append(point.energy)
            self._kinetic.append(kinetic)
        return ""

    def trajectory(self) -> Trajectory:
        """What was kept."""
        return Trajectory(
            replica=self.replica,
            step=self._settings.stride * self._settings.timestep * 1e-3,
            positions=np.array(self._frames),
            energies=np.array(self._energies),
            kinetic=float(np.mean(self._kinetic)),
            seconds=self.seconds,
        )

    def _still(self, velocities: Array) -> Array:
        """Without motion of the centre of mass."""
        still: Array = velocities - (self._masses * velocities).sum(axis=0) / self._masses.sum()
        return still

    def _temperature(self) -> float:
        degrees = max(3 * len(self.positions) - 3, 1)
        return float((self._masses * self._velocities**2).sum() / (degrees * BOLTZMANN * _ACCELERATION))


def run_dynamics(
    replicas: Sequence[Replica],
    potential: Potential,
    *,
    settings: DynamicsSettings | None = None,
    on_step: Callable[[int, int], None] | None = None,
    go_on: Callable[[], bool] | None = None,
) -> list[Trajectory | Failure]:
    """Move all replicas; the answers are in their order.

    Args:
        replicas: any crystals and temperatures; those of one seed repeat exactly, whatever runs beside them, as far as
            the potential does.
        potential: energies and forces.
        settings: `DynamicsSettings()` where None.
        on_step: called after each step with its number and the number of all steps.
        go_on: asked after each step of the production; where it says no, the trajectories end there: a budget of time.

    Raises:
        InputError: a disordered or not fully periodic crystal, fewer than two atoms, a temperature not above 0.
    """
    chosen = settings or DynamicsSettings()
    for replica in replicas:
        _check(replica)
    walkers = [_Walker(index, replica, chosen) for index, replica in enumerate(replicas)]
    answers: dict[int, Trajectory | Failure] = {}
    before, kept = chosen.steps
    for step in range(before + kept + 1):
        start = time.perf_counter()
        keep = step >= before and (step - before) % chosen.stride == 0
        walkers = [walker for walker in walkers if walker.index not in answers]
        for walker in walkers:
            walker.drift()
        atoms = sum(len(walker.positions) for walker in walkers)
        for walker, point in zip(walkers, _points(potential, walkers), strict=True):
            failure = _moved(walker, point, keep=keep, step=step)
            if failure is not None:
                answers[walker.index] = failure
        for walker in walkers:
            walker.seconds += (time.perf_counter() - start) * len(walker.positions) / atoms
        if on_step is not None:
            on_step(step, before + kept)
        if go_on is not None and step > before and not go_on():
            break
    answers |= {walker.index: walker.trajectory() for walker in walkers if walker.index not in answers}
    return [answers[index] for index in range(len(replicas))]


def _check(replica: Replica) -> None:
    crystal = replica.crystal
    if not crystal.is_ordered or not all(crystal.pbc) or len(crystal) < 2:
        raise InputError("only ordered crystals of at least two atoms, periodic in three directions, are moved")
    if not replica.temperature > 0:
        raise InputError(f"a temperature lies above 0 K, found {replica.temperature:g}")


def _points(potential: Potential, walkers: list[_Walker]) -> list[PointResult | Failure]:
    """The potential's answers; where the whole batch breaks it, one by one, so that the guilty replica alone fails."""
    try:
        return potential.evaluate([walker.crystal for walker in walkers])
    except (RuntimeError, ValueError, ArithmeticError, CalculationError) as error:
        if len(walkers) == 1:
            return [Failure(reason=f"the potential failed: {error}")]
        return [_points(potential, [walker])[0] for walker in walkers]


def _moved(walker: _Walker, point: PointResult | Failure, *, keep: bool, step: int) -> Failure | None:
    if isinstance(point, Failure):
        return Failure(reason=f"{point.reason} (step {step})", seconds=walker.seconds, kind=point.kind)
    exploded = walker.kick(point, keep=keep)
    if exploded:
        return Failure(reason=f"{exploded} (step {step})", seconds=walker.seconds, kind=FailureKind.CALCULATION)
    return None
