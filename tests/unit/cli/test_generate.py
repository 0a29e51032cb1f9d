"""`matwright generate` at the command line: exit codes and sentences."""

from __future__ import annotations

from pathlib import Path

import pytest

from matwright.cli import main


def test_generate_writes_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    code = main(["generate", "mp-generator", "-n", "4", "--formula", "NaCl", "--out", str(out), "--quiet"])
    assert code == 0
    assert "4 crystals" in capsys.readouterr().out
    assert len(list((out / "cifs").glob("*.cif"))) == 4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["mp-generator", "--elements", "Li,Xq"], "there is no element 'Xq'"),
        (["mp-generator", "--formula", "LiFe2P0"], "amount zero"),
        (["mp-generator", "--space-group", "231"], "space groups are numbered 1..230"),
        (["mp-generator", "--require", "O", "--exclude", "O"], "O is required and excluded"),
        (["mp-generator", "--min-atoms", "9", "--max-atoms", "3"], "--min-atoms 9 is above --max-atoms 3"),
        (["no-such"], "there is no generator 'no-such'"),
    ],
)
def test_wrong_input_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    out = tmp_path / "out"
    assert main(["generate", *arguments, "--out", str(out)]) == 2
    message = capsys.readouterr().err.strip()
    assert sentence in message
    assert "\n" not in message
    assert not out.exists()
