"""The diversity filter: structures that are drawn again and again are worth less and less.

A bucket is a reduced formula with its space group and the Wyckoff letters of each element: all crystals of one bucket
are the same structure type of the same compound, up to free coordinates and the size of the cell.
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.generation.sequence_batch import SequenceBatch

Keys = NDArray[np.uint64]
_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)


def bucket_keys(batch: SequenceBatch) -> Keys:
    """(n,) 64-bit hashes of formula, space group and letters; they do not depend on padding or on the seed."""
    real = batch.orbit_mask.numpy()
    orbits = np.where(real, 1 + batch.letters.numpy() + 32 * batch.slots.numpy(), 0)
    elements = np.where(batch.counts.numpy() > 0, 1 + batch.elements.numpy(), 0)
    blocks = (batch.group.numpy()[:, None], elements, batch.counts.numpy(), orbits)
    total = np.zeros(len(batch), dtype=np.uint64)
    for place, block in enumerate(blocks):
        total += _hashed(block, 1000 * place)
    return total


def _hashed(block: NDArray[np.int64], first: int) -> Keys:
    """(n,) sum over the columns of a hash of value and column; a zero adds nothing."""
    columns = (first + np.arange(block.shape[1])).astype(np.uint64)
    mixed = (block.astype(np.uint64) * np.uint64(100_003) + columns + np.uint64(1)) * _ODD
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX
    mixed ^= mixed >> np.uint64(27)
    return np.asarray(np.where(block > 0, mixed, np.uint64(0)).sum(1, dtype=np.uint64))


@final
class Buckets:
    """How often each bucket was drawn so far.

    Args:
        keys, counts: (n,) of an earlier run; keys ascending.
    """

    def __init__(self, keys: Keys | None = None, counts: NDArray[np.int64] | None = None) -> None:
        self.keys = np.zeros(0, dtype=np.uint64) if keys is None else keys
        self.counts = np.zeros(0, dtype=np.int64) if counts is None else counts

    def __len__(self) -> int:
        return len(self.keys)

    def seen(self, keys: Keys) -> NDArray[np.int64]:
        """(n,) earlier draws of each bucket, those further up in `keys` included."""
        place = np.searchsorted(self.keys, keys)
        inside = place < len(self.keys)
        found = np.zeros(len(keys), dtype=np.int64)
        known = np.flatnonzero(inside)
        same = self.keys[place[known]] == keys[known]
        found[known[same]] = self.counts[place[known[same]]]
        return found + _earlier(keys)

    def add(self, keys: Keys) -> None:
        """Count these draws."""
        joined = np.concatenate([self.keys, keys])
        weights = np.concatenate([self.counts, np.ones(len(keys), dtype=np.int64)])
        self.keys, place = np.unique(joined, return_inverse=True)
        self.counts = np.bincount(place, weights=weights, minlength=len(self.keys)).astype(np.int64)


def _earlier(keys: Keys) -> NDArray[np.int64]:
    """(n,) how often each key stands further up."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.searchsorted(ordered, ordered)
    result = np.zeros(len(keys), dtype=np.int64)
    result[order] = np.arange(len(keys)) - first
    return result
