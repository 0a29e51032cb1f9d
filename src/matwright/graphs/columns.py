"""Columns of a packed store: rows of one kind laid end to end, read in slices from memory or from a file."""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from matwright.errors import InputError

Spans = tuple[NDArray[np.int64], NDArray[np.int64]]
"""(starts, counts), each (n_crystals,): which rows of a column belong to each crystal."""


class Column(Protocol):
    """Rows that can be read by the spans they lie in."""

    def read(self, spans: Spans) -> NDArray[Any]:
        """The rows of these spans, one span after the other, in a new array."""
        ...


@final
class ArrayColumn:
    """A column in memory, or mapped from the .npy file `path` where it is small enough to stay resident."""

    def __init__(self, rows: NDArray[Any], path: Path | None = None) -> None:
        self._rows, self._path = rows, path

    @classmethod
    def mapped(cls, path: Path) -> ArrayColumn:
        """The column of a .npy file."""
        return cls(mapped(path), path)

    def __reduce__(self) -> tuple[Any, ...]:
        return (ArrayColumn, (self._rows,)) if self._path is None else (ArrayColumn.mapped, (self._path,))

    def read(self, spans: Spans) -> NDArray[Any]:
        """The rows of these spans, one span after the other, in a new array."""
        starts, counts = spans
        rows = self._rows if self._rows.dtype.names is None else self._rows.view(f"V{self._rows.dtype.itemsize}")
        # bytes are joined: numpy compares the fields of every piece of a structured array
        spans_of_rows = zip(starts.tolist(), counts.tolist(), strict=True)
        pieces = [rows[start : start + count] for start, count in spans_of_rows if count]
        return (np.concatenate(pieces) if pieces else rows[:0].copy()).view(self._rows.dtype)


@final
class FileColumn:
    """A column read from a .npy file by position.

    Mapped pages count as resident memory once they are touched, so that training over a mapped column would grow to
    the size of the data set; positional reads leave only the operating system's cache, which it can drop at will.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._shape, self._dtype, self._offset = _header(path)
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        weakref.finalize(self, os.close, self._file)

    def __reduce__(self) -> tuple[Any, ...]:
        return FileColumn, (self._path,)

    def read(self, spans: Spans) -> NDArray[Any]:
        """The rows of these spans, one span after the other, in a new array.

        Raises:
            InputError: when the file has become shorter than it was.
        """
        starts, counts = _merged(spans)
        rows = np.empty((int(counts.sum()), *self._shape[1:]), self._dtype)
        width = self._dtype.itemsize * int(np.prod(self._shape[1:], dtype=np.int64))
        target, at = rows.reshape(-1).view(np.uint8).data, 0
        for start, size in zip((self._offset + starts * width).tolist(), (counts * width).tolist(), strict=True):
            if size and os.preadv(self._file, [target[at : at + size]], start) != size:
                raise InputError(f"{self._path} ends too early: remove the graph store and build it again")
            at += size
        return rows


def mapped(path: Path) -> NDArray[Any]:
    """The array of a .npy file, mapped and read-only."""
    with path.open("rb") as file:
        empty = 0 in _read_header(file)[0]
    array: NDArray[Any] = np.load(path, mmap_mode=None if empty else "r", allow_pickle=False)  # no map of no bytes
    return array.view(np.ndarray)  # slices of a np.memmap cost ten times as much


def column_length(path: Path) -> int:
    """The number of rows of a .npy file that is whole; -1 when it is missing or its size does not fit its header."""
    if not path.is_file():
        return -1
    shape, dtype, offset = _header(path)
    size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
    return shape[0] if path.stat().st_size == offset + size else -1


@final
class ColumnWriter:
    """Appends rows to a .npy file whose length is known only at the end."""

    def __init__(self, path: Path, dtype: DTypeLike, row_shape: tuple[int, ...] = ()) -> None:
        self._dtype, self._row_shape, self._length = np.dtype(dtype), row_shape, 0
        self._file = path.open("xb")
        self._write_header()
        self._start = self._file.tell()

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows, (n, *row_shape)."""
        self._file.write(np.ascontiguousarray(rows, dtype=self._dtype).tobytes())
        self._length += len(rows)

    def close(self, *, keep: bool) -> int:
        """Close the file; with `keep` its header first gets the true length and its bytes reach the disk.

        Returns:
            The number of rows.
        """
        try:
            if keep:
                self._file.seek(0)
                self._write_header()
                if self._file.tell() != self._start:  # numpy leaves room for the length to grow
                    raise AssertionError("the header of a .npy file changed its size")
                self._file.flush()
                os.fsync(self._file.fileno())
        finally:
            self._file.close()
        return self._length

    def _write_header(self) -> None:
        description = np.lib.format.dtype_to_descr(self._dtype)
        shape = (self._length, *self._row_shape)
        np.lib.format.write_array_header_1_0(self._file, {"descr": description, "fortran_order": False, "shape": shape})


def _merged(spans: Spans) -> Spans:
    """The same rows in fewer spans: those that follow each other in the column are joined."""
    starts, counts = spans
    new = np.ones(len(starts), dtype=bool)
    new[1:] = starts[1:] != starts[:-1] + counts[:-1]
    if new.all():
        return spans
    first = np.flatnonzero(new)
    return starts[first], np.add.reduceat(counts, first)


def _header(path: Path) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    with path.open("rb") as file:
        shape, dtype = _read_header(file)
        return shape, dtype, file.tell()


def _read_header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    if np.lib.format.read_magic(file) != (1, 0):
        raise InputError(f"{file.name} is not a column of a graph store")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if fortran or dtype.hasobject:
        raise InputError(f"{file.name} is not a column of a graph store")
    return shape, dtype
