"""Which held-out records depend on each other: those of one composition, unless it is known."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from matwright.evaluation.records import (
    compositions,
    dependent_groups,
    held_out_groups,
    known_compositions,
    spans_parts,
)

RECORDS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=30)


def test_a_thousandth_makes_no_other_composition() -> None:
    fractions = np.array([[0.5, 0.5], [0.5003, 0.4997], [0.51, 0.49]], np.float32)
    assert compositions(fractions).tolist() == [0, 0, 1]


def test_held_out_records_of_one_new_composition_are_one_group() -> None:
    learned = np.array([[0.5, 0.5], [0.1235, 0.8765]], np.float32)
    held_out = np.array([[0.5, 0.5], [0.2, 0.8], [0.1235, 0.8765], [0.2, 0.8], [0.5, 0.5]], np.float32)
    assert known_compositions(held_out, learned).tolist() == [True, False, True, False, True]
    groups = held_out_groups(held_out, learned)
    assert len(set(groups.tolist())) == 4
    assert groups[1] == groups[3]


@given(records=RECORDS)
def test_a_known_composition_binds_nothing(records: list[tuple[int, int]]) -> None:
    own, known = np.array([row[0] for row in records]), np.array([row[1] == 0 for row in records])
    groups = dependent_groups(own, known)
    assert set(groups.tolist()) == set(range(groups.max() + 1))
    for one in range(len(own)):
        same = groups == groups[one]
        if known[one]:
            assert same.sum() == 1
        else:
            assert (same == ((own == own[one]) & ~known)).all()


@given(records=RECORDS)
def test_a_composition_in_two_parts_spans_them(records: list[tuple[int, int]]) -> None:
    own, parts = (np.array(column) for column in zip(*records, strict=True))
    expected = [len(set(parts[own == one].tolist())) > 1 for one in own]
    assert spans_parts(own, parts).tolist() == expected
