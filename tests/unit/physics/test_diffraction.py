"""Simulated powder patterns: the peaks and intensities of pymatgen, and the laws that they must obey."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.materials.interop import to_pymatgen
from matwright.physics.diffraction.axis import AXIS, REFERENCE_WAVELENGTH, to_axis, two_theta
from matwright.physics.diffraction.disturbance import IDEAL, Disturbance, disturbed
from matwright.physics.diffraction.pattern import PowderPeaks, powder_pattern, powder_peaks
from matwright.physics.diffraction.peaks import peaks_on_axis, side_by_side
from matwright.physics.diffraction.radiation import wavelength_of
from matwright.physics.diffraction.reflections import mandel_squares, reflections

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
SALT = Crystal(lattice=5.64 * FCC, frac_coords=np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), numbers=np.array([11, 17]))


def triclinic(seed: int, n: int = 6) -> Crystal:
    rng = np.random.default_rng(seed)
    lattice = np.diag([4.1, 5.3, 6.2]) + rng.uniform(-0.8, 0.8, (3, 3))
    return Crystal(lattice=lattice, frac_coords=rng.random((n, 3)), numbers=rng.choice([3, 8, 26, 82], n))


def disordered() -> Crystal:
    half = ((26, 0.25), (28, 0.5))  # a quarter of the site is vacant
    return Crystal(
        lattice=4.2 * FCC,
        frac_coords=np.array([[0, 0, 0], [0.5, 0.5, 0.5]]),
        numbers=np.array([28, 8]),
        occupancies=(half, ((8, 1.0),)),
    )


def hexagonal() -> Crystal:
    lattice = np.array([[3.25, 0, 0], [-1.625, 3.25 * np.sqrt(3) / 2, 0], [0, 0, 5.2]])
    coords = [[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0.5], [1 / 3, 2 / 3, 0.382], [2 / 3, 1 / 3, 0.882]]
    return Crystal(lattice=lattice, frac_coords=np.array(coords), numbers=np.array([30, 30, 8, 8]))


CRYSTALS = {
    "rock salt": SALT,
    "wurtzite": hexagonal(),
    "disordered": disordered(),
    "triclinic": triclinic(0),
    "triclinic, large": triclinic(1, n=20),
}


@pytest.mark.parametrize("name", CRYSTALS)
@pytest.mark.parametrize("line", ["CuKa", "MoKa1", "CrKb1"])
def test_peaks_are_those_of_pymatgen(name: str, line: str) -> None:
    from pymatgen.analysis.diffraction.xrd import XRDCalculator

    crystal, limits = CRYSTALS[name], (8.0, 75.0)
    expected = XRDCalculator(wavelength=line).get_pattern(to_pymatgen(crystal), two_theta_range=limits)
    found = powder_peaks(crystal, line, limits, weakest=1e-5)
    # pymatgen joins neighbours within 1e-5° in its own order: compare sums in narrow bins
    edges = np.arange(limits[0] - 1.234e-3, limits[1] + 0.01, 0.01)
    theirs = np.histogram(expected.x, edges, weights=expected.y)[0]
    ours = np.histogram(found.two_theta, edges, weights=found.intensity)[0]
    np.testing.assert_allclose(ours, theirs, atol=0.02)
    strong = expected.x[expected.y > 1]
    assert np.abs(found.two_theta[:, None] - strong).min(axis=0).max() < 1e-4


def test_systematic_absences_of_a_face_centred_cell() -> None:
    d = 5.64 / np.sqrt(np.array([3, 4, 8, 11, 12]))
    np.testing.assert_allclose(powder_peaks(SALT, limits=(10, 58)).two_theta, two_theta(1 / d), atol=1e-9)


@given(seed=st.integers(0, 10_000))
def test_cell_origin_rotation_and_order_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    crystal = triclinic(seed)
    shear = np.eye(3, dtype=int)
    shear[0, 1], shear[2, 0] = rng.integers(-2, 3, 2)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    order = rng.permutation(len(crystal))
    other = Crystal(
        lattice=shear @ crystal.lattice @ turn,
        frac_coords=((crystal.frac_coords + rng.random(3)) @ np.linalg.inv(shear))[order],
        numbers=crystal.numbers[order],
    )
    first, second = reflections(crystal), reflections(other)
    assert first.volume == pytest.approx(second.volume)
    grid = np.linspace(0.1, 0.93, 400)
    for weights in (lambda r: r.strength, lambda r: r.strength * (r.response**2).sum(axis=1)):
        sums = [np.histogram(r.g, grid, weights=weights(r))[0] for r in (first, second)]
        # a reflection on the edge of a bin may change sides
        np.testing.assert_allclose(
            np.cumsum(sums[0])[[100, 200, 300, 398]], np.cumsum(sums[1])[[100, 200, 300, 398]], rtol=0.02
        )


def test_a_supercell_scatters_twice_as_much_in_twice_the_volume() -> None:
    crystal = triclinic(3)
    double = Crystal(
        lattice=np.diag([1, 2, 1]) @ crystal.lattice,
        frac_coords=np.concatenate(
            [crystal.frac_coords * [1, 0.5, 1], crystal.frac_coords * [1, 0.5, 1] + [0, 0.5, 0]]
        ),
        numbers=np.tile(crystal.numbers, 2),
    )
    one, two = (peaks_on_axis(reflections(c)) for c in (crystal, double))
    assert two.area.sum() == pytest.approx(one.area.sum(), rel=1e-3)  # per volume: the same


@pytest.mark.parametrize("name", CRYSTALS)
def test_the_response_to_strain_is_that_of_the_strained_crystal(name: str) -> None:
    crystal = CRYSTALS[name]
    rng = np.random.default_rng(2)
    found = reflections(crystal)
    small = 3e-4 * rng.standard_normal((3, 3))
    strain = _symmetrised(crystal, small + small.T)
    moved = Crystal(
        lattice=crystal.lattice @ (np.eye(3) + strain),
        frac_coords=crystal.frac_coords,
        numbers=crystal.numbers,
        occupancies=crystal.occupancies,
    )
    root = np.sqrt(2.0)
    mandel = np.array([*np.diag(strain), root * strain[1, 2], root * strain[0, 2], root * strain[0, 1]])
    predicted = np.sort(found.g * np.exp(-found.response @ mandel))
    actual = np.sort(reflections(moved, g_max=0.95).g)
    distance = np.abs(predicted[predicted < 0.92][:, None] - actual).min(axis=1)
    assert distance.max() < 3e-6  # second order in the strain


def _symmetrised(crystal: Crystal, strain: NDArray[np.float64]) -> NDArray[np.float64]:
    from matwright.materials.symmetry import point_rotations

    rotations = point_rotations(crystal)
    return np.asarray(np.einsum("rab,bc,rdc->ad", rotations, strain, rotations) / len(rotations))


def test_mandel_order_makes_a_dot_product_a_contraction() -> None:
    rng = np.random.default_rng(0)
    u, v = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in rng.standard_normal((2, 5, 3)))
    np.testing.assert_allclose((mandel_squares(u) * mandel_squares(v)).sum(axis=1), (u * v).sum(axis=1) ** 2)


def test_a_profile_keeps_the_area_and_width_of_its_peak() -> None:
    peak = PowderPeaks(two_theta=np.array([40.0]), intensity=np.array([100.0]))
    angles = np.arange(10, 70, 0.005)
    for mixing in (0.0, 0.6):
        profile = powder_pattern(peak, angles, width=0.3, mixing=mixing)
        assert profile.sum() * 0.005 == pytest.approx(100, rel=0.01)
        above = angles[profile > profile.max() / 2]
        assert np.ptp(above) == pytest.approx(0.3, abs=0.01)


def test_the_fast_profiles_are_the_slow_ones() -> None:
    crystal = hexagonal()
    table = side_by_side([peaks_on_axis(reflections(crystal, weakest=0.0))], 512)
    fast = disturbed(table, Disturbance(widths=(0.3, 0.3)), np.random.default_rng(0))[0]
    slow = powder_pattern(powder_peaks(crystal, limits=(5, 93), weakest=0), AXIS, width=0.3)
    np.testing.assert_allclose(fast, slow / slow.max(), atol=0.01)


@pytest.mark.parametrize("line", ["MoKa", "CoKa", "CuKa"])
def test_a_pattern_of_any_wavelength_comes_to_the_common_axis(line: str) -> None:
    crystal, length = hexagonal(), wavelength_of(line)
    narrow = 0.15 * length / REFERENCE_WAVELENGTH
    angles = np.arange(4.0, 130.0 if line == "CoKa" else 91.0, 0.01)
    peaks = powder_peaks(crystal, line, limits=(4, 150))
    found = to_axis(angles, powder_pattern(peaks, angles, width=narrow), length)
    reference = powder_pattern(powder_peaks(crystal, "CuKa", limits=(5, 92)), AXIS, width=0.15)
    part = slice(found.first, found.last)
    a, b = found.intensity[part], reference[part]
    assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.98  # peaks widen differently with the angle
    blurred = [np.convolve(x / x.sum(), np.ones(51), mode="same") for x in (a, b)]
    np.testing.assert_allclose(blurred[0], blurred[1], atol=0.012)  # areas agree peak by peak


def test_disturbances_are_repeatable_and_bounded() -> None:
    table = side_by_side([peaks_on_axis(reflections(c)) for c in CRYSTALS.values()], 512)
    ideal = disturbed(table, IDEAL, np.random.default_rng(0))
    assert ideal.max(axis=1) == pytest.approx(1.0)
    hard = Disturbance(noise=0.05, strain=0.01, widths=(0.1, 0.4), zero=0.1, background=0.3, scatter=0.3, damping=1.0)
    first, again = (disturbed(table, hard, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - ideal).max() < 1.7


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: wavelength_of("CuKalpha"), "there is no wavelength 'CuKalpha'; did you mean 'CuKa'"),
        (lambda: wavelength_of("12"), "lies in 0.1..5 Å"),
        (lambda: powder_peaks(SALT, limits=(50, 20)), "limits of 2θ rise"),
        (lambda: powder_peaks(SALT, limits=(32, 40)), "no peak between 32 and 40"),
        (lambda: powder_peaks(SALT, 5.0, limits=(5, 20)), "no reflection with"),
        (lambda: reflections(_layer()), "periodic in three directions"),
        (lambda: powder_peaks(_einsteinium()), "no X-ray scattering factors of Es"),
        (lambda: to_axis(np.linspace(1, 5, 500), np.ones(500), 1.54184), "less than 2°"),
        (lambda: Disturbance(noise=-1), "at least 0"),
    ],
)
def test_wrong_input_is_one_sentence(call: object, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence.replace(".", r"\.")):
        call()  # type: ignore[operator]


def _layer() -> Crystal:
    return Crystal(lattice=SALT.lattice, frac_coords=SALT.frac_coords, numbers=SALT.numbers, pbc=(True, True, False))


def _einsteinium() -> Crystal:
    return Crystal(lattice=4 * np.eye(3), frac_coords=np.zeros((1, 3)), numbers=np.array([99]))
