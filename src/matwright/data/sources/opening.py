"""Open whatever the user points at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matwright.data.sources.asedb import open_asedb
from matwright.data.sources.cells import table_format
from matwright.data.sources.extxyz import open_extxyz
from matwright.data.sources.folder import open_folder
from matwright.data.sources.interface import Source, Wanted
from matwright.data.sources.table import open_table
from matwright.errors import InputError
from matwright.materials.properties import PropertySpec

__all__ = ["Source", "open_source"]


def open_source(
    path: Path | str,
    *,
    structure: str | None = None,
    targets: Sequence[PropertySpec] = (),
    columns: Mapping[str, str] | None = None,
    id_column: str | None = None,
    split_column: str | None = None,
) -> Source:
    """The source at `path`, its columns checked; nothing but its first rows is read.

    Args:
        path: a table (.csv, .tsv, .parquet, .json, .jsonl; text formats also .gz, .bz2, .xz), a folder of structure
            files, an .extxyz file or an ASE .db file.
        structure: the column with CIF or POSCAR text or paths; None looks for a usual name.
        targets: the properties wanted; a row's value is missing where its cell is empty.
        columns: property name → column, where a property stands under another name.
        id_column: names the materials; None looks for a usual name, else rows are numbered.
        split_column: names each row's part of the split.

    Raises:
        InputError: there is nothing at `path`, it is empty or of an unknown kind, or lacks a column; the message
            names the columns there are and the nearest one.
    """
    path = Path(path)
    names = [spec.name for spec in targets]
    if len(set(names)) != len(names):
        raise InputError(f"a target is named twice: {', '.join(names)}")
    wanted = Wanted(
        targets=tuple(targets),
        columns=dict(columns or {}),
        structure=structure,
        id_column=id_column,
        split_column=split_column,
    )
    if path.is_dir():
        return open_folder(path, wanted)
    if not path.is_file():
        raise InputError(f"there is no file or folder {str(path)!r}")
    if path.suffix.lower() == ".db":
        return open_asedb(path, wanted)
    if path.name.lower().removesuffix(".gz").endswith((".extxyz", ".xyz")):
        return open_extxyz(path, wanted)
    if table_format(path) is not None:
        return open_table(path, wanted)
    raise InputError(
        f"{path} is of an unknown kind; known are .csv, .tsv, .parquet, .json, .jsonl, .extxyz, .db and folders"
    )
