"""Every command that takes a TOML file says in one sentence what is wrong with it, and leaves with code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from matwright.cli import main

COMMANDS = {
    "campaign run": ["campaign", "run", "{toml}"],
    "campaign status": ["campaign", "status", "{toml}"],
    "screen": ["screen", "{cif}", "--thresholds", "{toml}", "--out", "{out}"],
    "rules": ["rules", "NaCl", "--thresholds", "{toml}"],
    "dft": ["dft", "write", "{cif}", "--settings", "{toml}", "--out", "{out}"],
    "train": ["train", "{table}", "--formula", "f", "--target", "y=y:GPa", "--settings", "{toml}", "--out", "{out}"],
}


@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_toml_file_that_cannot_be_read(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, cif, out = tmp_path / "table.csv", tmp_path / "Si.cif", tmp_path / "out"
    table.write_text("f,y\nNaCl,1.0\n", encoding="utf-8")
    cif.write_text("data_Si\n", encoding="utf-8")
    broken, folder = tmp_path / "broken.toml", tmp_path / "folder.toml"
    broken.write_text("a = 1\nb = = 2\n", encoding="utf-8")
    folder.mkdir()
    for path, sentence in (
        (tmp_path / "gone.toml", "there are no settings" if command == "dft" else "gone.toml does not exist"),
        (folder, "folder.toml is a folder, not a file"),
        (broken, "broken.toml is not valid TOML (line 2: Invalid value)"),
    ):
        arguments = [word.format(toml=path, cif=cif, table=table, out=out) for word in COMMANDS[command]]
        assert main(arguments) == 2
        said = capsys.readouterr().err.strip().splitlines()
        assert len(said) == 1
        assert sentence in said[0]
        assert not out.exists()
