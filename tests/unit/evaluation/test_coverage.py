"""COV, distances of distributions, METRe and match rate on cases whose answers are known by construction."""

from __future__ import annotations

import numpy as np
import pytest

from matwright.evaluation.coverage import CutOffs, Fingerprints, coverage
from matwright.evaluation.generation import StructureComparison
from matwright.evaluation.matching import PREDICTION_MATCH, match_everyone, match_rate
from matwright.evaluation.populations import total_variation, wasserstein
from matwright.materials.crystal import Crystal


def _prints(structure: list[float], composition: list[float]) -> Fingerprints:
    return Fingerprints(structure=np.array(structure)[:, None], composition=np.array(composition)[:, None])


def _cubic(length: float, numbers: tuple[int, int], shift: float = 0.0) -> Crystal:
    coords = np.array([[0, 0, 0], [0.5, 0.5, 0.5 + shift]])
    return Crystal(lattice=np.eye(3) * length, frac_coords=coords, numbers=np.array(numbers))


def test_coverage_counts_both_ways() -> None:
    reference = _prints([0.0, 1.0, 2.0, 3.0], [-1.0, 1.0, -1.0, 1.0])  # composition has mean 0 and spread 1
    generated = _prints([0.1, 1.05, 9.0], [-1.0, 1.0, 1.0])
    found = coverage(generated, reference, CutOffs(structure=0.2, composition=0.5))
    assert found.recall == pytest.approx(2 / 4)
    assert found.precision == pytest.approx(2 / 3)


def test_coverage_counts_crystals_without_fingerprint_as_far() -> None:
    reference = _prints([0.0, 1.0], [-1.0, 1.0])
    generated = _prints([0.0, 1.0, np.nan], [-1.0, 1.0, 1.0])
    found = coverage(generated, reference, CutOffs(structure=0.2, composition=0.5))
    assert found.recall == 1.0
    assert found.precision == pytest.approx(2 / 3)
    assert found.without_fingerprint == (1, 0)


def test_compositions_are_standardised_by_the_reference() -> None:
    reference = _prints([0.0, 0.0], [-100.0, 100.0])
    generated = _prints([0.0], [60.0])  # 0.4 spreads from the nearest
    assert coverage(generated, reference, CutOffs(structure=0.1, composition=0.5)).precision == 1.0
    assert coverage(generated, reference, CutOffs(structure=0.1, composition=0.3)).precision == 0.0


def test_distances_of_distributions() -> None:
    assert wasserstein([0.0, 1.0], [2.0, 3.0]) == pytest.approx(2.0)
    assert np.isnan(wasserstein([], [1.0]))
    assert total_variation([1, 1, 2, 2], [1, 1, 3, 3]) == pytest.approx(0.5)
    assert total_variation([5, 6], [6, 5]) == 0.0


def test_match_everyone_and_match_rate() -> None:
    comparison = StructureComparison(PREDICTION_MATCH)
    reference = [_cubic(4.1, (55, 17)), _cubic(4.3, (55, 35)), _cubic(4.6, (55, 53))]
    tries = [[_cubic(4.1, (55, 17), shift=0.02)], [_cubic(4.1, (55, 17))], []]
    everyone = match_everyone([crystal for own in tries for crystal in own], reference, comparison)
    assert (everyone.matched, everyone.n) == (1, 3)
    assert everyone.rms == pytest.approx(0.0, abs=1e-6)  # the exact copy counts, though it was made for another
    own = match_rate(tries, reference, comparison)
    assert own.matched == 1
    assert own.rms > 0.001
