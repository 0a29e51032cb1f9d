"""Finite elements against exact fields of anisotropic solids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matwright.errors import CalculationError, InputError
from matwright.physics.continuum import Box, Face, Field, full_tensor, solve
from matwright.physics.elasticity import from_mandel

OUTWARD = {
    Face.X0: (-1, 0, 0),
    Face.X1: (1, 0, 0),
    Face.Y0: (0, -1, 0),
    Face.Y1: (0, 1, 0),
    Face.Z0: (0, 0, -1),
    Face.Z1: (0, 0, 1),
}


def triclinic(seed: int) -> np.ndarray:
    rough = np.random.default_rng(seed).normal(size=(6, 6))
    return from_mandel(20 * rough @ rough.T + 40 * np.eye(6))


def symmetric(voigt: np.ndarray, shear: float) -> np.ndarray:
    a, b, c, d, e, f = voigt * np.array([1, 1, 1, shear, shear, shear])
    return np.array([[a, f, e], [f, b, d], [e, d, c]])


def linear(gradient: np.ndarray) -> Field:
    return lambda x: np.einsum("ij,j...->i...", gradient, x)


def constant(vector: np.ndarray) -> Field:
    return lambda x: np.broadcast_to(vector.reshape(3, *[1] * (x.ndim - 1)), x.shape)


@pytest.mark.parametrize("load", [(0, 0, 0.1, 0, 0, 0), (0, 0, 0, 0, 0, 0.1)], ids=["uniaxial tension", "simple shear"])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=5)
def test_uniform_stress_in_an_anisotropic_bar_is_exact(load: tuple[float, ...], seed: int) -> None:
    stiffness, wanted = triclinic(seed), np.array(load)
    strain = symmetric(np.linalg.solve(stiffness, wanted), 0.5)
    stress = symmetric(wanted, 1.0)
    exact = linear(strain)
    pulled = {face: constant(stress @ np.array(normal)) for face, normal in OUTWARD.items() if face is not Face.Z0}
    box = Box(lengths=(1.0, 1.2, 2.0), elements=(3, 2, 4))
    found = solve(stiffness, box, fixed={Face.Z0: exact}, pulled=pulled, exact=exact)
    assert np.abs(found.displacement - strain @ found.points).max() < 1e-8 * np.abs(strain).max()
    assert found.error < 1e-8
    assert found.residual < 1e-10
    assert found.fixed_error == 0.0
    assert found.traction_error < 1e-8
    assert found.strain_energy == pytest.approx(0.5 * float((stress * strain).sum()) * 2.4, rel=1e-9)
    assert found.largest_strain == pytest.approx(np.abs(np.linalg.eigvalsh(strain)).max(), rel=1e-9)


def test_a_manufactured_field_converges_at_second_order() -> None:
    stiffness = triclinic(3)
    tensor, wave, amplitude = full_tensor(stiffness), np.array([1.1, 0.7, 0.9]), np.array([0.3, -0.2, 0.5])

    def along(vector: np.ndarray, shape: np.ufunc) -> Field:
        return lambda x: vector.reshape(3, *[1] * (x.ndim - 1)) * shape(np.einsum("i,i...->...", wave, x) + 0.3)

    exact = along(amplitude, np.sin)
    body = along(np.einsum("ijkl,k,l,j->i", tensor, amplitude, wave, wave), np.sin)
    slope = np.einsum("ijkl,k,l->ij", tensor, amplitude, wave)
    fixed = {Face.Z0: exact, Face.X0: exact}
    pulled = {face: along(slope @ np.array(normal), np.cos) for face, normal in OUTWARD.items() if face not in fixed}
    errors = [
        solve(stiffness, Box(elements=(n, n, n)), fixed=fixed, pulled=pulled, body=body, exact=exact).error
        for n in (2, 4, 8)
    ]
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert orders[-1] == pytest.approx(2.0, abs=0.1)
    assert errors[-1] < 0.01


def test_a_clamped_bar_gains_energy_with_finer_elements() -> None:
    """The potential energy is least at the solution, so that a finer mesh can only lower it."""
    stiffness, pull = triclinic(5), constant(np.array([0.0, 0.0, 0.1]))
    found = [
        solve(
            stiffness,
            Box(lengths=(1, 1, 2), elements=(n, n, 2 * n)),
            fixed={Face.Z0: np.zeros_like},
            pulled={Face.Z1: pull},
        )
        for n in (1, 2, 4)
    ]
    energies = [one.energy for one in found]
    assert energies == sorted(energies, reverse=True)
    for one in found:
        assert one.energy == pytest.approx(-one.strain_energy, rel=1e-9)  # Clapeyron: the work is twice the energy
    assert found[-1].traction_error < found[0].traction_error


def test_what_has_no_equilibrium_is_refused() -> None:
    unstable = np.diag([100.0, 100.0, 100.0, 50.0, 50.0, -1.0])
    free = {Face.Z0: np.zeros_like}
    with pytest.raises(CalculationError, match=r"not positive definite \(least eigenvalue -2 GPa\)"):
        solve(unstable, Box(), fixed=free, pulled={})
    skew = np.diag([100.0, 100.0, 100.0, 50.0, 50.0, 50.0])
    skew[0, 1] = 20.0
    with pytest.raises(CalculationError, match="not symmetric"):
        solve(skew, Box(), fixed=free, pulled={})
    with pytest.raises(InputError, match="fixed face"):
        solve(triclinic(0), Box(), fixed={}, pulled={})
    with pytest.raises(InputError, match="either fixed or pulled"):
        solve(triclinic(0), Box(), fixed=free, pulled={Face.Z0: np.zeros_like})
    with pytest.raises(InputError, match="positive lengths"):
        Box(elements=(0, 1, 1))
