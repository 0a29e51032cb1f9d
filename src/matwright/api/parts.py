"""Which records train, validate and test: by a column of the source or by a rule, with a check for leakage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.api.assessment import Parts
from matwright.data.groups import GroupKind, packed_keys, row_key
from matwright.data.record import RawRow
from matwright.data.sources import Source
from matwright.data.splits import (
    DEFAULT_FRACTIONS,
    assign_parts,
    check_leakage,
    fold_parts,
    given_parts,
    part_indices,
)
from matwright.errors import InputError
from matwright.graphs.ragged import RaggedGraphs, starts_of
from matwright.graphs.store import GraphStore
from matwright.graphs.workers import ordered_map
from matwright.progress import Progress, silent

CHUNK = 256  # records read together


@final
class SplitMethod(StrEnum):
    """How records are divided.

    COLUMN follows the source; the others keep what is alike together: nothing, formulas, systems, prototypes, or
    (GROUP) what a column of the source names.
    """

    COLUMN = "column"
    GROUP = "group"
    RANDOM = "random"
    FORMULA = "formula"
    SYSTEM = "system"
    PROTOTYPE = "prototype"


_OF_COLUMN = (SplitMethod.COLUMN, SplitMethod.GROUP)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSettings:
    """How the data are divided.

    Attributes:
        method: see `SplitMethod`.
        column: of the source, for COLUMN and GROUP.
        fractions: shares of train, validation and test, for the other methods.
        refuse_leakage: stop when a formula stands in two parts, instead of a warning.
        folds: of a cross-validation; 0 for none. Then the fractions do not count: one fold is the test part and a
            tenth of the others validates.
        fold: which one is the test part, counted from 1.
    """

    method: SplitMethod = SplitMethod.FORMULA
    column: str | None = None
    fractions: tuple[float, float, float] = DEFAULT_FRACTIONS
    refuse_leakage: bool = False
    folds: int = 0
    fold: int = 0

    def __post_init__(self) -> None:
        if (self.method in _OF_COLUMN) != (self.column is not None):
            raise InputError("give either a split column or a split method, not both")
        if self.folds and self.method is SplitMethod.COLUMN:
            raise InputError("a cross-validation makes its own parts: give a split method, not a split column")

    def describe(self) -> str:
        """Return the split in words, for the card."""
        if self.method is SplitMethod.COLUMN:
            return f"as given by column {self.column!r}"
        shares = " / ".join(f"{100 * share:g}" for share in self.fractions)
        what = f"column {self.column!r}" if self.method is SplitMethod.GROUP else self.method.value
        if self.folds:
            return f"by {what}, fold {self.fold} of {self.folds}, a tenth of the others for validation"
        return f"by {what}, {shares} %"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenParts:
    """The parts and what the leakage check found ("" where it found nothing)."""

    parts: Parts
    leakage: str


def split_settings(
    method: str | None, column: str | None, group_column: str | None = None, *, refuse_leakage: bool = False
) -> SplitSettings:
    """Return the split that the user's words mean: a method, a column, or by formula where there is none.

    Raises:
        InputError: several are given, or there is no such method.
    """
    if sum(word is not None for word in (method, column, group_column)) > 1:
        raise InputError("give either a split column, a group column or a split method, not both")
    if column is not None or group_column is not None:
        chosen = SplitMethod.COLUMN if column is not None else SplitMethod.GROUP
        return SplitSettings(method=chosen, column=column or group_column, refuse_leakage=refuse_leakage)
    rules = [rule.value for rule in SplitMethod if rule not in _OF_COLUMN]
    if method is not None and method not in rules:
        raise InputError(f"a split method is one of {', '.join(rules)}, found {method!r}")
    return SplitSettings(method=SplitMethod(method or SplitMethod.FORMULA), refuse_leakage=refuse_leakage)


def choose_parts(
    store: GraphStore,
    source: Source,
    split: SplitSettings,
    *,
    seed: int,
    workers: int = 1,
    progress: Progress | None = None,
) -> ChosenParts:
    """Divide the records of a store.

    Where a column names no validation part, a tenth of the training formulas becomes it. Leakage is looked for by
    formula; formulas in two parts are expected of a random split and of one by prototype.

    Args:
        store: the records.
        source: what the store was built from; read again where structures decide.
        split: the rule.
        seed: decides which groups go where.
        workers: processes that read structures.
        progress: told of each structure read.

    Raises:
        InputError: the column names other parts than train, val and test, a part that is needed is empty, or the
            split leaks and that is to be refused.
    """
    ids, formulas = store.ids, _packed(store, GroupKind.FORMULA)
    if split.method is SplitMethod.COLUMN:
        names = given_parts(store.parts.tolist(), formulas, seed=seed)
    else:
        keys = _keys(store, source, split.method, ids, formulas, workers, progress or silent())
        names = (
            fold_parts(keys, folds=split.folds, fold=split.fold, seed=seed)
            if split.folds
            else assign_parts(keys, fractions=split.fractions, seed=seed)
        )
    found = check_leakage(ids, names, {"formula": formulas}, allow=not split.refuse_leakage)
    indices = part_indices(names)
    for part in ("train", "val"):
        if len(indices[part]) == 0:
            raise InputError(f"the split leaves no record in {part!r}; training needs both train and val")
    parts = Parts(train=indices["train"], validation=indices["val"], test=indices["test"])
    return ChosenParts(parts=parts, leakage="; ".join(map(str, found)))


def _keys(
    store: GraphStore,
    source: Source,
    method: SplitMethod,
    ids: Sequence[str],
    formulas: Sequence[str],
    workers: int,
    progress: Progress,
) -> Sequence[str]:
    """Return the group of each record: groups stay together."""
    if method is SplitMethod.RANDOM:
        return [f"{place} {name}" for place, name in enumerate(ids)]
    if method is SplitMethod.FORMULA:
        return formulas
    if method is SplitMethod.SYSTEM:
        return _packed(store, GroupKind.SYSTEM)
    if method is SplitMethod.GROUP:
        return _groups(store, source)
    return _prototypes(store, source, workers, progress)


def _packed(store: GraphStore, kind: GroupKind) -> list[str]:
    keys: list[str] = []
    for start in range(0, len(store), CHUNK):
        graphs = store.ragged(np.arange(start, min(start + CHUNK, len(store))))
        keys += packed_keys(*_contents(graphs), kind)
    return keys


def _contents(graphs: RaggedGraphs) -> tuple[NDArray[np.integer], NDArray[np.floating], NDArray[np.integer]]:
    """Elements, their amounts, and how many entries each structure has; a disordered site counts by its shares."""
    n = len(graphs.atom_counts)
    of_shares = np.repeat(np.arange(n), graphs.share_counts)
    sites = starts_of(graphs.atom_counts)[of_shares] + graphs.shares["site"]
    plain = np.ones(len(graphs.atoms), dtype=bool)
    plain[sites] = False
    owner = np.concatenate([np.repeat(np.arange(n), graphs.atom_counts)[plain], of_shares])
    order = np.argsort(owner, kind="stable")
    numbers = np.concatenate([graphs.numbers[plain], graphs.share_numbers])[order]
    amounts = np.concatenate([graphs.atoms["weight"][plain], graphs.shares["share"]])[order]
    return numbers, amounts, np.bincount(owner, minlength=n)


def _kept_rows(store: GraphStore, source: Source) -> Iterator[RawRow]:
    """The rows of the source that are in the store, in its order."""
    left_out = {(row.file, row.number) for row in store.rejections()}
    return (row for row in source.rows() if (row.file, row.number) not in left_out)


def _groups(store: GraphStore, source: Source) -> list[str]:
    """Return the word of each record that the group column holds; a record without one is a group of its own."""
    return _checked([row.group or f"\0{row.number}" for row in _kept_rows(store, source)], store, source)


def _checked(keys: list[str], store: GraphStore, source: Source) -> list[str]:
    if len(keys) != len(store):
        raise InputError(f"{source.path} changed while it was read; run again")
    return keys


def _prototypes(store: GraphStore, source: Source, workers: int, progress: Progress) -> list[str]:
    """Return the prototype of each record; the source is read again, because a graph does not hold its symmetry."""
    progress.start("prototypes", len(store))
    keys: list[str] = []
    for _, some in ordered_map(_chunk_keys, _chunks(_kept_rows(store, source)), workers):
        keys += some
        progress.advance(len(some))
    progress.finish()
    return _checked(keys, store, source)


def _chunks(rows: Iterator[RawRow]) -> Iterator[list[RawRow]]:
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


def _chunk_keys(rows: list[RawRow]) -> list[str]:
    return [row_key(row, GroupKind.PROTOTYPE) for row in rows]
