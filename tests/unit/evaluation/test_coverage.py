"""COV, distances of distributions, METRe and match rate on cases whose answers are known by construction."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matwright.evaluation.coverage import (
    CompositionScale,
    CutOffs,
    Fingerprints,
    coverage,
    published_scale,
)
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


def test_the_published_scale_is_consistent_in_itself() -> None:
    """Its means are those of whole numbers over 20,690 compositions, and each range is maximum less minimum."""
    mean = published_scale().mean.reshape(22, 6)  # minimum, maximum, range, mean, average deviation, mode
    assert np.abs(mean[:, 1] - mean[:, 0] - mean[:, 2]).max() < 1e-9
    whole = 20_690 * mean[[0, 1, 4, 5, 8, 9, 10], :2]  # number, Mendeleev number, column, row, s, p and d electrons
    assert np.abs(whole - whole.round()).max() < 1e-6
    assert (published_scale().spread > 0).all()


@pytest.mark.skipif(importlib.util.find_spec("matminer") is None, reason="matminer is not installed")
def test_the_published_scale_has_the_features_of_matminer_in_their_order() -> None:
    from importlib import resources

    from matwright.evaluation.fingerprints import fingerprints

    found = fingerprints([_cubic(5.64, (11, 17))]).composition[0]
    scale = published_scale()
    assert found.shape == scale.mean.shape == scale.spread.shape
    lines = (resources.files("matwright.data") / "tables" / "magpie_scale.csv").read_text().splitlines()[1:]
    value = dict(zip((line.split(",")[0] for line in lines), found, strict=True))
    assert (value["minimum Number"], value["maximum Number"], value["mean Number"]) == (11, 17, 14)
    assert value["maximum Electronegativity"] == 3.16
    assert (value["minimum Row"], value["maximum NpValence"]) == (3, 5)


@given(
    st.lists(st.floats(-3, 3, allow_subnormal=False), min_size=2, max_size=6),
    st.lists(st.floats(-3, 3, allow_subnormal=False), min_size=1, max_size=6),
)
def test_on_a_fixed_scale_a_larger_set_covers_no_less(reference: list[float], generated: list[float]) -> None:
    """More generated crystals never lower the recall, more reference crystals never the precision."""
    scale = CompositionScale(mean=np.array([0.5]), spread=np.array([2.0]), source="a test")
    cut = CutOffs(structure=0.3, composition=0.2)

    def prints(values: list[float]) -> Fingerprints:
        return _prints(values, values[::-1])

    def found(own: Fingerprints, other: Fingerprints) -> tuple[float, float]:
        result = coverage(own, other, cut, scale)
        assert result.recall <= min(result.by_structure[0], result.by_composition[0])
        assert result.precision <= min(result.by_structure[1], result.by_composition[1])
        return result.recall, result.precision

    own, other = prints(generated), prints(reference)
    both = Fingerprints(
        structure=np.concatenate([own.structure, other.structure]),
        composition=np.concatenate([own.composition, other.composition]),
    )
    recall, precision = found(own, other)
    assert found(both, other)[0] >= recall
    assert found(own, both)[1] >= precision
    assert found(other, other) == (1.0, 1.0)


def test_the_scale_is_what_the_cut_off_of_compositions_is_measured_in() -> None:
    generated, reference = _prints([0.0], [60.0]), _prints([0.0, 0.0], [-100.0, 100.0])
    for spread, share in ((100.0, 1.0), (50.0, 0.0)):  # 0.4 and 0.8 spreads from the nearest
        scale = CompositionScale(mean=np.zeros(1), spread=np.array([spread]), source="a test")
        assert coverage(generated, reference, CutOffs(structure=0.1, composition=0.5), scale).precision == share


def test_rounding_is_no_distance_on_the_scale_of_the_reference() -> None:
    """Pure carbon in cells of other sizes: features equal but for the last digit."""
    reference = _prints([0.0, 0.0, 0.0], [12.011, 12.011 + 4e-15, 12.011])
    generated = _prints([0.0], [12.011 - 4e-15])
    assert coverage(generated, reference, CutOffs(structure=0.1, composition=0.5)).precision == 1.0


def test_distances_to_the_nearest_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    own, other = (Fingerprints(structure=rng.random((n, 3)), composition=rng.random((n, 4))) for n in (11, 7))
    whole = coverage(own, other, CutOffs(structure=0.3, composition=1.0))
    monkeypatch.setattr("matwright.evaluation.coverage.BLOCK", 3)
    assert coverage(own, other, CutOffs(structure=0.3, composition=1.0)) == whole


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
