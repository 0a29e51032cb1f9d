"""Batched Langevin dynamics against exact statistical mechanics, and a short real run of an ionic conductor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from calculators import FCC, effective_medium

from matwright.elements import ATOMIC_MASS
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.materials.properties import find_property
from matwright.materials.supercell import supercell
from matwright.physics.transport import BOLTZMANN, tracer_diffusion
from matwright.screening.conducting import ConductionStage, conduction_settings
from matwright.screening.conduction import ConductionSettings, Conductivity, conductivity, plain
from matwright.screening.dynamics import DynamicsSettings, Replica, Trajectory, run_dynamics
from matwright.screening.limits import ConductionLimits
from matwright.screening.potential import Failure, FailureKind, PointResult, load_potential
from matwright.screening.rung import Measurement
from matwright.screening.thresholds import Thresholds
from matwright.screening.verdict import Verdict


@dataclass(frozen=True)
class Springs:
    """Every atom bound to a place of its own: exact energies of statistical mechanics; stiffness 0 is an ideal gas."""

    home: Crystal
    stiffness: float
    name: str = "springs"
    version: str = "1"

    def evaluate(self, crystals: Sequence[Crystal]) -> list[PointResult | Failure]:
        found: list[PointResult | Failure] = []
        for crystal in crystals:
            away = crystal.frac_coords - self.home.frac_coords
            moves = (away - np.rint(away)) @ crystal.lattice
            energy = 0.5 * self.stiffness * float((moves**2).sum())
            found.append(PointResult(energy=energy, forces=-self.stiffness * moves, stress=np.zeros((3, 3))))
        return found


@dataclass(frozen=True)
class Candidate:
    crystal: Crystal
    verdicts: tuple[Verdict, ...] = ()

    def measured(self, name: str) -> Measurement | None:  # noqa: ARG002 (a protocol)
        return None


def gas(atoms: int, number: int = 3) -> Crystal:
    places = np.random.default_rng(0).random((atoms, 3))
    return Crystal(lattice=20.0 * np.eye(3), frac_coords=places, numbers=np.full(atoms, number))


def copper_cube(times: int = 2) -> Crystal:
    one = Crystal(lattice=3.6 * FCC, frac_coords=np.zeros((1, 3)), numbers=np.array([29]))
    return supercell(one, times * np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]))


def moved(answer: Trajectory | Failure) -> Trajectory:
    assert isinstance(answer, Trajectory), answer
    return answer


def test_free_ions_diffuse_as_einstein_says() -> None:
    """D = k T / m γ; half of the temperatures are above the other."""
    crystal, friction = gas(60), 20.0
    settings = DynamicsSettings(timestep=5.0, equilibration=0.3, production=6.0, friction=friction, interval=50.0)
    replicas = [Replica(crystal=crystal, temperature=kelvin) for kelvin in (500.0, 1000.0)]
    for replica, answer in zip(replicas, run_dynamics(replicas, Springs(crystal, 0.0), settings=settings), strict=True):
        found = tracer_diffusion(moved(answer).positions, moved(answer).step)
        thermal = BOLTZMANN * replica.temperature * 9.648533212e-3 / ATOMIC_MASS[3]  # Å²/fs²
        exact = thermal / (friction * 1e-3) * 0.1 * (1 - 1 / len(crystal))  # cm²/s; the centre of mass stands still
        assert found.value == pytest.approx(exact, abs=3 * found.std)
        assert found.std < 0.2 * exact


def test_springs_hold_the_energy_of_equipartition() -> None:
    crystal = gas(80, number=17)
    settings = DynamicsSettings(timestep=4.0, equilibration=0.5, production=6.0, friction=10.0, interval=20.0)
    (answer,) = run_dynamics([Replica(crystal=crystal, temperature=600.0)], Springs(crystal, 3.0), settings=settings)
    share = BOLTZMANN * 600.0 * (3 * len(crystal) - 3) / 2
    assert moved(answer).energies.mean() == pytest.approx(share, rel=0.03)
    assert moved(answer).kinetic == pytest.approx(600.0, rel=0.03)
    assert np.abs(moved(answer).positions.mean(axis=0) - crystal.cart_coords).max() < 0.5


def test_without_friction_energy_is_kept() -> None:
    crystal = copper_cube(1)
    settings = DynamicsSettings(timestep=2.0, equilibration=0.1, production=0.4, friction=0.0, interval=2.0)
    (answer,) = run_dynamics([Replica(crystal=crystal, temperature=300.0)], effective_medium(), settings=settings)
    path = moved(answer).positions
    velocities = (path[2:] - path[:-2]) / 4.0
    kinetic = 0.5 * ATOMIC_MASS[29] * (velocities**2).sum(axis=(1, 2)) / 9.648533212e-3
    total = kinetic + moved(answer).energies[1:-1]
    assert np.ptp(total) < 0.02 * np.ptp(kinetic)
    assert np.ptp(kinetic) > 0.01


def test_a_replica_repeats_and_a_broken_one_costs_only_itself() -> None:
    crystal = copper_cube(1)
    coincident = Crystal(
        lattice=crystal.lattice, frac_coords=crystal.frac_coords * np.array([0.2, 0.2, 0.2]), numbers=crystal.numbers
    )
    settings = DynamicsSettings(timestep=2.0, equilibration=0.0, production=0.1, interval=4.0)
    good, bad = Replica(crystal=crystal, temperature=500.0), Replica(crystal=coincident, temperature=500.0)
    together = run_dynamics([good, bad], effective_medium(), settings=settings)
    alone = run_dynamics([good], effective_medium(), settings=settings)
    np.testing.assert_array_equal(moved(together[0]).positions, moved(alone[0]).positions)
    assert isinstance(together[1], Failure)
    assert "step" in together[1].reason
    shares = iter([True] * 20 + [False])
    cut = run_dynamics([good], effective_medium(), settings=settings, go_on=lambda: next(shares))
    np.testing.assert_array_equal(moved(cut[0]).positions, moved(alone[0]).positions[:11])
    other = run_dynamics([good], effective_medium(), settings=replace(settings, seed=1))
    assert np.abs(moved(other[0]).positions - moved(alone[0]).positions).max() > 0.01


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InputError, match="above 0 K"):
        run_dynamics([Replica(crystal=gas(3), temperature=0.0)], effective_medium())
    with pytest.raises(InputError, match="at least two atoms"):
        run_dynamics([Replica(crystal=gas(1), temperature=300.0)], effective_medium())
    with pytest.raises(InputError, match="timestep"):
        DynamicsSettings(timestep=0.0)
    with pytest.raises(InputError, match="no ion that is followed"):
        ConductionSettings(ion="Xe")
    with pytest.raises(InputError, match="too short"):
        ConductionSettings(dynamics=DynamicsSettings(production=0.1))


SHORT = ConductionSettings(
    temperatures=(500.0, 900.0),
    min_length=4.9,
    dynamics=DynamicsSettings(timestep=3.0, equilibration=0.03, production=0.24, interval=12.0),
)


def test_lithium_chloride_under_chgnet_hardly_conducts() -> None:
    pytest.importorskip("chgnet")
    salt = Crystal(lattice=5.1 * FCC, frac_coords=np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), numbers=np.array([3, 17]))
    told: list[int] = []
    found = conductivity(salt, load_potential("chgnet"), settings=SHORT, on_step=lambda step, _: told.append(step))
    assert isinstance(found, Conductivity)
    assert found.room > 4.9
    assert [point.temperature for point in found.points] == [500.0, 900.0]
    assert found.fit is None
    assert found.at_room is None
    assert "diffusion is resolved at 0 temperatures" in found.reason
    assert all("jumps" in point.reason and point.host is not None for point in found.points)
    assert len(told) == 91
    assert plain(found)["activation_energy"] is None


def test_a_crystal_without_the_ion_is_refused() -> None:
    found = conductivity(copper_cube(1), effective_medium(), settings=SHORT)
    assert isinstance(found, Failure)
    assert found.kind is FailureKind.REFUSED


@dataclass(frozen=True)
class Wells:
    """A periodic landscape for lithium of barrier `barrier` eV along each axis, and the other atoms on springs.

    In one dimension the rate over a cosine barrier is known (Kramers), so that a conductor costs nothing here.
    """

    home: Crystal
    barrier: float
    spacing: float
    name: str = "wells"
    version: str = "1"

    def evaluate(self, crystals: Sequence[Crystal]) -> list[PointResult | Failure]:
        bound = Springs(self.home, 3.0).evaluate(crystals)
        found: list[PointResult | Failure] = []
        for crystal, point in zip(crystals, bound, strict=True):
            assert isinstance(point, PointResult)
            mobile = (crystal.numbers == 3)[:, None]
            phase = 2 * np.pi * crystal.cart_coords / self.spacing
            slope = -self.barrier * np.pi / self.spacing * np.sin(phase)
            moves = -point.forces / 3.0
            height = np.where(mobile, self.barrier / 2 * (1 - np.cos(phase)), 1.5 * moves**2)
            forces = np.where(mobile, slope, point.forces)
            found.append(PointResult(energy=float(height.sum()), forces=forces, stress=np.zeros((3, 3))))
        return found


def conductor(barrier: float) -> tuple[Crystal, Wells]:
    """24 lithium ions and 8 chlorides in a cube of 12 Å with wells every 2 Å."""
    grid = np.array(np.meshgrid(*[np.arange(4)] * 3)).reshape(3, -1).T[:32] * np.array([1, 1, 2])
    numbers = np.where(np.arange(32) % 4 == 0, 17, 3)
    crystal = Crystal(lattice=12.0 * np.eye(3), frac_coords=grid / 6.0, numbers=numbers)
    return crystal, Wells(crystal, barrier, 2.0)


def test_the_barrier_of_a_landscape_comes_back_as_activation_energy() -> None:
    crystal, wells = conductor(0.25)
    dynamics = DynamicsSettings(timestep=4.0, equilibration=0.4, production=16.0, friction=4.0, interval=40.0, seed=2)
    settings = ConductionSettings(temperatures=(500.0, 600.0, 750.0, 1000.0), dynamics=dynamics)
    found = conductivity(crystal, wells, settings=settings)
    assert isinstance(found, Conductivity)
    assert found.fit is not None, found.reason
    assert found.fit.energy == pytest.approx(0.25, abs=0.05)
    assert found.fit.energy_std < 0.05
    assert found.at_room is not None
    assert found.atoms == 32
    assert not found.failures
    assert all(point.host is not None and not point.host.resolved for point in found.points)


def test_the_rung_tells_conductivity_and_rejects_insulators() -> None:
    limits = ConductionLimits(
        min_ionic_conductivity=1e-5, lowest_temperature=600.0, highest_temperature=1200.0, timestep=4.0, production=16.0
    )
    thresholds = Thresholds(conduction=limits)
    for barrier, passes in ((0.2, True), (4.0, False)):
        crystal, wells = conductor(barrier)
        (climb,) = ConductionStage(potential=wells, thresholds=thresholds).climb([Candidate(crystal)])
        assert climb.rung.passed is passes, climb.rung.reason
        told = climb.rung.measured("ionic_conductivity")
        assert (told is not None) is passes
        assert told is None or told.unit == find_property("ionic_conductivity").unit
        assert climb.rung.measured("diffusion_600K") is not None
    (climb,) = ConductionStage(potential=effective_medium(), thresholds=thresholds).climb([Candidate(copper_cube(1))])
    assert "none of the ions Li, Na" in climb.rung.reason
    assert not climb.rung.passed


def test_what_a_conductivity_asks_for_is_checked() -> None:
    with pytest.raises(InputError, match="found 'Xe'"):
        ConductionLimits(ions=("Xe",))
    with pytest.raises(InputError, match="must lie below"):
        ConductionLimits(lowest_temperature=900.0, highest_temperature=800.0)
    chosen = conduction_settings(ConductionLimits(), "Li")
    steps = np.diff(1.0 / np.array(chosen.temperatures))
    assert steps == pytest.approx(steps.mean(), rel=1e-3)
