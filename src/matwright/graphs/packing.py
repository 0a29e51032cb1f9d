"""Building a packed store: parsing and graphs in several processes, constant memory, whole or absent."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, final

from matwright.errors import InputError, MatwrightError
from matwright.graphs.builder import DEFAULT_SETTINGS, Graph, build_graph
from matwright.graphs.partial import partial_folder, take_place
from matwright.graphs.ragged import MAX_ATOMS, RaggedGraphs, lay_end_to_end
from matwright.graphs.settings import GraphSettings
from matwright.graphs.store import META_FILE, STORE_SCHEMA, GraphStore, read_meta
from matwright.graphs.workers import ordered_map
from matwright.graphs.writer import Row, StoreWriter
from matwright.materials.material import Structure
from matwright.progress import Progress, silent
from matwright.serialization import hash_json, write_json

_CHUNK = 64  # crystals a worker turns into graphs at a time

Parse = Callable[[Any], Structure]
"""Row → structure; raises InputError for a bad row. A function of a module, since worker processes import it."""

Reject = Callable[[Any, str], None]
"""Called with each bad row (a `RowPlace`) and the reason, in the order of the rows; raising stops the build.

A store that is used again tells its rejected rows again, so that every run can report them."""


def store_hash(
    source_hash: str, settings: GraphSettings, target_names: Sequence[str], condition_names: Sequence[str] = ()
) -> str:
    """The content hash of a store: the same source, settings and schema give the same graphs."""
    return hash_json(
        {
            "schema": STORE_SCHEMA,
            "source": source_hash,
            "settings": settings.as_dict(),
            "targets": list(target_names),
            "conditions": list(condition_names),
        }
    )


def build_store(
    rows: Iterable[Row],
    parse: Parse,
    path: str | os.PathLike[str],
    *,
    source_hash: str,
    target_names: Sequence[str] = (),
    condition_names: Sequence[str] = (),
    settings: GraphSettings = DEFAULT_SETTINGS,
    workers: int = 1,
    on_reject: Reject | None = None,
    progress: Progress | None = None,
    total: int | None = None,
) -> GraphStore:
    """The store of a source at `path`: opened when it is there already, else built.

    The order of the rows is kept, bad rows are left out. Everything is written to a folder beside `path` that takes
    its name only when it is whole, so that a build that is killed leaves nothing that can be opened; what it leaves
    is removed by the next build.

    Args:
        rows: read once, in order, a few chunks ahead of what is written; not touched when the store is there.
        parse: turns a row into its crystal.
        path: the folder of the store; a store of another content there is replaced, anything else is not.
        source_hash: hash of the file and of the options it is read with.
        target_names: one a value of `Row.targets`.
        condition_names: one a value of `Row.conditions`.
        settings: the neighbour rule.
        workers: processes that parse and build; 1 works in this process. More need an importable main module.
        on_reject: told of each bad row; the store keeps them in `rejections` in any case.
        progress: told of each row done.
        total: number of rows, when it is known.

    Raises:
        InputError: when `path` holds something else, no row is good, or the targets do not fit their names.
    """
    folder, content_hash = Path(path), store_hash(source_hash, settings, target_names, condition_names)
    if (meta := read_meta(folder)) is not None and meta["content_hash"] == content_hash:
        return _used_again(folder, on_reject)
    if folder.exists() and meta is None and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} holds something that is not a graph store: name another folder")
    listener = progress or silent()
    listener.start("graphs", total)
    with (
        partial_folder(folder) as partial,
        closing(ordered_map(_build_chunk, _chunks(rows, parse, settings), workers)) as results,
    ):
        widths = (len(target_names), len(condition_names))
        columns = _write_columns(partial, results, widths, on_reject, listener)
        if columns["rows"]["atom_counts"] == 0:
            raise InputError(f"none of the {columns['rejected']} rows can be used")
        about = {
            "content_hash": content_hash,
            "settings": settings.as_dict(),
            "target_names": list(target_names),
            "condition_names": list(condition_names),
        }
        write_json(partial / META_FILE, {**columns, **about})  # last: without it nothing opens
        take_place(partial, folder)
    listener.finish()
    return GraphStore.open(folder)


def _used_again(folder: Path, on_reject: Reject | None) -> GraphStore:
    """The store that is there, its rejected rows told once more."""
    store = GraphStore.open(folder)
    if on_reject is not None:
        for row in store.rejections():
            on_reject(row, row.reason)
    return store


def _write_columns(
    folder: Path,
    results: Iterable[tuple[_Chunk, _Built]],
    widths: tuple[int, int],
    on_reject: Reject | None,
    progress: Progress,
) -> dict[str, Any]:
    """Write every column and return what `meta.json` says about them."""
    writer = StoreWriter(folder, *widths)
    try:
        for chunk, built in results:
            for position, reason in built.rejected:
                writer.reject(chunk.rows[position], reason)
                if on_reject is not None:
                    on_reject(chunk.rows[position], reason)
            if built.ragged is not None:
                bad = {position for position, _ in built.rejected}
                writer.append([row for at, row in enumerate(chunk.rows) if at not in bad], built.ragged)
            progress.advance(len(chunk.rows))
        return writer.finish()
    except BaseException:
        writer.abandon()
        raise


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Chunk:
    rows: list[Any]
    parse: Parse
    settings: GraphSettings


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Built:
    """Graphs of the good rows of a chunk, and (position, reason) of the others."""

    ragged: RaggedGraphs | None
    rejected: list[tuple[int, str]]


def _chunks(rows: Iterable[Row], parse: Parse, settings: GraphSettings) -> Iterator[_Chunk]:
    iterator = iter(rows)
    while batch := list(islice(iterator, _CHUNK)):
        yield _Chunk(rows=batch, parse=parse, settings=settings)


def _build_chunk(chunk: _Chunk) -> _Built:
    graphs: list[Graph] = []
    rejected: list[tuple[int, str]] = []
    for position, row in enumerate(chunk.rows):
        try:
            graph = build_graph(chunk.parse(row), chunk.settings)
            if len(graph) > MAX_ATOMS:
                raise InputError(f"a structure of a graph store has at most {MAX_ATOMS} atoms, found {len(graph)}")
            graphs.append(graph)
        except MatwrightError as error:
            rejected.append((position, str(error)))
    return _Built(ragged=lay_end_to_end(graphs) if graphs else None, rejected=rejected)
