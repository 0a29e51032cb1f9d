"""Many graphs packed into flat arrays, in a folder or in memory: a batch is index arithmetic, no object a graph."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.graphs.builder import DEFAULT_SETTINGS, Graph
from matwright.graphs.columns import ArrayColumn, Column, FileColumn, Spans, column_length, mapped
from matwright.graphs.ragged import Labels, RaggedGraphs, lay_end_to_end, starts_of
from matwright.graphs.settings import GraphSettings
from matwright.serialization import read_json

if TYPE_CHECKING:
    from matwright.graphs.batch import GraphBatch

META_FILE = "meta.json"
REJECTED_FILE = "rejected.jsonl"
STORE_FORMAT = "matwright graph store"
STORE_SCHEMA = 3
"""Raised whenever the files of a store change their meaning: stores of another schema are built again."""

LABELS = ("targets", "censored", "conditions")
PER_CRYSTAL = (
    "atom_counts",
    "row_totals",
    "share_counts",
    "bond_counts",
    "step_counts",
    "id_lengths",
    "part_codes",
    "lattices",
    *LABELS,
)
COLUMNS = (*PER_CRYSTAL, "atoms", "rows", "shares", "bonds", "steps", "id_bytes")
"""The files of a store; `rows`, by far the largest, is read by position, the others are mapped."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """A row of the source that the store leaves out: its name, the file, its 1-based number there, and the reason."""

    id: str
    file: str
    number: int
    reason: str


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GraphStore:
    """Graphs, targets, conditions and names of many structures in the order of their source.

    A subset shares the columns and holds only its own rows' places. Instances are made by `GraphStore.open`,
    `build_store` and `pack`.

    Attributes:
        settings: the neighbour rule all graphs were built with.
        content_hash: hash of the source, the settings and the schema; empty for graphs packed in memory.
        target_names: what the columns of `targets` are.
        condition_names: what the columns of `conditions` are.
        targets: (n_crystals, n_targets) float64, NaN where missing.
        censored: (n_crystals, n_targets) int8, -1 where the true value lies below the target, +1 above, 0 exact.
        conditions: (n_crystals, n_conditions) float64, NaN where missing.
        lattices: (n_crystals, 3, 3) float64, Å.
        path: the folder, None in memory.
    """

    settings: GraphSettings
    content_hash: str
    target_names: tuple[str, ...]
    condition_names: tuple[str, ...]
    targets: NDArray[np.float64]
    censored: NDArray[np.int8]
    conditions: NDArray[np.float64]
    lattices: NDArray[np.float64]
    path: Path | None
    _part_names: tuple[str, ...]
    _part_codes: NDArray[np.int16]
    _atoms: Spans
    _rows: Spans
    _shares: Spans
    _bonds: Spans
    _steps: Spans
    _ids: Spans
    _atom_column: Column
    _row_column: Column
    _share_column: Column
    _bond_column: Column
    _step_column: Column
    _id_column: Column

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> GraphStore:
        """Open a finished store; only the places of its crystals are read.

        Raises:
            InputError: when the folder is no finished store of this schema, or a file of it is cut short.
        """
        folder = Path(path)
        meta = read_meta(folder)
        if meta is None or meta["schema"] != STORE_SCHEMA:
            raise InputError(f"{folder} is not a graph store of this version of matwright: build it again")
        files = {name: folder / f"{name}.npy" for name in COLUMNS}
        for name, file in files.items():
            if column_length(file) != meta["rows"][name]:
                raise InputError(f"{file} is not whole: remove the graph store {folder} and build it again")
        arrays = {name: mapped(files[name]) for name in PER_CRYSTAL}
        return cls(
            settings=GraphSettings.from_dict(meta["settings"]),
            content_hash=meta["content_hash"],
            target_names=tuple(meta["target_names"]),
            condition_names=tuple(meta["condition_names"]),
            targets=arrays["targets"],
            censored=arrays["censored"],
            conditions=arrays["conditions"],
            lattices=arrays["lattices"],
            path=folder,
            _part_names=tuple(meta["part_names"]),
            _part_codes=arrays["part_codes"],
            _atoms=_spans(arrays["atom_counts"]),
            _rows=_spans(arrays["row_totals"]),
            _shares=_spans(arrays["share_counts"]),
            _bonds=_spans(arrays["bond_counts"]),
            _steps=_spans(arrays["step_counts"]),
            _ids=_spans(arrays["id_lengths"]),
            _atom_column=ArrayColumn.mapped(files["atoms"]),
            _row_column=FileColumn(files["rows"]),
            _share_column=ArrayColumn.mapped(files["shares"]),
            _bond_column=ArrayColumn.mapped(files["bonds"]),
            _step_column=ArrayColumn.mapped(files["steps"]),
            _id_column=ArrayColumn.mapped(files["id_bytes"]),
        )

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def ids(self) -> list[str]:
        """The name of each crystal."""
        data = self._id_column.read(self._ids).tobytes()
        ends = np.cumsum(self._ids[1]).tolist()
        return [data[end - size : end].decode() for end, size in zip(ends, self._ids[1].tolist(), strict=True)]

    @property
    def parts(self) -> NDArray[np.str_]:
        """(n_crystals,) the part of the split that the source names for each crystal, "" where it names none."""
        return np.array(self._part_names or ("",), dtype=np.str_)[self._part_codes]

    @property
    def atom_counts(self) -> NDArray[np.int64]:
        """(n_crystals,) number of atoms of each crystal."""
        return self._atoms[1]

    def rejections(self) -> Iterator[RejectedRow]:
        """The rows of the source that were left out when the store was built, in their order."""
        if self.path is None:
            return
        with (self.path / REJECTED_FILE).open(encoding="utf-8") as lines:
            for line in lines:
                name, file, number, reason = json.loads(line)
                yield RejectedRow(id=name, file=file, number=number, reason=reason)

    def subset(self, indices: NDArray[np.integer] | Sequence[int]) -> GraphStore:
        """The crystals at these places, in this order, as a store over the same columns."""
        at = np.asarray(indices, dtype=np.int64)
        return replace(
            self,
            targets=self.targets[at],
            censored=self.censored[at],
            conditions=self.conditions[at],
            lattices=self.lattices[at],
            _part_codes=self._part_codes[at],
            _atoms=_at(self._atoms, at),
            _rows=_at(self._rows, at),
            _shares=_at(self._shares, at),
            _bonds=_at(self._bonds, at),
            _steps=_at(self._steps, at),
            _ids=_at(self._ids, at),
        )

    @property
    def steps(self) -> NDArray[np.float32]:
        """(n_steps, STEP_FIELDS) processing steps, those of one structure together, structures in their order."""
        return self._step_column.read(self._steps)

    @property
    def bond_counts(self) -> NDArray[np.int64]:
        """(n_crystals,) number of directed bonds of stated order of each structure."""
        return self._bonds[1]

    @property
    def step_counts(self) -> NDArray[np.int64]:
        """(n_crystals,) number of processing steps of each structure."""
        return self._steps[1]

    def with_conditions(self, conditions: NDArray[np.float64], steps: NDArray[np.float32]) -> GraphStore:
        """The same graphs under other conditions (n_crystals, n_conditions) and steps, shaped like `steps`."""
        spans = _spans(self.step_counts)
        return replace(self, conditions=conditions, _steps=spans, _step_column=ArrayColumn(steps))

    def ragged(self, indices: NDArray[np.integer] | Sequence[int]) -> RaggedGraphs:
        """The flat arrays of the crystals at these places, in this order."""
        at = np.asarray(indices, dtype=np.int64)
        atoms, rows, shares = _at(self._atoms, at), _at(self._rows, at), _at(self._shares, at)
        bonds, steps = _at(self._bonds, at), _at(self._steps, at)
        return RaggedGraphs(
            atom_counts=atoms[1],
            row_totals=rows[1],
            share_counts=shares[1],
            bond_counts=bonds[1],
            atoms=self._atom_column.read(atoms),
            rows=self._row_column.read(rows),
            shares=self._share_column.read(shares),
            bonds=self._bond_column.read(bonds),
            lattices=self.lattices[at],
            labels=Labels(
                targets=self.targets[at],
                censored=self.censored[at],
                conditions=self.conditions[at],
                step_counts=steps[1],
                steps=self._step_column.read(steps),
            ),
        )

    def batch(self, indices: NDArray[np.integer] | Sequence[int]) -> GraphBatch:
        """The batch of the crystals at these places, in this order."""
        from matwright.graphs.batch import assemble  # heavy: torch stays out of the processes that build graphs

        return assemble(self.ragged(indices))


def read_meta(folder: Path) -> dict[str, Any] | None:
    """What `meta.json` says, None when `folder` is no finished store of any schema."""
    if not (folder / META_FILE).is_file():
        return None
    meta = read_json(folder / META_FILE)
    return meta if isinstance(meta, dict) and meta.get("format") == STORE_FORMAT else None


def pack(
    graphs: Sequence[Graph],
    *,
    settings: GraphSettings = DEFAULT_SETTINGS,
    labels: Labels | None = None,
    target_names: Sequence[str] = (),
    condition_names: Sequence[str] = (),
    ids: Sequence[str] | None = None,
) -> GraphStore:
    """A store in memory, for instance of thousands of generated crystals.

    Args:
        graphs: at least one.
        settings: the neighbour rule they were built with.
        labels: targets and conditions; None for none.
        target_names: one a column of the targets.
        condition_names: one a column of the conditions.
        ids: one a graph; None counts from 0.
    """
    ragged = lay_end_to_end(graphs, labels)
    names = [(str(i) if ids is None else ids[i]).encode() for i in range(len(graphs))]
    return GraphStore(
        settings=settings,
        content_hash="",
        target_names=tuple(target_names),
        condition_names=tuple(condition_names),
        targets=ragged.labels.targets,
        censored=ragged.labels.censored,
        conditions=ragged.labels.conditions,
        lattices=ragged.lattices,
        path=None,
        _part_names=("",),
        _part_codes=np.zeros(len(graphs), dtype=np.int16),
        _atoms=_spans(ragged.atom_counts),
        _rows=_spans(ragged.row_totals),
        _shares=_spans(ragged.share_counts),
        _bonds=_spans(ragged.bond_counts),
        _steps=_spans(ragged.labels.step_counts),
        _ids=_spans(np.array([len(name) for name in names])),
        _atom_column=ArrayColumn(ragged.atoms),
        _row_column=ArrayColumn(ragged.rows),
        _share_column=ArrayColumn(ragged.shares),
        _bond_column=ArrayColumn(ragged.bonds),
        _step_column=ArrayColumn(ragged.labels.steps),
        _id_column=ArrayColumn(np.frombuffer(b"".join(names), dtype=np.uint8)),
    )


def _spans(counts: NDArray[np.integer]) -> Spans:
    return starts_of(counts), counts.astype(np.int64)


def _at(spans: Spans, indices: NDArray[np.int64]) -> Spans:
    return spans[0][indices], spans[1][indices]
