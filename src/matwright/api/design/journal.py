"""A file of JSON lines that is only ever appended to and survives a kill at any moment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final


@final
class Journal:
    """Append-only JSON lines; they reach the disk before `append` or `append_all` returns.

    A line that was cut off by a kill or a full disk is removed when the journal is opened again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries = _read_whole_lines(path)

    @property
    def entries(self) -> list[dict[str, Any]]:
        """What has been written so far, oldest first."""
        return list(self._entries)

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write one line; errors as in `append_all`."""
        self.append_all([entry])

    def append_all(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Write some lines at once.

        Raises:
            OSError: the disk is full or the file cannot be written; what was there before stays readable.
        """
        lines = [json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n" for entry in entries]
        with self._path.open("ab") as file:
            file.write("".join(lines).encode())
            file.flush()
            os.fsync(file.fileno())
        self._entries.extend(dict(entry) for entry in entries)


def _read_whole_lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        with path.open("rb+") as file:
            file.truncate(len(whole))
    return [json.loads(line) for line in whole.splitlines()]
