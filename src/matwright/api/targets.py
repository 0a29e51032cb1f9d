"""What is to be learned, from the words of the user and the table: numbers with units, and classes with their names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from matwright.data.sources import Source, open_source
from matwright.data.sources.cells import read_cells, table_format
from matwright.errors import InputError
from matwright.materials.properties import PropertySpec, parse_target_column

CLASS = "class"
MAX_CLASSES = 50
MISSING = frozenset({"", "nan", "na", "n/a", "none", "null", "-"})


def open_with_targets(
    path: Path,
    targets: Sequence[str],
    *,
    structure: str | None = None,
    id_column: str | None = None,
    split_column: str | None = None,
) -> Source:
    """Open a source with the targets "name:unit" or "name:class"; for a class the column is read for its names.

    Raises:
        InputError: a target, column or file is not as it should be (the message says which).
    """
    numeric = [parse_target_column(text) for text in targets if not _is_class(text)]
    opened = partial(open_source, path, structure=structure, id_column=id_column, split_column=split_column)
    opened(targets=numeric)  # says which column is missing before a whole column is read for its classes
    classes = {name: _classes(path, name) for name in (_name(text) for text in targets if _is_class(text))}
    specs = [
        PropertySpec(name=_name(text), unit="1", classes=classes[_name(text)])
        if _is_class(text)
        else parse_target_column(text)
        for text in targets
    ]
    return opened(targets=specs)


def _is_class(text: str) -> bool:
    return text.rpartition(":")[2].strip() == CLASS


def _name(text: str) -> str:
    return text.rpartition(":")[0].strip()


def _classes(path: Path, column: str) -> tuple[str, ...]:
    """Return the sorted names of the classes in a column of a table."""
    if not path.is_file() or table_format(path) is None:
        raise InputError(f"classes are learned from a table; {path} is none")
    seen: set[str] = set()
    for number, cells in enumerate(read_cells(path)):
        if number == 0 and column not in cells:
            raise InputError(f"{path} has no column {column!r}; it has: {', '.join(map(str, cells))}")
        text = "" if cells.get(column) is None else str(cells[column]).strip()
        if text.lower() not in MISSING:
            seen.add(text)
        if len(seen) > MAX_CLASSES:
            raise InputError(f"column {column!r} has more than {MAX_CLASSES} different values; is it a number?")
    if len(seen) < 2:
        raise InputError(f"column {column!r} has {len(seen)} different values; classes need at least 2")
    return tuple(sorted(seen))
