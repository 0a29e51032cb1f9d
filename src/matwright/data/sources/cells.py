"""Rows of CSV, Parquet and JSON tables as mappings column → cell, one at a time in constant memory."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from matwright.errors import InputError

Cells = Mapping[str, Any]

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_LARGEST_CELL = 1 << 28  # bytes; the csv module's own limit of 128 kB cuts the CIF of a large cell
_CHUNK = 1 << 16
MALFORMED = "\0malformed"
"""The only key of a row that could not be taken apart; its value says why."""


def table_format(path: Path) -> str | None:
    """The words "csv", "parquet" or "json" by a file's name (text formats also .gz, .bz2, .xz), else None."""
    name = path.name.lower()
    for ending in _OPENERS:
        name = name.removesuffix(ending)
    suffix = Path(name).suffix
    return {".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".pq": "parquet"}.get(
        suffix, "json" if suffix in (".json", ".jsonl", ".ndjson") else None
    )


def read_cells(path: Path, wanted: Sequence[str] | None = None) -> Iterator[Cells]:
    """The rows of a table; of Parquet only the `wanted` columns are read.

    Raises:
        InputError: the file is no table of its kind, or breaks off.
    """
    kind = table_format(path)
    if kind is None:
        raise InputError(
            f"{path} is no table that can be read; known are .csv, .tsv, .parquet, .json, .jsonl (and .gz)"
        )
    if kind == "parquet":
        return _parquet_rows(path, wanted)
    return _guarded(path, _csv_rows(path) if kind == "csv" else _json_rows(path))


def _guarded(path: Path, rows: Iterator[Cells]) -> Iterator[Cells]:
    """The rows, with errors of the file turned into one sentence that names it."""
    try:
        yield from rows
    except (OSError, EOFError, lzma.LZMAError, csv.Error, UnicodeError) as problem:
        raise InputError(f"{path} cannot be read: {problem}") from problem


def open_text(path: Path) -> TextIO:
    """A text file as a stream, unpacked when its name ends in .gz, .bz2 or .xz."""
    opener = _OPENERS.get(path.suffix.lower(), open)
    stream: TextIO = opener(path, "rt", encoding="utf-8-sig", errors="replace", newline="")
    return stream


def _csv_rows(path: Path) -> Iterator[Cells]:
    csv.field_size_limit(_LARGEST_CELL)
    delimiter = "\t" if ".tsv" in path.name.lower() else ","
    with open_text(path) as stream:
        line = stream.readline()
        while line.startswith("# "):  # a note of the data's origin before the header
            line = stream.readline()
        header = next(csv.reader([line], delimiter=delimiter), [])
        if not any(header):
            raise InputError(f"{path} is empty")
        if len(set(header)) != len(header):
            twice = next(name for name in header if header.count(name) > 1)
            raise InputError(f"{path} has two columns {twice!r}")
        for cells in csv.reader(stream, delimiter=delimiter):
            if len(cells) == len(header):
                yield dict(zip(header, cells, strict=True))
            elif cells:  # a line without anything is no row
                yield {MALFORMED: f"the row has {len(cells)} cells, the header {len(header)}"}


def _parquet_rows(path: Path, wanted: Sequence[str] | None) -> Iterator[Cells]:
    from pyarrow import ArrowException  # heavy: behind its door
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            names = file.schema_arrow.names
            columns = names if wanted is None else [name for name in names if name in set(wanted)]
            for batch in file.iter_batches(batch_size=256, columns=columns):
                yield from batch.to_pylist()
    except (ArrowException, OSError) as problem:
        raise InputError(f"{path} cannot be read as Parquet: {' '.join(str(problem).split())}") from problem


def column_names(path: Path, first: Cells) -> list[str]:
    """The columns of a table, given its first row."""
    if table_format(path) == "parquet":
        from pyarrow.parquet import read_schema  # heavy: behind its door

        return list(read_schema(path).names)
    if MALFORMED in first:
        raise InputError(f"{path}: {first[MALFORMED]} in the first row")
    return list(first)


def _json_rows(path: Path) -> Iterator[Cells]:
    """The objects of a JSON array or of JSON lines, decoded one at a time."""
    decoder = json.JSONDecoder()
    with open_text(path) as stream:
        text, done = "", False
        while True:
            text = text.lstrip(" \t\r\n,[]")
            try:
                row, end = decoder.raw_decode(text) if text else (None, 0)
            except json.JSONDecodeError as problem:
                if done:
                    raise InputError(f"{path} breaks off or is no array of objects: {problem.msg}") from problem
                end = 0
            if end:
                if not isinstance(row, dict):
                    raise InputError(
                        f"{path} must hold an array of objects or one object a line, found {str(row)[:40]!r}"
                    )
                if {"columns", "data"} <= set(row) or all(
                    isinstance(cell, dict) and "0" in cell for cell in row.values()
                ):
                    raise InputError(f"{path} holds columns, not rows: write it again as an array of objects")
                yield row
                text = text[end:]
                continue
            if done:
                return
            piece = stream.read(max(_CHUNK, len(text)))
            done = not piece
            text += piece
