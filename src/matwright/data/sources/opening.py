"""Open whatever the user points at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from matwright.data.sources.asedb import entry_keys, open_asedb
from matwright.data.sources.bundle import is_archive
from matwright.data.sources.cells import column_names, read_cells, table_format
from matwright.data.sources.extxyz import frame_keys, open_extxyz
from matwright.data.sources.folder import open_folder, table_columns
from matwright.data.sources.interface import Source, Wanted
from matwright.data.sources.reading import Reading
from matwright.data.sources.table import open_table
from matwright.errors import InputError
from matwright.materials.conditions import ConditionSchema
from matwright.materials.properties import PropertySpec

__all__ = ["Source", "existing_columns", "open_source"]


def open_source(
    path: Path | str,
    *,
    structure: str | None = None,
    targets: Sequence[PropertySpec] = (),
    columns: Mapping[str, str] | None = None,
    logarithms: Iterable[str] = (),
    id_column: str | None = None,
    split_column: str | None = None,
    group_column: str | None = None,
    reading: Reading | None = None,
    schema: ConditionSchema | None = None,
    structures: Path | None = None,
) -> Source:
    """The source at `path`, its columns checked; nothing but its first rows is read.

    Args:
        path: a table (.csv, .tsv, .parquet, .xlsx, .json, .jsonl; text formats also .gz, .bz2, .xz), a folder or ZIP
            archive of structure files, an .extxyz file or an ASE .db file.
        structure: the column with CIF or POSCAR text or paths; None looks for a usual name.
        targets: the properties wanted; a row's value is missing where its cell is empty.
        columns: property name → column, where a property stands under another name.
        logarithms: names of targets in "log10(…)" whose column holds the value itself.
        id_column: names the materials; None looks for a usual name, else rows are numbered.
        split_column: names each row's part of the split.
        group_column: names what keeps rows together in a split.
        reading: everything else that is read of a row; `structure` and `id_column` are set in it.
        schema: the conditions that `reading` names columns for.
        structures: folder or ZIP archive of the structures that the structure column names.

    Raises:
        InputError: there is nothing at `path`, it is empty or of an unknown kind, or lacks a column; the message
            names the columns there are and the nearest one.
    """
    path = Path(path)
    names = [spec.name for spec in targets]
    if len(set(names)) != len(names):
        raise InputError(f"a target is named twice: {', '.join(names)}")
    base = reading or Reading()
    wanted = Wanted(
        targets=tuple(targets),
        columns=dict(columns or {}),
        logarithms=frozenset(logarithms),
        reading=replace(base, structure=structure or base.structure, id_column=id_column or base.id_column),
        schema=schema,
        split_column=split_column,
        group_column=group_column,
    )
    return _open(path, wanted, structures)


def existing_columns(path: Path) -> list[str]:
    """The columns of a table, of the tables in a folder or archive, or the keys of the first rows of another file.

    Raises:
        InputError: there is nothing at `path`, or it cannot be read.
    """
    if not path.exists():
        raise InputError(f"there is no file or folder {str(path)!r}")
    if path.is_dir() or is_archive(path):
        return table_columns(path)
    if path.suffix.lower() == ".db":
        return entry_keys(path)
    if is_frames(path):
        return frame_keys(path)
    if table_format(path) is None:
        return []
    first = next(read_cells(path), None)
    if first is None:
        raise InputError(f"{path} has no rows")
    return column_names(path, first)


def is_frames(path: Path) -> bool:
    """Whether a file is (extended) XYZ, by its name."""
    return path.name.lower().removesuffix(".gz").endswith((".extxyz", ".xyz"))


def _open(path: Path, wanted: Wanted, structures: Path | None) -> Source:
    if structures is not None and not structures.exists():
        raise InputError(f"there is no file or folder {str(structures)!r}")
    if path.is_dir():
        return open_folder(path, wanted)
    if not path.is_file():
        raise InputError(f"there is no file or folder {str(path)!r}")
    if is_archive(path):
        return open_folder(path, wanted)
    if path.suffix.lower() == ".db":
        return open_asedb(path, wanted)
    if is_frames(path):
        return open_extxyz(path, wanted)
    if table_format(path) is not None:
        return open_table(path, wanted, structures)
    raise InputError(
        f"{path} is of an unknown kind; known are .csv, .tsv, .parquet, .xlsx, .json, .jsonl, .extxyz, .db, .zip and "
        "folders"
    )
