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
from matwright.graphs.ragged import ATOM, BOND, ROW, SHARE, STEP_FIELDS, RaggedGraphs
from matwright.graphs.store import REJECTED_FILE, STORE_FORMAT, STORE_SCHEMA

_FORMATS: dict[str, tuple[DTypeLike, tuple[int, ...]]] = {
    "atom_counts": (np.uint16, ()),
    "row_totals": (np.int64, ()),
    "share_counts": (np.int32, ()),
    "bond_counts": (np.int32, ()),
    "step_counts": (np.int32, ()),
    "lattices": (np.float64, (3, 3)),
    "atoms": (ATOM, ()),
    "rows": (ROW, ()),
    "shares": (SHARE, ()),
    "bonds": (BOND, ()),
    "steps": (np.float32, (STEP_FIELDS,)),
    "id_lengths": (np.int32, ()),
    "id_bytes": (np.uint8, ()),
    "part_codes": (np.int16, ()),
}
"""Type and shape of a row of each column; those of targets and conditions depend on the source."""

_OF_GRAPHS = (
    "atom_counts",
    "row_totals",
    "share_counts",
    "bond_counts",
    "lattices",
    "atoms",
    "rows",
    "shares",
    "bonds",
)


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
    def censored(self) -> Sequence[int]:
        """One sign a target, -1 where the true value lies below it, +1 above, 0 exact; empty for all exact."""
        ...

    @property
    def conditions(self) -> Sequence[float]:
        """One value a condition, NaN where missing."""
        ...

    @property
    def steps(self) -> Sequence[Sequence[float]]:
        """Processing steps in their order, `STEP_FIELDS` numbers each, NaN where missing."""
        ...

    @property
    def part(self) -> str:
        """The part of the split that the source names, "" where it names none."""
        ...


@final
class StoreWriter:
    """The open columns of a store that is being built."""

    def __init__(self, folder: Path, n_targets: int, n_conditions: int) -> None:
        self._n_targets, self._n_conditions = n_targets, n_conditions
        self._part_codes: dict[str, int] = {}
        self._rejected = 0
        self._rejections = (folder / REJECTED_FILE).open("x", encoding="utf-8")
        self._columns = {
            name: ColumnWriter(folder / f"{name}.npy", dtype, shape) for name, (dtype, shape) in _FORMATS.items()
        }
        self._columns["targets"] = ColumnWriter(folder / "targets.npy", np.float64, (n_targets,))
        self._columns["censored"] = ColumnWriter(folder / "censored.npy", np.int8, (n_targets,))
        self._columns["conditions"] = ColumnWriter(folder / "conditions.npy", np.float64, (n_conditions,))

    def append(self, rows: Sequence[Row], ragged: RaggedGraphs) -> None:
        """Write some graphs with the names, targets and parts of their rows."""
        columns = {name: getattr(ragged, name) for name in _OF_GRAPHS} | self._row_columns(rows)
        for name, values in columns.items():
            self._columns[name].append(values)

    def _row_columns(self, rows: Sequence[Row]) -> dict[str, NDArray[Any]]:
        targets = _table([tuple(row.targets) for row in rows], self._n_targets, "target values")
        conditions = _table([tuple(row.conditions) for row in rows], self._n_conditions, "conditions")
        exact = (0,) * self._n_targets
        signs = [tuple(row.censored) or exact for row in rows]
        steps = [step for row in rows for step in row.steps]
        names = [row.id.encode() for row in rows]
        codes = [self._part_codes.setdefault(row.part, len(self._part_codes)) for row in rows]
        return {
            "targets": targets,
            "censored": _table(signs, self._n_targets, "signs of censored values"),
            "conditions": conditions,
            "step_counts": np.array([len(row.steps) for row in rows]),
            "steps": _table(steps, STEP_FIELDS, "fields of a step"),
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


def _table(rows: Sequence[Sequence[float]], width: int, what: str) -> NDArray[np.float64]:
    """(n, width) numbers of rows that all must have that width."""
    wrong = next((len(row) for row in rows if len(row) != width), None)
    if wrong is not None:
        raise InputError(f"a row has {wrong} {what}, {width} are named")
    return np.array(rows, dtype=np.float64).reshape(len(rows), width)
