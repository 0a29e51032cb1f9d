"""Many hull energies at once are those of the linear programs one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from matwright.data.hull import Hull
from matwright.data.hull_batch import HullTable, shipped_hull_table

ELEMENTS = (1, 3, 5, 6, 7, 8, 9, 11, 12, 13, 14, 16, 17, 20, 22, 26, 29, 38, 56, 57, 74, 75, 76, 2)
compositions = st.lists(
    st.dictionaries(st.sampled_from(ELEMENTS), st.integers(1, 6), min_size=1, max_size=6), min_size=1, max_size=12
)


@settings(max_examples=60)
@given(asked=compositions)
def test_energies_are_those_of_one_composition_at_a_time(asked: list[dict[int, int]]) -> None:
    hull = Hull.load()
    numbers, amounts = np.zeros((len(asked), 7), dtype=np.int64), np.zeros((len(asked), 7))
    for row, composition in enumerate(asked):
        numbers[row, : len(composition)], amounts[row, : len(composition)] = list(composition), [*composition.values()]
    expected = [hull.hull_energy(c) if hull.has_elements(c) else np.nan for c in asked]
    np.testing.assert_allclose(shipped_hull_table().energies_at(numbers, amounts), expected, atol=1e-9)


def test_a_hull_of_own_phases_and_an_element_it_does_not_know() -> None:
    hull = Hull.from_phases([({11: 1.0, 17: 1.0}, -2.0), ({11: 1.0, 17: 3.0}, -0.4)])
    numbers = np.array([[17, 11, 0], [11, 17, 0], [11, 0, 0], [11, 17, 8]])
    amounts = np.array([[3.0, 1.0, 0.0], [1.0, 1.0, 0.0], [2.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    found = HullTable.of(hull).energies_at(numbers, amounts)
    np.testing.assert_allclose(found[:3], [-1.0, -2.0, 0.0], atol=1e-12)
    assert np.isnan(found[3])
