"""Rows of CSV, Parquet and JSON tables as mappings column → cell, one at a time in constant memory."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from matwright.data.sources.bundle import TablePath
from matwright.errors import InputError

Cells = Mapping[str, Any]

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_LARGEST_CELL = 1 << 28  # bytes; the csv module's own limit of 128 kB cuts the CIF of a large cell
_CHUNK = 1 << 16
MALFORMED = "\0malformed"
"""The only key of a row that could not be taken apart; its value says why."""

_PARTS = frozenset({"train", "val", "valid", "validation", "test"})


_FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xlsx": "excel",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}


def table_format(path: TablePath) -> str | None:
    """The words "csv", "parquet", "excel" or "json" by a file's name (text formats also .gz, .bz2, .xz), else None."""
    name = path.name.lower()
    for ending in _OPENERS:
        name = name.removesuffix(ending)
    return _FORMATS.get(Path(name).suffix)


def read_cells(path: TablePath, wanted: Sequence[str] | None = None) -> Iterator[Cells]:
    """The rows of a table; of Parquet only the `wanted` columns are read.

    Raises:
        InputError: the file is no table of its kind, or breaks off.
    """
    kind = table_format(path)
    if kind is None:
        raise InputError(
            f"{path} is no table that can be read; known are .csv, .tsv, .parquet, .xlsx, .json, .jsonl (and .gz)"
        )
    if kind in ("parquet", "excel"):
        if not isinstance(path, Path):
            raise InputError(f"{path}: a table inside an archive must be .csv or .json; unpack the archive")
        return _parquet_rows(path, wanted) if kind == "parquet" else _excel_rows(path)
    return _guarded(path, _csv_rows(path) if kind == "csv" else _json_rows(path))


def _guarded(path: TablePath, rows: Iterator[Cells]) -> Iterator[Cells]:
    """The rows, with errors of the file turned into one sentence that names it."""
    try:
        yield from rows
    except (OSError, EOFError, lzma.LZMAError, csv.Error, UnicodeError) as problem:
        raise InputError(f"{path} cannot be read: {problem}") from problem


def open_text(path: TablePath) -> TextIO:
    """A text file as a stream, unpacked when its name ends in .gz, .bz2 or .xz."""
    if not isinstance(path, Path):
        inside: TextIO = path.open("r", encoding="utf-8-sig", errors="replace", newline="")
        return inside
    opener = _OPENERS.get(path.suffix.lower(), open)
    stream: TextIO = opener(path, "rt", encoding="utf-8-sig", errors="replace", newline="")
    return stream


def _csv_rows(path: TablePath) -> Iterator[Cells]:
    csv.field_size_limit(_LARGEST_CELL)
    with open_text(path) as stream:
        line = stream.readline()
        while line.startswith("# "):  # a note of the data's origin before the header
            line = stream.readline()
        if "\0" in line:
            raise InputError(f"{path} is no text in UTF-8 (spreadsheets call UTF-16 'Unicode text'); save it as UTF-8")
        delimiter = _delimiter(path, line)
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


def _delimiter(path: TablePath, header: str) -> str:
    """What divides the cells: tabs in .tsv, else commas; semicolons or tabs where the header has these and no comma."""
    if ".tsv" in path.name.lower():
        return "\t"
    outside = "".join(header.split('"')[::2])  # what stands in quotes belongs to a name
    return next((mark for mark in (",", ";", "\t") if mark in outside), ",")


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


def _excel_rows(path: Path) -> Iterator[Cells]:
    """The rows of the first sheet; its first row names the columns."""
    try:
        import openpyxl  # heavy, and an extra: behind its door
    except ImportError as problem:
        raise InputError(f"{path}: Excel tables need openpyxl; install matwright[excel]") from problem
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as problem:
        raise InputError(f"{path} cannot be read as an Excel table: {problem}") from problem
    try:
        rows = book.worksheets[0].iter_rows(values_only=True)
        header = ["" if name is None else str(name) for name in next(rows, ())]
        named = [(place, name) for place, name in enumerate(header) if name]
        if len({name for _, name in named}) != len(named):
            raise InputError(f"{path} has two columns of the same name")
        for cells in rows:
            if any(cell is not None for cell in cells):
                yield {name: cells[place] for place, name in named}
    finally:
        book.close()


def column_names(path: TablePath, first: Cells) -> list[str]:
    """The columns of a table, given its first row."""
    if table_format(path) == "parquet":
        from pyarrow.parquet import read_schema  # heavy: behind its door

        return list(read_schema(path).names)
    if MALFORMED in first:
        raise InputError(f"{path}: {first[MALFORMED]} in the first row")
    return list(first)


def _turned(path: TablePath, row: dict[str, Any]) -> Iterator[Cells]:
    """The rows of an object that holds a whole table, else the object itself.

    A whole table is what pandas writes, or the values of each part of a split by the name of the material, as JARVIS
    gives them; the columns are then "id", "value" and "split".
    """
    if {"columns", "data"} <= set(row):
        names, data = row["columns"], row["data"]
        if not isinstance(data, list) or any(len(cells) != len(names) for cells in data):
            raise InputError(f"{path}: every entry of 'data' needs a value for each of its {len(names)} columns")
        yield from (dict(zip(names, cells, strict=True)) for cells in data)
        return
    columns = list(row.values())
    if columns and all(isinstance(cell, dict) and "0" in cell for cell in columns):
        if any(cell.keys() != columns[0].keys() for cell in columns):
            raise InputError(f"{path} holds columns with different rows")
        yield from ({name: cell[key] for name, cell in row.items()} for key in columns[0])
        return
    if row and row.keys() <= _PARTS and all(isinstance(cell, dict) for cell in columns):
        of_parts = ((part, name, value) for part, cell in row.items() for name, value in cell.items())
        yield from ({"id": name, "value": value, "split": part} for part, name, value in of_parts)
        return
    yield row


def _json_rows(path: TablePath) -> Iterator[Cells]:
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
                yield from _turned(path, row)
                text = text[end:]
                continue
            if done:
                return
            piece = stream.read(max(_CHUNK, len(text)))
            done = not piece
            text += piece
