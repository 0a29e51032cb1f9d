"""Large results as files beside the store, named by the hash of their bytes and checked by it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import final

from matwright.errors import InputError
from matwright.serialization import atomic_write_bytes, hash_file


def blob_hash(data: bytes) -> str:
    """The address of some bytes: their hex SHA-256."""
    return hashlib.sha256(data).hexdigest()


@final
class BlobFolder:
    """Files by content: written whole or not at all, the same bytes once, and never changed.

    Args:
        path: the folder; made when the first file comes. None for a store that has none.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def put(self, data: bytes) -> str:
        """Keep the bytes; their address, the hex SHA-256.

        Raises:
            InputError: the store has no folder for files.
        """
        digest = blob_hash(data)
        target = self._file(digest)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            atomic_write_bytes(target, data)
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes at an address.

        Raises:
            InputError: they are not there, or are no longer what was written.
        """
        target = self._file(digest)
        if not target.is_file():
            raise InputError(f"the file {target} of the store is missing")
        data = target.read_bytes()
        if blob_hash(data) != digest:
            raise InputError(f"the file {target} of the store is damaged: its bytes do not have the hash in its name")
        return data

    def damaged(self, digests: set[str]) -> dict[str, str]:
        """Which of these files cannot be relied on: address → "missing" or "damaged"."""
        found: dict[str, str] = {}
        for digest in sorted(digests):
            target = self._file(digest)
            if not target.is_file():
                found[digest] = "missing"
            elif hash_file(target) != digest:
                found[digest] = "damaged"
        return found

    def _file(self, digest: str) -> Path:
        if self._path is None:
            raise InputError("this store has no folder for files; open it with the folder that keeps them (blobs=…)")
        return self._path / digest[:2] / digest
