from __future__ import annotations

import numpy as np
import pytest

from matwright.explain.agreement import MIN_DISTINCT, agreement


def test_sizes_are_ranked_without_their_signs() -> None:
    a = np.array([-4.0, 3.0, 2.0, -1.0, 0.5])
    found = agreement({"a": a, "b": np.abs(a) ** 3, "c": -1 / a})
    assert found == pytest.approx({("a", "b"): 1.0, ("a", "c"): -1.0, ("b", "c"): -1.0})


def test_equal_parts_tie_in_spite_of_rounding() -> None:
    noise = 1e-9 * np.arange(8)
    a = np.repeat([1.0, 2.0, 3.0, 4.0], 2) + noise
    b = np.repeat([1.0, 2.0, 3.0, 4.0], 2) - noise
    assert agreement({"a": a, "b": b})["a", "b"] == pytest.approx(1.0)


def test_too_few_that_differ_say_nothing() -> None:
    few = np.repeat(np.arange(1.0, MIN_DISTINCT), 5)
    assert agreement({"a": few, "b": np.arange(len(few), dtype=float)}) == {("a", "b"): None}
    assert agreement({"a": np.zeros(6), "b": np.arange(6.0)}) == {("a", "b"): None}
