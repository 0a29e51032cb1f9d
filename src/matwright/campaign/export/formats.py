"""The formats in which a store's records are written, and the one function that does it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import IO, final

from matwright.campaign.export.columns import Columns
from matwright.campaign.export.optimade import write_optimade
from matwright.campaign.export.structures import OnSkip, write_ase, write_extxyz
from matwright.campaign.export.tables import write_csv, write_parquet
from matwright.campaign.store.records import Record
from matwright.campaign.store.store import Store
from matwright.errors import InputError
from matwright.progress import Progress, silent
from matwright.serialization import atomic_writer


@final
class Format(Enum):
    """What others read."""

    CSV = "csv"
    PARQUET = "parquet"
    EXTXYZ = "extxyz"
    ASE = "ase"
    OPTIMADE = "optimade"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export did: records written, and (key, reason) of each that the format cannot hold."""

    written: int
    skipped: tuple[tuple[str, str], ...]


Writer = Callable[[IO[bytes], Iterable[Record], Columns, OnSkip], int]

_WRITERS: Mapping[Format, Writer] = MappingProxyType(
    {
        Format.CSV: lambda file, records, columns, _: write_csv(file, records, columns),
        Format.PARQUET: lambda file, records, columns, _: write_parquet(file, records, columns),
        Format.EXTXYZ: lambda file, records, _, on_skip: write_extxyz(file, records, on_skip),
        Format.OPTIMADE: lambda file, records, columns, _: write_optimade(file, records, columns),
    }
)
"""Formats that are written to an open file; an ASE database needs a path of its own."""


def export(
    store: Store, kind: Format, out: Path, *, campaign: str | None = None, progress: Progress | None = None
) -> Exported:
    """Write every record of a store, or of one campaign's candidates, to a new file: whole or not at all.

    Raises:
        InputError: the file is there already, its folder is not, or there is no such campaign.
    """
    if out.exists():
        raise InputError(f"{out} is there already and was not overwritten; give another name")
    if not out.parent.is_dir():
        raise InputError(f"the folder {out.parent} does not exist; make it first")
    inside = None if campaign is None else store.campaign_id(campaign)
    listener = progress if progress is not None else silent()
    skipped: list[tuple[str, str]] = []
    listener.start(f"writing {kind.value}", store.records.count() if inside is None else None)
    records = _counted(store.records.iterate(campaign=inside), listener)

    def skip(record: Record, reason: str) -> None:
        skipped.append((record.key, reason))

    if kind is Format.ASE:
        written = _ase(out, records, skip)
    else:
        columns = Columns.of(store.records.evaluators())
        with atomic_writer(out) as file:
            written = _WRITERS[kind](file, records, columns, skip)
    listener.finish()
    return Exported(written=written, skipped=tuple(skipped))


def _ase(out: Path, records: Iterable[Record], skip: OnSkip) -> int:
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        written = write_ase(temporary, records, skip)
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
    return written


def _counted(records: Iterator[Record], listener: Progress) -> Iterator[Record]:
    for record in records:
        yield record
        listener.advance()
