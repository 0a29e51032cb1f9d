"""Records as CSV and Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO

from matwright.campaign.export.columns import DESCRIBED, Columns
from matwright.campaign.store.records import Record

_ROWS = 10_000  # in one group of a Parquet file


def write_csv(file: IO[bytes], records: Iterable[Record], columns: Columns) -> int:
    """Write UTF-8 CSV with a heading; an empty cell is a value that is not there. How many records."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns.headings)
    count = 0
    for record in records:
        writer.writerow(["" if cell is None else cell for cell in columns.row(record)])
        count += 1
    text.flush()
    text.detach()
    return count


def write_parquet(file: IO[bytes], records: Iterable[Record], columns: Columns) -> int:
    """Write Parquet, group after group in constant memory. How many records."""
    import pyarrow as pa  # heavy: behind its door
    from pyarrow import parquet

    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    described = [pa.field(name, kinds[kind]) for name, kind in DESCRIBED]
    numbers = [pa.field(name, pa.float64()) for name in columns.headings[len(DESCRIBED) :]]
    schema = pa.schema([*described, *numbers])
    count = 0
    with parquet.ParquetWriter(file, schema) as writer:
        for group in _groups(records):
            cells = zip(*[columns.row(record) for record in group], strict=True)
            arrays = [pa.array(list(column), field.type) for column, field in zip(cells, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += len(group)
    return count


def _groups(records: Iterable[Record]) -> Iterator[list[Record]]:
    source = iter(records)
    while group := list(islice(source, _ROWS)):
        yield group
