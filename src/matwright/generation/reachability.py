"""Which atom counts the Wyckoff positions of a space group can add up to: the arithmetic behind the symmetry masks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from matwright.generation.catalogue import WyckoffCatalogue

Words = NDArray[np.int64]
Flags = NDArray[np.bool_]
MAX_COUNT = 60
"""Counts are the bits of one int64 word, so that a whole set of counts is shifted and joined in one operation."""


def reachable_from(catalogue: WyckoffCatalogue, group: Tensor, used: Tensor) -> Tensor:
    """(n, n_letters + 1) int64 words: bit c of entry (i, j) says that letters j, j+1, … can add up to c atoms.

    Args:
        group: (n,) space groups.
        used: (n, n_letters) bool; True where a position without free coordinates is occupied already.

    A position without free coordinates holds one orbit at most, any other as many as fit.
    """
    # in NumPy: thousands of operations on short vectors, where its smaller overhead counts
    multiplicity = catalogue.multiplicity[group].numpy()
    single = catalogue.freedom[group].numpy() == 0
    taken = used.numpy()
    words = np.ones((len(group), catalogue.n_letters + 1), dtype=np.int64)
    for letter in range(catalogue.n_letters - 1, -1, -1):
        words[:, letter] = _add_letter(
            words[:, letter + 1], multiplicity[:, letter], single[:, letter], taken[:, letter]
        )
    return torch.from_numpy(words)


def _add_letter(word: Words, multiplicity: Words, single: Flags, used: Flags) -> Words:
    """The set of counts once one more letter may be used: once where `single`, any number of times elsewhere."""
    present = (multiplicity > 0) & (multiplicity <= MAX_COUNT)
    if not present.any():
        return word
    once = _shift(word, multiplicity)
    many, step = word | once, multiplicity * 2
    while (present & ~single & (step <= MAX_COUNT)).any():
        many = many | _shift(many, step)
        step = step * 2
    extended = np.where(single, np.where(used, word, word | once), many)
    return np.where(present, extended, word)


def _shift(word: Words, places: Words) -> Words:
    """The set with `places` added to each count; what passes MAX_COUNT falls away."""
    inside = np.minimum(places, MAX_COUNT)
    kept = word & ((np.int64(1) << (MAX_COUNT - inside + 1)) - 1)
    return np.where(places > MAX_COUNT, 0, kept << inside)


def has_count(words: Tensor, counts: Tensor) -> Tensor:
    """Bool of the same shape: whether bit `counts` is set; negative counts are not."""
    inside = (counts >= 0) & (counts <= MAX_COUNT)
    return inside & (((words >> counts.clamp(0, MAX_COUNT)) & 1) == 1)


def group_words(catalogue: WyckoffCatalogue) -> Tensor:
    """(231,) int64: the counts that one element alone can have in each space group (row 0 is empty)."""
    groups = torch.arange(231)
    words = reachable_from(catalogue, groups, torch.zeros(231, catalogue.n_letters, dtype=torch.bool))[:, 0]
    words[0] = 0
    return words


def can_host(catalogue: WyckoffCatalogue, group: int, counts: Sequence[int]) -> bool:
    """Whether the group can hold all elements with these atom counts of the primitive cell at the same time."""
    multiplicity = catalogue.multiplicity[group].tolist()
    freedom = catalogue.freedom[group].tolist()
    fixed = [m for m, f in zip(multiplicity, freedom, strict=True) if m > 0 and f == 0]
    free = tuple(sorted({m for m, f in zip(multiplicity, freedom, strict=True) if m > 0 and f > 0}))
    sizes = tuple(sorted(set(fixed), reverse=True))
    stock = tuple(fixed.count(size) for size in sizes)
    return _fits(tuple(sorted(counts, reverse=True)), sizes, stock, free)


@lru_cache(maxsize=100_000)
def _fits(counts: tuple[int, ...], sizes: tuple[int, ...], stock: tuple[int, ...], free: tuple[int, ...]) -> bool:
    """Whether every count is a sum of fixed positions (each taken once over all elements) and of free ones."""
    if not counts:
        return True
    first, rest = counts[0], counts[1:]
    if _sum_of(first, free) and _fits(rest, sizes, stock, free):
        return True
    for i, size in enumerate(sizes):
        if stock[i] and size <= first:
            left = (*stock[:i], stock[i] - 1, *stock[i + 1 :])
            remaining = (first - size, *rest) if first > size else rest
            if _fits(remaining, sizes, left, free):
                return True
    return False


@lru_cache(maxsize=100_000)
def _sum_of(count: int, sizes: tuple[int, ...]) -> bool:
    """Whether the count is a sum of sizes, each used any number of times."""
    return count == 0 or any(size <= count and _sum_of(count - size, sizes) for size in sizes)
