from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matwright.data.splits import assign_parts, check_leakage, find_leakage, fold_parts, given_parts, part_indices
from matwright.errors import InputError

KEYS = st.lists(st.integers(0, 60).map(lambda n: f"g{n}"), min_size=1, max_size=300)
SEEDS = st.integers(0, 1000)


@given(KEYS, SEEDS, st.randoms(use_true_random=False))
def test_parts_follow_a_permutation_of_the_rows(keys: list[str], seed: int, random: object) -> None:
    parts = assign_parts(keys, seed=seed)
    order = np.random.default_rng(seed).permutation(len(keys))
    shuffled = assign_parts([keys[i] for i in order], seed=seed)
    np.testing.assert_array_equal(shuffled, parts[order])


@given(KEYS, SEEDS)
def test_a_group_is_never_cut_and_shares_are_kept(keys: list[str], seed: int) -> None:
    fractions = (0.6, 0.25, 0.15)
    parts = assign_parts(keys, fractions=fractions, seed=seed)
    assert not find_leakage(keys, parts, {"formula": keys})
    largest = max(Counter(keys).values())
    for part, share in zip(("train", "val", "test"), fractions, strict=True):
        assert abs((parts == part).sum() - share * len(keys)) <= largest + 1e-6


def test_seeds_differ_and_repeat() -> None:
    keys = [f"m{i}" for i in range(1000)]
    first, again, other = assign_parts(keys), assign_parts(keys), assign_parts(keys, seed=1)
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.2
    indices = part_indices(first)
    assert [len(indices[part]) for part in ("train", "val", "test")] == [800, 100, 100]
    assert sorted(np.concatenate(list(indices.values())).tolist()) == list(range(1000))


@pytest.mark.parametrize("fractions", [(0.5, 0.5, 0.5), (1.2, -0.1, -0.1), (0.0, 0.5, 0.5)])
def test_impossible_shares_are_refused(fractions: tuple[float, float, float]) -> None:
    with pytest.raises(InputError, match="sum to 1"):
        assign_parts(["a", "b"], fractions=fractions)
    with pytest.raises(InputError, match="no rows"):
        assign_parts([])


def test_a_given_column_is_taken_as_it_is() -> None:
    stated = ["train"] * 8 + ["val", "test"]
    assert given_parts(stated, [str(i) for i in range(10)]).tolist() == stated


def test_without_a_validation_part_some_of_train_becomes_it() -> None:
    stated = ["train"] * 90 + ["test"] * 10
    keys = [f"g{i // 3}" for i in range(100)]
    parts = given_parts(stated, keys, val_share=0.2)
    assert (parts[90:] == "test").all()
    assert 12 <= (parts == "val").sum() <= 24
    assert not find_leakage(keys[:90], parts[:90], {"formula": keys[:90]})


@pytest.mark.parametrize(("stated", "says"), [(["train", ""], "''"), (["train", "foo"], "'foo'"), (["test"], "no row")])
def test_a_bad_column_is_refused(stated: list[str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        given_parts(stated, ["a"] * len(stated))


def test_leaks_are_found_counted_and_refused() -> None:
    ids = ["a", "b", "c", "d", "e"]
    parts = np.array(["train", "train", "test", "val", "test"])
    keys = {"formula": ["NaCl", "LiF", "NaCl", "KBr", "NaCl"], "structure": ["1", "2", "3", "4", "5"]}
    with pytest.raises(InputError, match="the split leaks: 2 rows.*'a' in train and 'c' in test: NaCl"):
        check_leakage(ids, parts, keys)
    (leak,) = check_leakage(ids, parts, keys, allow=True)
    assert (leak.kind, leak.n_groups, leak.n_rows) == ("formula", 1, 2)
    assert leak.share == pytest.approx(2 / 3)
    assert check_leakage(ids, parts, {"structure": keys["structure"]}) == []


@given(KEYS, SEEDS, st.integers(2, 6))
def test_folds_test_each_row_once_and_never_cut_a_group(keys: list[str], seed: int, folds: int) -> None:
    largest = max(Counter(keys).values())
    if len(set(keys)) < folds or largest * folds > len(keys):  # one group larger than a fold may leave others empty
        return
    parts = [fold_parts(keys, folds=folds, fold=fold, seed=seed) for fold in range(1, folds + 1)]
    tested = np.stack([own == "test" for own in parts])
    assert (tested.sum(0) == 1).all()
    for own in parts:
        assert (own == "train").any()
        assert all(len({part for part, other in zip(own, keys, strict=True) if other == key}) == 1 for key in set(keys))
    assert tested.sum(1).max() <= len(keys) / folds + largest


def test_impossible_folds_are_refused() -> None:
    with pytest.raises(InputError, match="at least 2 folds"):
        fold_parts(["a", "b"], folds=1, fold=1)
    with pytest.raises(InputError, match="fold 3 of 2"):
        fold_parts(["a", "b"], folds=2, fold=3)
    with pytest.raises(InputError, match="there are 2"):
        fold_parts(["a", "b", "b"], folds=3, fold=1)
