"""Train, validation and test parts that do not depend on the order of rows, and the check that nothing leaks."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError

PARTS = ("train", "val", "test")
DEFAULT_FRACTIONS = (0.8, 0.1, 0.1)
"""The paper's 80/10/10."""

_EXAMPLES = 3


def assign_parts(
    keys: Sequence[str], *, fractions: tuple[float, float, float] = DEFAULT_FRACTIONS, seed: int = 0
) -> NDArray[np.str_]:
    """(n,) "train", "val" or "test" for each row, rows with the same key together.

    Groups are put in an order that only the seed and their keys decide, and cut where the shares are reached: a
    permutation of the rows permutes the parts, and shares are off by at most the largest group. For a random
    split, give the ids as keys.

    Raises:
        InputError: there are no rows, or the fractions are not three shares that sum to 1.
    """
    if len(keys) == 0:
        raise InputError("there are no rows to split")
    if min(fractions) < 0 or abs(sum(fractions) - 1.0) > 1e-6 or fractions[0] == 0:
        raise InputError(f"the shares of train, val and test must be positive and sum to 1, found {fractions}")
    sizes = Counter(keys)
    order = sorted(sizes, key=lambda key: hashlib.sha256(f"{seed}\0{key}".encode()).digest())
    counts = np.array([sizes[key] for key in order])
    middles = (np.cumsum(counts) - counts / 2) / len(keys)
    cuts = np.cumsum(fractions)[:2]
    places = np.searchsorted(cuts, middles, side="right")
    part_of = {key: PARTS[place] for key, place in zip(order, places.tolist(), strict=True)}
    return np.array([part_of[key] for key in keys])


def given_parts(
    stated: Sequence[str], keys: Sequence[str], *, val_share: float = 0.1, seed: int = 0
) -> NDArray[np.str_]:
    """(n,) the parts that a table states; where none is "val", a share of "train" becomes it, by groups of `keys`.

    Raises:
        InputError: a row has no part or another word than train, val or test, or no row is in train.
    """
    parts = np.array(list(stated), dtype=np.str_)
    strange = sorted(set(parts.tolist()) - set(PARTS))
    if strange:
        shown = ", ".join(repr(word) for word in strange[:5])
        raise InputError(f"the split column must say train, val or test in every row, found {shown}")
    training = np.flatnonzero(parts == "train")
    if len(training) == 0:
        raise InputError("the split column puts no row into train")
    if not (parts == "val").any():
        parts = parts.astype("<U5")
        inner = assign_parts(
            [keys[row] for row in training.tolist()], fractions=(1 - val_share, val_share, 0.0), seed=seed
        )
        parts[training] = inner
    return parts


def fold_parts(
    keys: Sequence[str], *, folds: int, fold: int, val_share: float = 0.1, seed: int = 0
) -> NDArray[np.str_]:
    """(n,) the parts of one fold of a cross-validation, rows with the same key together.

    Groups are put in an order that only the seed and their keys decide and cut into `folds` shares of nearly equal
    size; share number `fold` is "test", and of the groups of the others a share is "val". So each row is tested once.

    Raises:
        InputError: there are fewer than 2 folds or fewer groups than folds, or no such fold.
    """
    if folds < 2 or not 1 <= fold <= folds:
        raise InputError(f"a cross-validation has at least 2 folds, counted from 1; found fold {fold} of {folds}")
    sizes = Counter(keys)
    if len(sizes) < folds:
        raise InputError(f"{folds} folds need at least as many groups of rows; there are {len(sizes)}")
    order = sorted(sizes, key=lambda key: hashlib.sha256(f"{seed}\0folds\0{key}".encode()).digest())
    counts = np.array([sizes[key] for key in order])
    shares = np.minimum((np.cumsum(counts) - counts / 2) / len(keys) * folds, folds - 1).astype(np.int64)
    tested = {key for key, share in zip(order, shares.tolist(), strict=True) if share == fold - 1}
    rest = [key for key in keys if key not in tested]
    if not tested or not rest:
        raise InputError(f"fold {fold} of {folds} is empty: one group holds too many of the rows")
    parts = np.full(len(keys), "test", dtype="<U5")
    inner = assign_parts(rest, fractions=(1 - val_share, val_share, 0.0), seed=seed)
    parts[[key not in tested for key in keys]] = inner
    return parts


def part_indices(parts: NDArray[np.str_]) -> dict[str, NDArray[np.int64]]:
    """Part → indices of its rows, for train, val and test (empty where a part has none)."""
    return {part: np.flatnonzero(parts == part).astype(np.int64) for part in PARTS}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Leakage:
    """Groups of one kind that stand in two parts.

    Attributes:
        kind: what the rows share, for instance "formula".
        n_groups: how many groups stand in more than one part.
        n_rows: rows outside train whose group also stands in train (for groups without train rows: in another part).
        share: n_rows over the number of rows outside train.
        examples: up to three (key, id, part, id, part) that a user can look up.
    """

    kind: str
    n_groups: int
    n_rows: int
    share: float
    examples: tuple[tuple[str, str, str, str, str], ...]

    def __str__(self) -> str:
        key, first, part, second, other = self.examples[0]
        return (
            f"{self.n_rows} rows ({self.share:.1%}) of val and test share their {self.kind} with another part, "
            f"for instance {first!r} in {part} and {second!r} in {other}: {key}"
        )


def find_leakage(ids: Sequence[str], parts: NDArray[np.str_], keys: Mapping[str, Sequence[str]]) -> list[Leakage]:
    """What stands in two parts, for each kind of key given ({"formula": […], "structure": […]}); empty if nothing."""
    found = (_leakage(kind, ids, parts, column) for kind, column in keys.items())
    return [leakage for leakage in found if leakage is not None]


def _leakage(kind: str, ids: Sequence[str], parts: NDArray[np.str_], keys: Sequence[str]) -> Leakage | None:
    first: dict[str, dict[str, str]] = {}
    for name, part, key in zip(ids, parts.tolist(), keys, strict=True):
        first.setdefault(key, {}).setdefault(part, name)
    shared = {key: found for key, found in first.items() if len(found) > 1}
    if not shared:
        return None
    outside = np.array([part != "train" for part in parts.tolist()])
    rows = int((outside & np.array([key in shared for key in keys])).sum())
    examples = []
    for key, found in list(shared.items())[:_EXAMPLES]:
        (part, name), (other, second) = list(found.items())[:2]
        examples.append((key, name, part, second, other))
    return Leakage(
        kind=kind, n_groups=len(shared), n_rows=rows, share=rows / max(1, int(outside.sum())), examples=tuple(examples)
    )


def check_leakage(
    ids: Sequence[str], parts: NDArray[np.str_], keys: Mapping[str, Sequence[str]], *, allow: bool = False
) -> list[Leakage]:
    """Refuse a split that puts the same material into two parts, or return what leaks as warnings.

    Args:
        ids: (n) names for the message.
        parts: (n,) part of each row.
        keys: kind → (n) keys, see `find_leakage`.
        allow: return the leaks instead of refusing.

    Raises:
        InputError: something leaks and is not allowed.
    """
    found = find_leakage(ids, parts, keys)
    if found and not allow:
        raise InputError(f"the split leaks: {'; '.join(map(str, found))}")
    return found
