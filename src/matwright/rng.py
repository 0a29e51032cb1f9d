"""Seeded randomness: every random choice comes from a generator that a seed and named keys determine."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from matwright.errors import InputError

if TYPE_CHECKING:
    import torch

MAX_SEED = 2**63 - 1


def derive_seed(seed: int, *keys: str | int) -> int:
    """Return a seed in 0..2^63-1 for the stream that `keys` name.

    Streams of different keys are independent, so that a step added to a program does not shift the numbers of
    another step, and a candidate can be made again without its predecessors.

    Raises:
        InputError: the seed is not a whole number in 0..2^63-1.
    """
    text = repr((check_seed(seed), *keys))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *keys: str | int) -> np.random.Generator:
    """Return a NumPy generator for the stream of `seed` that `keys` name.

    Raises:
        InputError: the seed is not a whole number in 0..2^63-1.
    """
    return np.random.default_rng(derive_seed(seed, *keys))


def torch_generator(seed: int, *keys: str | int) -> torch.Generator:
    """Return a torch CPU generator for the stream of `seed` that `keys` name.

    Raises:
        InputError: the seed is not a whole number in 0..2^63-1.
    """
    import torch  # heavy: behind its door

    result = torch.Generator()
    result.manual_seed(derive_seed(seed, *keys))
    return result


def check_seed(seed: int) -> int:
    """Return the seed as a plain int.

    Raises:
        InputError: it is not a whole number in 0..2^63-1.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed <= MAX_SEED:
        raise InputError(f"a seed is a whole number in 0..2^63-1, found {seed!r}")
    return int(seed)
