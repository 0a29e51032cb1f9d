"""The atom counts that Wyckoff positions can add up to, against a search by hand."""

from __future__ import annotations

import itertools

import torch
from hypothesis import given
from hypothesis import strategies as st

from matwright.generation.catalogue import wyckoff_catalogue
from matwright.generation.reachability import can_host, group_words, has_count, reachable_from
from matwright.generation.wyckoff import space_group

CATALOGUE = wyckoff_catalogue()
WORDS = group_words(CATALOGUE)


def _sums(group: int, limit: int) -> set[int]:
    """All sums of multiplicities up to `limit`, positions without freedom at most once: by plain enumeration."""
    positions = space_group(group).positions
    sums = {0}
    for position in positions:
        times = 1 if position.dof == 0 else limit // position.n_atoms
        sums = {s + k * position.n_atoms for s in sums for k in range(times + 1) if s + k * position.n_atoms <= limit}
    return sums


@given(st.integers(1, 230))
def test_words_hold_exactly_the_sums_of_multiplicities(group: int) -> None:
    reached = {c for c in range(31) if has_count(WORDS[group], torch.tensor(c))}
    assert reached == _sums(group, 30)


def test_a_taken_position_is_not_offered_again() -> None:
    used = torch.zeros(1, CATALOGUE.n_letters, dtype=torch.bool)
    used[0, :2] = True  # Fm-3m: positions a and b, one atom each
    words = reachable_from(CATALOGUE, torch.tensor([225]), used)[:, 0]
    assert not has_count(words, torch.tensor([1]))[0]
    assert has_count(words, torch.tensor([2]))[0]  # position c


@given(st.integers(1, 230), st.lists(st.integers(1, 6), min_size=1, max_size=3))
def test_joint_placement_agrees_with_enumeration(group: int, counts: list[int]) -> None:
    positions = space_group(group).positions
    fixed = [p.n_atoms for p in positions if p.dof == 0 and p.n_atoms <= max(counts)]
    free = sorted({p.n_atoms for p in positions if p.dof > 0 and p.n_atoms <= max(counts)})

    def by_free(count: int) -> bool:
        return count == 0 or any(size <= count and by_free(count - size) for size in free)

    fixed = sorted(fixed)[:6]  # the enumeration is exponential; more than six single positions never help six atoms
    owners = itertools.product(range(len(counts) + 1), repeat=len(fixed))
    found = any(
        all(
            (left := count - sum(s for s, o in zip(fixed, owner, strict=True) if o == place)) >= 0 and by_free(left)
            for place, count in enumerate(counts)
        )
        for owner in owners
    )
    if found or len([p for p in positions if p.dof == 0]) <= 6:
        assert can_host(CATALOGUE, group, counts) == found


def test_counts_outside_the_word_are_not_reached() -> None:
    words = WORDS[torch.tensor([1, 1])]
    assert not has_count(words, torch.tensor([-1, 61])).any()
