"""The journal keeps whole lines through kills and full disks."""

from __future__ import annotations

from pathlib import Path

import pytest

from matwright.api.design.journal import Journal


def test_entries_come_back_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.jsonl")
    for number in range(3):
        journal.append({"n": number, "x": 0.1 * number})
    assert Journal(tmp_path / "j.jsonl").entries == [{"n": n, "x": 0.1 * n} for n in range(3)]


@pytest.mark.parametrize("torn", ['{"n": 2, "x"', '{"n": 2}', "{"])
def test_a_line_that_was_cut_off_is_removed_and_appending_goes_on(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "j.jsonl"
    Journal(path).append({"n": 1})
    with path.open("a") as file:
        file.write(torn)
    again = Journal(path)
    assert again.entries == [{"n": 1}]
    again.append({"n": 3})
    assert Journal(path).entries == [{"n": 1}, {"n": 3}]


def test_a_missing_file_is_an_empty_journal(tmp_path: Path) -> None:
    assert Journal(tmp_path / "none.jsonl").entries == []
