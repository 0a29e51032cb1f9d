"""The columns of a graph store while it is being built: rows are appended, nothing is kept in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from matwright.errors import InputError
from matwright.graphs.columns import ColumnWriter
from matwright.graphs.ragged import ATOM, ROW, SHARE, RaggedGraphs
from matwright.graphs.store import REJECTED_FILE, STORE_FORMAT, STORE_SCHEMA

_FORMATS: dict[str, tuple[DTypeLike, tuple[int, ...]]] = {
    "atom_counts": (np.uint16, ()),
    "row_totals": (np.int64, ()),
    "share_counts": (np.int32, ()),
    "lattices": (np.float64, (3, 3)),
    "atoms": (ATOM, ()),
    "rows": (ROW, ()),
    "shares": (SHARE, ()),
    "id_lengths": (np.int32, ()),
    "id_bytes": (np.uint8, ()),
    "part_codes": (np.int16, ()),
}
"""Type and shape of a row of each column; the columns of `targets` depend on the source."""

_OF_GRAPHS = ("atom_counts", "row_totals", "share_counts", "lattices", "atoms", "rows", "shares")


class RowPlace(Protocol):
    """Which record of a source is meant."""

    @property
    def id(self) -> str:
        """The name of the record."""
        ...

    @property
    def file(self) -> str:
        """The file it stands in."""
        ...

    @property
    def number(self) -> int:
        """Its 1-based number in that file."""
        ...


class Row(RowPlace, Protocol):
    """One record of a source, cheap until it is parsed; it is sent to the worker processes."""

    @property
    def targets(self) -> Sequence[float]:
        """One value a target, NaN where missing."""
        ...

    @property
    def part(self) -> str:
        """The part of the split that the source names, "" where it names none."""
        ...


@final
class StoreWriter:
    """The open columns of a store that is being built."""

    def __init__(self, folder: Path, n_targets: int) -> None:
        self._n_targets = n_targets
        self._part_codes: dict[str, int] = {}
        self._rejected = 0
        self._rejections = (folder / REJECTED_FILE).open("x", encoding="utf-8")
        self._columns = {
            name: ColumnWriter(folder / f"{name}.npy", dtype, shape) for name, (dtype, shape) in _FORMATS.items()
        }
        self._columns["targets"] = ColumnWriter(folder / "targets.npy", np.float64, (n_targets,))

    def append(self, rows: Sequence[Row], ragged: RaggedGraphs) -> None:
        """Write some graphs with the names, targets and parts of their rows."""
        columns = {name: getattr(ragged, name) for name in _OF_GRAPHS} | self._row_columns(rows)
        for name, values in columns.items():
            self._columns[name].append(values)

    def _row_columns(self, rows: Sequence[Row]) -> dict[str, NDArray[Any]]:
        targets = np.array([tuple(row.targets) for row in rows], dtype=np.float64).reshape(len(rows), -1)
        if targets.shape[1] != self._n_targets:
            raise InputError(f"a row has {targets.shape[1]} target values, {self._n_targets} are named")
        names = [row.id.encode() for row in rows]
        codes = [self._part_codes.setdefault(row.part, len(self._part_codes)) for row in rows]
        return {
            "targets": targets,
            "id_lengths": np.array([len(name) for name in names]),
            "id_bytes": np.frombuffer(b"".join(names), dtype=np.uint8),
            "part_codes": np.array(codes),
        }

    def reject(self, row: RowPlace, reason: str) -> None:
        """Write down that a row is left out, and why."""
        self._rejections.write(json.dumps([row.id, row.file, row.number, reason]) + "\n")
        self._rejected += 1

    def finish(self) -> dict[str, Any]:
        """Close the columns and return what `meta.json` says about them."""
        self._rejections.close()
        lengths = {name: column.close(keep=True) for name, column in self._columns.items()}
        return {
            "format": STORE_FORMAT,
            "schema": STORE_SCHEMA,
            "rows": lengths,
            "rejected": self._rejected,
            "part_names": list(self._part_codes),
        }

    def abandon(self) -> None:
        """Close the files of a build that failed; what a full disk does not take is lost anyway."""
        with suppress(OSError):
            self._rejections.close()
        for column in self._columns.values():
            with suppress(OSError):
                column.close(keep=False)
