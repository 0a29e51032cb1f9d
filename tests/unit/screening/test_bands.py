"""The gap between filled and empty bands."""

from __future__ import annotations

import numpy as np
import pytest

from matwright.screening.dft.bands import band_gap

LEVELS = np.array([[-5.0, 0.0, 2.5], [-4.0, 0.5, 1.5], [-4.5, -0.5, 3.0]])


def test_the_edges_may_lie_at_different_points() -> None:
    assert band_gap([LEVELS], [2.0]) == pytest.approx(1.0)
    assert band_gap([LEVELS], [1.0]) == pytest.approx(3.5)


def test_overlapping_and_partly_filled_bands_are_metals() -> None:
    assert band_gap([LEVELS - np.array([0.0, 0.0, 2.0])], [2.0]) == 0.0
    assert band_gap([LEVELS], [1.5]) == 0.0


def test_the_gap_of_two_spin_channels_lies_between_their_outermost_edges() -> None:
    assert band_gap([LEVELS, LEVELS + 0.2], [2.0, 2.0]) == pytest.approx(0.8)
    assert band_gap([LEVELS, LEVELS], [2.0, 1.0]) == 0.0
    assert band_gap([LEVELS, LEVELS], [2.0, 1.5]) == 0.0
    assert band_gap([LEVELS, LEVELS + 10.0], [2.0, 0.0]) == pytest.approx(1.0)


def test_nothing_is_said_where_no_empty_band_was_computed() -> None:
    assert band_gap([LEVELS], [3.0]) is None
    assert band_gap([np.empty((0, 0))], [1.0]) is None
    assert band_gap([], []) is None
