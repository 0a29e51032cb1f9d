"""Batched relaxation with the real potential: equilibria, equality with one by one, and isolated failures."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.materials.symmetry import site_symmetry
from matwright.screening.chgnet import ChgnetPotential
from matwright.screening.potential import Failure
from matwright.screening.relax import Outcome, Relaxation, RelaxationSettings, relax

pytest.importorskip("chgnet")

ROCK_SALT = (1 - np.eye(3)) / 2


@pytest.fixture(scope="module")
def potential() -> ChgnetPotential:
    return ChgnetPotential.load()


def _rock_salt(length: float, numbers: tuple[int, int] = (11, 17)) -> Crystal:
    return Crystal(
        lattice=ROCK_SALT * length, frac_coords=np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), numbers=np.array(numbers)
    )


def _diamond(length: float, shift: float = 0.0) -> Crystal:
    coords = np.array([[0, 0, 0], [0.25, 0.25, 0.25 + shift]])
    return Crystal(lattice=ROCK_SALT * length, frac_coords=coords, numbers=np.array([14, 14]))


def _sheared() -> Crystal:
    strain = np.array([[1.0, 0.04, 0.0], [0.04, 0.97, 0.0], [0.0, 0.0, 1.03]])
    return Crystal(
        lattice=ROCK_SALT * 4.2 @ strain,
        frac_coords=np.array([[0, 0, 0], [0.52, 0.49, 0.5]]),
        numbers=np.array([12, 8]),
    )


STRAINED = [_rock_salt(6.0), _diamond(5.1, shift=0.01), _sheared(), _rock_salt(5.0), _diamond(5.8)]


def _conventional_length(crystal: Crystal) -> float:
    return float(np.cbrt(4 * crystal.volume))


def test_strained_crystals_come_back_to_equilibrium(potential: ChgnetPotential) -> None:
    settings = RelaxationSettings(fmax=0.02, smax=0.1)
    outcomes = relax(STRAINED, potential, settings=settings)
    assert all(isinstance(outcome, Relaxation) and outcome.converged for outcome in outcomes)
    done = [outcome for outcome in outcomes if isinstance(outcome, Relaxation)]
    assert _conventional_length(done[0].crystal) == pytest.approx(5.64, abs=0.12)  # NaCl, experiment 5.64 Å
    assert _conventional_length(done[1].crystal) == pytest.approx(5.43, abs=0.08)  # Si, experiment 5.43 Å
    assert _conventional_length(done[2].crystal) == pytest.approx(4.21, abs=0.08)  # MgO, experiment 4.21 Å
    assert done[3].energy == pytest.approx(done[0].energy, abs=1e-3)
    assert done[4].energy == pytest.approx(done[1].energy, abs=1e-3)
    for outcome in done:
        assert outcome.energy < outcome.initial_energy
        assert outcome.fmax <= settings.fmax
        assert outcome.smax <= settings.smax
        assert outcome.steps <= 40


def test_a_batch_equals_one_by_one(potential: ChgnetPotential) -> None:
    together = relax(STRAINED, potential, settings=RelaxationSettings(batch_size=5))
    two = relax(STRAINED, potential, settings=RelaxationSettings(batch_size=2))
    for first, second in zip(together, two, strict=True):
        assert isinstance(first, Relaxation)
        assert isinstance(second, Relaxation)
        assert first.energy_per_atom == pytest.approx(second.energy_per_atom, abs=1e-3)
        assert first.crystal.volume == pytest.approx(second.crystal.volume, rel=1e-2)


def test_symmetry_is_kept(potential: ChgnetPotential) -> None:
    (outcome,) = relax([_rock_salt(6.1)], potential)
    assert isinstance(outcome, Relaxation)
    assert site_symmetry(outcome.crystal, 1e-3).number == 225


def test_a_poisoned_crystal_fails_alone(potential: ChgnetPotential) -> None:
    poisoned = Crystal(lattice=np.eye(3) * 4, frac_coords=np.full((2, 3), 0.3), numbers=np.array([11, 17]))
    disordered = Crystal(
        lattice=np.eye(3) * 4, frac_coords=np.zeros((1, 3)), numbers=np.array([3]), occupancies=(((3, 0.5),),)
    )
    seen: dict[int, Outcome] = {}
    outcomes = relax([_diamond(5.5), poisoned, disordered, _rock_salt(5.7)], potential, on_done=seen.__setitem__)
    assert [type(outcome) for outcome in outcomes] == [Relaxation, Failure, Failure, Relaxation]
    assert seen == dict(enumerate(outcomes))
    assert all(outcome.reason for outcome in outcomes if isinstance(outcome, Failure))


def test_a_crystal_that_uses_up_its_steps_says_so(potential: ChgnetPotential) -> None:
    (outcome,) = relax([_sheared()], potential, settings=RelaxationSettings(max_steps=1))
    assert isinstance(outcome, Relaxation)
    assert not outcome.converged
    assert outcome.steps == 1
    assert "after 1 steps" in outcome.reason


def test_a_crystal_that_uses_up_its_time_says_so(potential: ChgnetPotential) -> None:
    (outcome,) = relax([_sheared()], potential, settings=RelaxationSettings(max_seconds=1e-9))
    assert isinstance(outcome, Relaxation)
    assert outcome.steps == 0
    assert "s:" in outcome.reason


def test_how_busy_the_machine_is_changes_nothing(potential: ChgnetPotential, monkeypatch: pytest.MonkeyPatch) -> None:
    (at_ease,) = relax([_sheared()], potential)
    hours = itertools.count(step=3600.0)
    monkeypatch.setattr("matwright.screening.relax.time.perf_counter", lambda: next(hours))
    (busy,) = relax([_sheared()], potential)
    assert isinstance(at_ease, Relaxation)
    assert isinstance(busy, Relaxation)
    assert busy.converged
    assert busy.seconds > 3600.0 * busy.steps
    assert (busy.energy, busy.steps) == (at_ease.energy, at_ease.steps)
    assert busy.crystal.content_hash() == at_ease.crystal.content_hash()
    (limited,) = relax([_sheared()], potential, settings=RelaxationSettings(max_seconds=1800.0))
    assert isinstance(limited, Relaxation)
    assert "not converged after 1800 s" in limited.reason


def test_inputs_are_left_alone_and_runs_repeat(potential: ChgnetPotential) -> None:
    crystal = _sheared()
    before = crystal.content_hash()
    (first,), (second,) = relax([crystal], potential), relax([crystal], potential)
    assert crystal.content_hash() == before
    assert isinstance(first, Relaxation)
    assert isinstance(second, Relaxation)
    assert first.crystal.content_hash() == second.crystal.content_hash()


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(InputError, match="fmax"):
        RelaxationSettings(fmax=0.0)
