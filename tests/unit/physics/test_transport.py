"""Diffusion of random walks whose coefficient is known, Nernst-Einstein by hand, Arrhenius lines with known errors."""

from __future__ import annotations

import numpy as np
import pytest

from matwright.errors import CalculationError, InputError
from matwright.physics.transport import (
    BOLTZMANN,
    Window,
    arrhenius,
    collective_diffusion,
    nernst_einstein,
    squared_displacements,
    tracer_diffusion,
)

STEP = 0.03  # ps


def walk(seed: int, diffusion: float, *, frames: int = 300, ions: int = 24, rattle: float = 0.2) -> np.ndarray:
    """Brownian paths of D cm²/s with a rattling of `rattle` Å on top."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(frames, ions, 3)) * np.sqrt(2 * diffusion * 1e4 * STEP)
    return np.cumsum(steps, axis=0) + rattle * rng.normal(size=steps.shape)


def test_displacements_are_those_of_the_definition() -> None:
    path = walk(0, 1e-5, frames=12, ions=2)
    found = squared_displacements(path)
    for lag in range(12):
        by_hand = np.mean([(path[start + lag] - path[start]) ** 2 for start in range(12 - lag)], axis=0)
        np.testing.assert_allclose(found[lag], by_hand, atol=1e-9)


def test_random_walks_give_back_their_coefficient_with_honest_errors() -> None:
    true = 3e-5
    found = [tracer_diffusion(walk(seed, true), STEP) for seed in range(60)]
    values, stds = np.array([one.value for one in found]), np.array([one.std for one in found])
    assert values.mean() == pytest.approx(true, abs=3 * values.std() / np.sqrt(len(found)))
    assert 0.6 < np.sqrt((((values - true) / stds) ** 2).mean()) < 1.2
    assert all(one.resolved for one in found)
    assert np.mean([one.along for one in found], axis=0) == pytest.approx([true] * 3, rel=0.1)
    assert np.mean([one.exponent for one in found]) == pytest.approx(1.0, abs=0.1)  # rattling lifts the short lags


def test_anisotropic_walks_keep_their_axes() -> None:
    path = np.mean([walk(seed, 4e-5, ions=200) for seed in range(1)], axis=0) * np.array([1.0, 0.0, 0.5])
    found = tracer_diffusion(path, STEP)
    assert found.along == pytest.approx([4e-5, 0.0, 1e-5], rel=0.15, abs=1e-9)
    assert found.value == pytest.approx(found.along.mean())


def test_charge_diffuses_as_the_ions_do_unless_they_go_together() -> None:
    alone = np.array([collective_diffusion(walk(seed, 2e-5, ions=8), STEP).value for seed in range(200)])
    assert alone.mean() == pytest.approx(2e-5, abs=3 * alone.std() / np.sqrt(len(alone)))
    path = walk(3, 2e-5, ions=1, rattle=0.0)
    together = np.repeat(path, 5, axis=1)
    one, many = tracer_diffusion(path, STEP), collective_diffusion(together, STEP)
    assert many.value == pytest.approx(5 * one.value, rel=1e-9)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        (walk(0, 0.0), "fewer than 10"),
        (walk(0, 1e-8), "fewer than 10"),
        (np.arange(300)[:, None, None] * np.random.default_rng(0).normal(size=(24, 3)), "power of 2.00"),
        (np.concatenate([walk(0, 0.0, rattle=0.0)[:150], walk(1, 4e-5, rattle=0.0)[:150]]), "two halves of the run"),
    ],
    ids=["rattling", "hardly moving", "flying", "only in the second half"],
)
def test_what_does_not_diffuse_is_said(path: np.ndarray, why: str) -> None:
    found = tracer_diffusion(path, STEP)
    assert not found.resolved
    assert why in found.reason


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InputError, match="at least 20 frames"):
        tracer_diffusion(walk(0, 1e-5, frames=19), STEP)
    with pytest.raises(InputError, match="shape"):
        tracer_diffusion(np.zeros((30, 3)), STEP)
    with pytest.raises(InputError, match="first < last"):
        Window(first=0.5, last=0.4)


def test_nernst_einstein_by_hand() -> None:
    """24 ions in (10 Å)³ with 1e-8 cm²/s at 300 K: n e² D / k T, in SI units."""
    by_hand = 24 / 1e-27 * 1.602176634e-19**2 * 1e-12 / (1.380649e-23 * 300.0)  # S/m
    found = nernst_einstein(1e-8, ions=24, volume=1000.0, charge=1.0, temperature=300.0)
    assert found == pytest.approx(by_hand / 100.0, rel=1e-6)  # S/cm
    twice = nernst_einstein(1e-8, ions=24, volume=1000.0, charge=2.0, temperature=300.0)
    assert twice == pytest.approx(4 * found)


def test_an_exact_line_and_the_spread_of_noisy_ones() -> None:
    kelvin, energy = np.array([600.0, 700.0, 850.0, 1050.0]), 0.3
    exact = 1e-3 * np.exp(-energy / (BOLTZMANN * kelvin))
    fit = arrhenius(kelvin, exact, 0.1 * exact)
    assert fit.energy == pytest.approx(energy)
    assert fit.at(300.0)[0] == pytest.approx(1e-3 * np.exp(-energy / (BOLTZMANN * 300.0)))
    assert fit.chi2 == pytest.approx(0.0, abs=1e-12)
    rng = np.random.default_rng(0)
    noisy = [arrhenius(kelvin, exact * np.exp(0.1 * rng.normal(size=4)), 0.1 * exact) for _ in range(400)]
    assert np.std([one.energy for one in noisy]) == pytest.approx(fit.energy_std, rel=0.1)
    assert np.std([np.log(one.at(300.0)[0]) for one in noisy]) == pytest.approx(fit.at(300.0)[1], rel=0.1)
    assert np.mean([one.energy_std for one in noisy]) >= fit.energy_std  # never smaller than the errors say


def test_too_few_temperatures_give_no_activation_energy() -> None:
    with pytest.raises(CalculationError, match="3 temperatures"):
        arrhenius([600.0, 700.0, 800.0], [1e-5, 2e-5, 3e-5], [1e-6] * 3)
    with pytest.raises(InputError, match="above 0"):
        arrhenius([600.0, 700.0, 800.0, 900.0], [1e-5, 2e-5, 3e-5, 0.0], [1e-6] * 4)
