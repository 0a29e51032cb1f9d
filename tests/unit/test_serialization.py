from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matwright.errors import InputError
from matwright.serialization import (
    atomic_write_bytes,
    atomic_write_text,
    atomic_writer,
    hash_file,
    hash_json,
    parse_toml,
    read_json,
    read_toml,
    to_plain,
    write_json,
)

plain = st.recursive(
    # denormals are flushed to zero in every process that computes, so none is drawn
    st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9, allow_subnormal=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Settings:
    colour: Colour
    sizes: tuple[int, ...]
    elements: frozenset[int]
    limit: float


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    atomic_write_text(path, "old")
    with pytest.raises(TypeError), atomic_writer(path) as file:
        file.write("text, not bytes")  # type: ignore[arg-type]
    assert path.read_text(encoding="utf-8") == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_bytes_are_written_whole(tmp_path: Path) -> None:
    data = bytes(range(256)) * 9000  # longer than one chunk of hash_file
    atomic_write_bytes(tmp_path / "b", data)
    assert (tmp_path / "b").read_bytes() == data
    assert hash_file(tmp_path / "b") == hashlib.sha256(data).hexdigest()


@given(plain)
def test_plain_values_come_back_from_json(value: object) -> None:
    assert json.loads(json.dumps(to_plain(value))) == value


def test_typed_values_become_plain() -> None:
    settings = Settings(colour=Colour.RED, sizes=(1, 2), elements=frozenset({8, 3}), limit=float("inf"))
    assert to_plain(settings) == {"colour": "red", "sizes": [1, 2], "elements": [3, 8], "limit": None}
    assert to_plain({3: np.float32(0.5), "x": np.arange(3), "p": Path("a/b")}) == {"3": 0.5, "x": [0, 1, 2], "p": "a/b"}
    with pytest.raises(TypeError, match="no JSON form"):
        to_plain(object())


def test_the_hash_of_an_object_ignores_the_order_of_keys() -> None:
    assert hash_json({"a": 1, "b": [2]}) == hash_json({"b": [2], "a": 1})
    assert hash_json({"a": 1}) != hash_json({"a": 2})


def test_json_files_round_trip_and_faults_are_named(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"α": 1})
    assert read_json(tmp_path / "a.json") == {"α": 1}
    with pytest.raises(InputError, match="does not exist"):
        read_json(tmp_path / "b.json")
    (tmp_path / "c.json").write_text('{"a": 1,\n}', encoding="utf-8")
    with pytest.raises(InputError, match=r"not valid JSON \(line \d"):
        read_json(tmp_path / "c.json")
    (tmp_path / "d.json").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(InputError, match="cannot be read"):
        read_json(tmp_path / "d.json")


def test_toml_files_are_read_and_faults_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('[table]\nname = "Å"\n', encoding="utf-8")
    assert read_toml(path) == {"table": {"name": "Å"}}
    with pytest.raises(InputError, match=r"b\.toml does not exist$"):
        read_toml(tmp_path / "b.toml")
    with pytest.raises(InputError, match=r"is a folder, not a file$"):
        read_toml(tmp_path)
    path.write_bytes(b"a = '\xff'")
    with pytest.raises(InputError, match=r"no UTF-8 text \(byte 5\)$"):
        read_toml(path)


@pytest.mark.parametrize(
    ("text", "line"),
    [("a = 1\nb = = 2\n", 2), ("a = 1\n\nb = [", 3), ("a = 1\na = 2\n", 2), ("[a]\nb = 1\n[a]\n", 3), ("a", 1)],
)
def test_a_fault_in_toml_names_its_line(text: str, line: int) -> None:
    with pytest.raises(InputError, match=rf"^mine\.toml is not valid TOML \(line {line}\b.*\)$"):
        parse_toml(text, "mine.toml")


def test_a_folder_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is a folder, not a file$"):
        read_json(tmp_path)
