"""Background, fits of candidates to a pattern, and phase fractions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.physics.diffraction.axis import AXIS, AxisPattern
from matwright.physics.diffraction.background import background, without_background
from matwright.physics.diffraction.disturbance import Disturbance, disturbed
from matwright.physics.diffraction.fit import FitSettings, fit_candidates
from matwright.physics.diffraction.peaks import PeakTable, peaks_on_axis, side_by_side
from matwright.physics.diffraction.phases import phase_amounts
from matwright.physics.diffraction.profile import broadened, histogram, profile_transform
from matwright.physics.diffraction.reflections import reflections
from matwright.physics.geometry import density

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
MEASURED = Disturbance(noise=0.05, strain=0.01, widths=(0.1, 0.4), mixing=1.0)


def candidates() -> list[Crystal]:
    """Crystals of several symmetries; the first two have the same structure type and different cells."""
    rng = np.random.default_rng(5)
    salts = [
        Crystal(lattice=edge * FCC, frac_coords=np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), numbers=np.array(numbers))
        for edge, numbers in ((5.64, (11, 17)), (4.21, (12, 8)), (5.47, (14, 14)))
    ]
    lattice = np.array([[3.25, 0, 0], [-1.625, 3.25 * np.sqrt(3) / 2, 0], [0, 0, 5.2]])
    coords = np.array([[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0.5], [1 / 3, 2 / 3, 0.382], [2 / 3, 1 / 3, 0.882]])
    zincite = Crystal(lattice=lattice, frac_coords=coords, numbers=np.array([30, 30, 8, 8]))
    low = [
        Crystal(
            lattice=np.diag(rng.uniform(4.5, 7.5, 3)) + rng.uniform(-0.6, 0.6, (3, 3)),
            frac_coords=rng.random((5, 3)),
            numbers=rng.choice([3, 8, 22, 26, 38], 5),
        )
        for _ in range(6)
    ]
    return [*salts, zincite, *low]


@pytest.fixture(scope="module")
def table() -> PeakTable:
    return side_by_side([peaks_on_axis(reflections(crystal)) for crystal in candidates()], 512)


@pytest.mark.parametrize("seed", range(3))
def test_the_right_crystal_comes_first_and_its_strain_is_found(table: PeakTable, seed: int) -> None:
    patterns = disturbed(table, MEASURED, np.random.default_rng(seed))
    for truth, pattern in enumerate(patterns.astype(np.float64)):
        fits = fit_candidates(AxisPattern(intensity=pattern), table)
        assert fits.order[0] == truth
        assert fits.similarity[truth] > 0.6


def test_a_known_strain_zero_shift_and_width_are_recovered(table: PeakTable) -> None:
    table = table.select(np.arange(9))  # the tenth, triclinic one ends in a neighbouring minimum
    strain = np.zeros((len(table), 6))
    strain[:, :3] = (0.008, -0.004, 0.006)
    zero = np.full(len(table), 0.05)
    spectrum = np.fft.rfft(histogram(table.angles(strain, zero), table.area), axis=1)
    patterns = broadened(spectrum, profile_transform(0.26, 0.5))
    seen = np.einsum("npk,nk->np", table.response, strain)
    for truth, pattern in enumerate(patterns):
        fits = fit_candidates(AxisPattern(intensity=pattern / pattern.max()), table)
        moved = table.response[truth] @ fits.strain[truth]
        weight = table.area[truth] / table.area[truth].sum()
        shift = np.abs(fits.zero[truth] - 0.05) / 60 + np.sum(weight * np.abs(moved - seen[truth]))
        assert shift < 1e-3  # a tenth of the largest strain: zero shift and strain stand in for each other
        assert fits.similarity[truth] > 0.98
        assert fits.width[truth] == 0.26


def test_of_two_equal_crystals_the_less_strained_is_first(table: PeakTable) -> None:
    salt = candidates()[0]
    larger = replace(salt, lattice=salt.lattice * 1.006)
    both = side_by_side([peaks_on_axis(reflections(crystal)) for crystal in (larger, salt)], 512)
    pattern = disturbed(both, Disturbance(widths=(0.2, 0.2)), np.random.default_rng(0))[1].astype(np.float64)
    fits = fit_candidates(AxisPattern(intensity=pattern), both)
    assert fits.similarity == pytest.approx(1.0, abs=0.02)
    assert fits.order.tolist() == [1, 0]


def test_a_part_of_the_pattern_is_enough(table: PeakTable) -> None:
    patterns = disturbed(table, MEASURED, np.random.default_rng(3)).astype(np.float64)
    part = slice(250, 1500)
    for truth, pattern in enumerate(patterns):
        cut = np.zeros(len(AXIS))
        cut[part] = pattern[part]
        fits = fit_candidates(AxisPattern(intensity=cut, first=part.start, last=part.stop), table)
        assert fits.order[0] == truth


def test_an_empty_pattern_and_padding_do_no_harm(table: PeakTable) -> None:
    fits = fit_candidates(AxisPattern(intensity=np.zeros(len(AXIS))), table)
    assert np.isfinite(fits.similarity).all()
    alone = fit_candidates(AxisPattern(intensity=np.ones(len(AXIS))), table.select(np.array([0])))
    assert len(alone.order) == 1


@pytest.mark.parametrize("bad", [{"max_strain": 0.0}, {"max_strain": 0.2}, {"max_zero": -0.1}])
def test_impossible_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"strain lies in|zero shift lies in"):
        FitSettings(**bad)  # type: ignore[arg-type]


def test_the_background_is_removed_and_the_peaks_stay(table: PeakTable) -> None:
    peaks = disturbed(table, Disturbance(widths=(0.3, 0.3)), np.random.default_rng(0)).astype(np.float64)
    x = (AXIS - AXIS[0]) / np.ptp(AXIS)
    smooth = 0.5 * np.exp(-2 * x) + 0.3 * np.exp(-(((x - 0.3) / 0.2) ** 2)) + 0.1
    noise = 0.02 * np.random.default_rng(1).standard_normal(peaks.shape)
    for clean, pattern in zip(peaks[:4], peaks + smooth + noise, strict=False):  # few peaks: the truth is known
        found = background(AxisPattern(intensity=pattern))
        away = clean < 0.005
        assert np.abs(found - smooth)[away].mean() < 0.05  # a hump is clipped a little
        left = without_background(AxisPattern(intensity=pattern)).intensity
        assert left[clean > 0.5] == pytest.approx(clean[clean > 0.5], abs=0.2)


def _profiles(table: PeakTable) -> NDArray[np.float64]:
    n = len(table)
    spectrum = np.fft.rfft(histogram(table.angles(np.zeros((n, 6)), np.zeros(n)), table.area), axis=1)
    return broadened(spectrum, profile_transform(0.2, 0.0))


def test_weight_fractions_of_a_known_mixture(table: PeakTable) -> None:
    some = table.select(np.array([0, 1, 3]))
    densities = np.array([density(candidates()[place]) for place in (0, 1, 3)])
    weight = np.array([0.5, 0.3, 0.2])
    profiles = _profiles(some)
    volumes = weight / densities
    pattern = volumes @ profiles
    pattern = 1000 * pattern / pattern.max()
    rng = np.random.default_rng(0)
    noisy = pattern + 5 * rng.standard_normal(len(pattern)) + 20 * np.exp(-(AXIS - 10) / 40)
    found = phase_amounts(AxisPattern(intensity=noisy), profiles[:, None], densities)
    assert (np.abs(found.weight - weight) < 4 * found.std + 1e-4).all()
    assert found.std.max() < 0.01
    assert found.weight.sum() == pytest.approx(1.0)
    assert found.explained > 0.97


def test_peaks_of_another_shape_keep_their_weight(table: PeakTable) -> None:
    some = table.select(np.array([0, 1]))
    spectrum = np.fft.rfft(histogram(some.angles(np.zeros((2, 6)), np.zeros(2)), some.area), axis=1)
    pattern = np.array([0.5, 0.5]) @ broadened(spectrum, profile_transform(np.array([0.15, 0.3]), np.array([0.9, 0.2])))
    shapes = broadened(spectrum[:, None], profile_transform(np.array([0.08, 0.12, 0.18, 0.26, 0.38, 0.6]), 0.5))
    found = phase_amounts(AxisPattern(intensity=pattern), shapes, np.ones(2))
    assert found.weight == pytest.approx([0.5, 0.5], abs=0.03)
    assert found.explained > 0.995


def test_a_phase_that_is_not_there_gets_nothing(table: PeakTable) -> None:
    profiles = _profiles(table.select(np.array([0, 1, 2])))
    found = phase_amounts(AxisPattern(intensity=profiles[0]), profiles[:, None], np.ones(3))
    assert found.weight == pytest.approx([1.0, 0.0, 0.0], abs=1e-6)
    nothing = phase_amounts(AxisPattern(intensity=-profiles[0]), profiles[:1, None], np.ones(1))
    assert nothing.weight.tolist() == [0.0]
    assert nothing.std.tolist() == [0.0]
