"""Files that are whole or absent, JSON with plain values, TOML, and hashes of content."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import re
import secrets
import tomllib
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import IO, Any

import numpy as np

from matwright.errors import InputError

_CHUNK = 1 << 20  # bytes read at a time, so that hashing a large file needs no memory


@contextmanager
def atomic_writer(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Yield a binary file that takes the place of `path` when the block ends well, and vanishes when it fails.

    A reader, or a restart after a kill, sees the old file or the new one, never a part. The folder must exist.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def atomic_write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path` so that the file is never seen in part."""
    with atomic_writer(path) as file:
        file.write(data)


def atomic_write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8 to `path` so that the file is never seen in part."""
    atomic_write_bytes(path, text.encode("utf-8"))


def write_json(path: str | os.PathLike[str], obj: object) -> None:
    """Write `obj` (see `to_plain`) as indented JSON to `path`, atomically."""
    atomic_write_text(path, json.dumps(to_plain(obj), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Return what the JSON file holds.

    Raises:
        InputError: the file is missing, a folder, not readable, or not JSON.
    """
    text = _text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is not valid JSON (line {error.lineno}: {error.msg})") from error


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the tables of the TOML file.

    Raises:
        InputError: the file is missing, a folder, not readable, or not TOML.
    """
    return parse_toml(_text(path), path)


def parse_toml(text: str, name: object) -> dict[str, Any]:
    """Return the tables that `text` states; `name` says in errors where it comes from.

    Raises:
        InputError: the text is not TOML; the message names the line.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, _, place = str(error).removesuffix(")").rpartition(" (at ")
        line = re.search(r"line \d+", place)
        where = line[0] if line else f"line {text.count(chr(10)) + 1}, {place.removeprefix('the ')}"
        raise InputError(f"{name} is not valid TOML ({where}: {what})") from error


def _text(path: str | os.PathLike[str]) -> str:
    """The file as UTF-8, or one sentence that says why not."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, not a file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} cannot be read: it is no UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def hash_file(path: str | os.PathLike[str]) -> str:
    """Return the hex SHA-256 of the file's bytes, read in constant memory."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def hash_json(obj: object) -> str:
    """Return a hex SHA-256 of `obj` (see `to_plain`) that does not depend on the order of keys."""
    text = json.dumps(to_plain(obj), sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def to_plain(obj: object) -> Any:
    """Return `obj` in the words of JSON: dict with text keys, list, text, number, true/false, null.

    Dataclasses become dicts, enums their values, paths text, sets sorted lists, NumPy scalars and arrays numbers and
    lists; NaN and infinities, for which JSON has no word, become null.

    Raises:
        TypeError: a value of another kind.
    """
    if obj is None or (isinstance(obj, bool | str) and not isinstance(obj, Enum)):
        return obj
    for kinds, convert in _CONVERSIONS:
        if isinstance(obj, kinds):
            return convert(obj)
    if dataclasses.is_dataclass(obj) and not isinstance(obj, type):
        return {field.name: to_plain(getattr(obj, field.name)) for field in dataclasses.fields(obj)}
    raise TypeError(f"{type(obj).__name__} has no JSON form")


def _plain_key(key: object) -> str:
    plain = to_plain(key)
    return plain if isinstance(plain, str) else json.dumps(plain)


_CONVERSIONS: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    (Enum, lambda value: to_plain(value.value)),
    (np.ndarray, lambda value: to_plain(value.tolist())),
    (np.generic, lambda value: to_plain(value.item())),
    (int, int),
    (float, lambda value: float(value) if math.isfinite(value) else None),
    (os.PathLike, os.fspath),
    (Mapping, lambda value: {_plain_key(key): to_plain(item) for key, item in value.items()}),
    (AbstractSet, lambda value: sorted(map(to_plain, value))),
    ((list, tuple), lambda value: [to_plain(item) for item in value]),
)
