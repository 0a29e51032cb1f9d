"""An extended XYZ file: frames with their cell and values in the comment line."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, final

from matwright.data.record import RawRow, StructureKind
from matwright.data.sources.cells import open_text
from matwright.data.sources.interface import Wanted, check_columns, row_name, with_usual_id
from matwright.errors import InputError
from matwright.materials.properties import PropertySpec
from matwright.serialization import hash_file, hash_json

_LOOKED_AT = 100  # frames whose keys are known when columns are checked: not every frame must have every value


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ExtxyzSource:
    """An extended XYZ file; made by `open_extxyz`, which checks its keys."""

    path: Path
    wanted: Wanted

    @property
    def targets(self) -> tuple[PropertySpec, ...]:
        """What the values of each row are, in order."""
        return self.wanted.targets

    def cells(self) -> Iterator[Mapping[str, Any]]:
        """See `Source.cells`."""
        return map(_comment_values, _frames(self.path))

    def rows(self) -> Iterator[RawRow]:
        """The frames from the first on; see `Source.rows`."""
        for number, frame in enumerate(_frames(self.path), start=1):
            cells = _comment_values(frame)
            yield self.wanted.row(
                cells,
                name=row_name(cells, self.wanted.reading.id_column, f"frame-{number}"),
                file=str(self.path),
                number=number,
                kind=StructureKind.EXTXYZ,
                payload=frame,
            )

    def data_hash(self) -> str:
        """A hex digest of the file's bytes and of what is read from it."""
        return hash_json([hash_file(self.path), self.wanted])


def open_extxyz(path: Path, wanted: Wanted) -> ExtxyzSource:
    """An extended XYZ file.

    Raises:
        InputError: it has no frames, is cut short, or none of its first frames has a value that is wanted.
    """
    keys = frame_keys(path)
    check_columns(path, keys, wanted.named())
    return ExtxyzSource(path=path, wanted=with_usual_id(wanted, keys))


def frame_keys(path: Path) -> list[str]:
    """The keys of the first frames."""
    keys: dict[str, None] = {}
    for frame in itertools.islice(_frames(path), _LOOKED_AT):
        keys |= dict.fromkeys(_comment_values(frame))
    return list(keys)


def _frames(path: Path) -> Iterator[str]:
    with open_text(path) as stream:
        count = stream.readline()
        if not count.strip():
            raise InputError(f"{path} has no frames")
        number = 0
        while count.strip():
            number += 1
            yield _frame(path, number, count, stream)
            count = stream.readline()


def _frame(path: Path, number: int, count: str, stream: TextIO) -> str:
    if not count.strip().isdigit():
        raise InputError(f"{path}: frame {number} must start with its number of atoms, found {count.strip()[:40]!r}")
    lines = list(itertools.islice(stream, int(count) + 1))
    if len(lines) < int(count) + 1:
        raise InputError(f"{path} breaks off within frame {number}")
    return count + "".join(lines)


def _comment_values(frame: str) -> dict[str, Any]:
    from ase.io.extxyz import key_val_str_to_dict  # heavy: behind its door

    try:
        return dict(key_val_str_to_dict(frame.split("\n", 2)[1]))  # type: ignore[no-untyped-call]  # of ASE
    except (ValueError, IndexError, KeyError):
        return {}  # the frame's own parsing says what is wrong with it
