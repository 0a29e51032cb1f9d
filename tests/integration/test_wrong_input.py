"""Wrong input: one clear sentence on standard error, exit code 2, no traceback, and nothing overwritten."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from matwright.cli import main
from matwright.materials.crystal import Crystal
from matwright.materials.interop import to_cif

DESIGN = ["design", "--budget", "1", "--pool", "5", "--quiet"]
ROCK_SALT = Crystal(
    lattice=5.64 * np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]),
    frac_coords=np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]),
    numbers=np.array([11, 17]),
)
BROKEN_CIF = to_cif(ROCK_SALT).replace("0.5000000000", "nan")
OVERLAPPING_CIF = to_cif(ROCK_SALT).replace("0.5000000000", "0.01")


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command line, check the manner of its refusal, and return the sentence."""
    code = main(arguments)
    said = capsys.readouterr().err.strip()
    assert code == 2, said
    assert "Traceback" not in said
    assert said.count("\n") == 0, said
    assert said.startswith("matwright: ")
    return said


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def table(path: Path, *, column: str = "band_gap") -> Path:
    path.write_text(f'cif,{column}\n"{to_cif(ROCK_SALT)}",5.0\n')
    return path


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ([], "--target"),
        (["--target", "bulk_modulsu>=200 GPa"], "did you mean 'bulk_modulus'"),
        (["--minimise", "e_over_hull"], "no property 'e_over_hull'"),
        (["--target", "bulk_modulus>=200 GPz"], "GPz"),
        (["--target", "bulk_modulus>=200 eV"], "GPa"),
        (["--target", "bulk_modulus>=200"], "no unit"),
        (["--target", "bulk_modulus is high"], "cannot be read"),
        (["--target", "band_gap=-3..-2 eV"], "cannot be met"),
        (["--target", "bulk_modulus>=200 GPa", "--elements", "Li,Xx"], "Xx"),
        (["--target", "bulk_modulus>=200 GPa", "--exclude", "Pb,Qq"], "Qq"),
        (["--target", "bulk_modulus>=200 GPa", "--formula", "Li2Xq4"], "Xq"),
        (["--target", "bulk_modulus>=200 GPa", "--space-group", "231"], "1..230"),
        (["--target", "bulk_modulus>=200 GPa", "--budget", "0"], "budget"),
        (["--target", "bulk_modulus>=200 GPa", "--model", "my-modle"], "no model 'my-modle'"),
        (["--target", "bulk_modulus>=200 GPa", "--potential", "magic"], "magic"),
        (["--target", "bulk_modulus>=200 GPa", "--elements", "Xe,O"], "Xe"),
    ],
)
def test_a_wish_that_cannot_be_understood(
    wishes: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert words in refused([*DESIGN, *wishes, "--out", str(out)], capsys)
    assert not out.exists()


def test_a_target_that_no_shipped_model_predicts_names_the_command_that_trains_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    said = refused([*DESIGN, "--target", "refractive_index>=2.5", "--out", str(out)], capsys)
    assert "matwright train TABLE.csv --structure cif --target refractive_index:1 --out my-model" in said
    assert not out.exists()


def test_a_missing_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = table(tmp_path / "t.csv"), tmp_path / "run"
    said = refused(["train", str(data), "--target", "bulk_modulus:GPa", "--out", str(out), "--quiet"], capsys)
    assert "bulk_modulus" in said
    assert "band_gap" in said
    said = refused(
        ["train", str(data), "--structure", "cfi", "--target", "band_gap:eV", "--out", str(out), "--quiet"], capsys
    )
    assert "cfi" in said
    assert not out.exists()


def test_an_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    said = refused(["train", str(empty), "--target", "band_gap:eV", "--out", str(tmp_path / "run"), "--quiet"], capsys)
    assert str(empty) in said
    wish = ["--target", "bulk_modulus>=200 GPa", "--known", str(empty)]
    assert str(empty) in refused([*DESIGN, *wish, "--out", str(tmp_path / "run")], capsys)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "words"), [(BROKEN_CIF, "not a finite number"), (OVERLAPPING_CIF, "0.5 Å"), ("", "bad.cif")]
)
def test_a_structure_that_is_none(text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = tmp_path / "known"
    known.mkdir()
    (known / "bad.cif").write_text(text)
    wish = ["--target", "bulk_modulus>=200 GPa", "--known", str(known)]
    said = refused([*DESIGN, *wish, "--out", str(tmp_path / "run")], capsys)
    assert "bad.cif" in said
    assert words in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "command",
    [
        [*DESIGN, "--target", "bulk_modulus>=200 GPa"],
        ["generate", "random", "-n", "2"],
        ["train", "TABLE", "--target", "band_gap:eV", "--epochs", "1", "--quiet"],
    ],
    ids=["design", "generate", "train"],
)
@pytest.mark.parametrize("kind", ["another run", "foreign files", "a file"])
def test_an_output_folder_that_holds_something_else(
    command: list[str], kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    if kind == "a file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "notes.txt").write_text("mine")
        if kind == "another run":
            (out / "run.json").write_text('{"kind": "train", "started": "yesterday", "settings": {}, "seed": 0}')
    before = snapshot(tmp_path)
    data = str(table(tmp_path.with_suffix(".csv")))
    arguments = [data if word == "TABLE" else word for word in command]
    assert str(out) in refused([*arguments, "--out", str(out)], capsys)
    assert snapshot(tmp_path) == before


def test_a_resume_without_a_run_and_one_with_other_wishes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wish = [*DESIGN, "--target", "bulk_modulus>=200 GPa", "--resume"]
    assert "no run to resume" in refused([*wish, "--out", str(tmp_path / "none")], capsys)
    assert not (tmp_path / "none").exists()
    out = tmp_path / "out"
    out.mkdir()
    (out / "run.json").write_text('{"kind": "design", "started": "yesterday", "settings": {"budget": 7}, "seed": 0}')
    before = snapshot(out)
    assert "budget was 7 and is 1" in refused([*wish, "--out", str(out)], capsys)
    assert snapshot(out) == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 100 kB; only root can mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("a small file system can be mounted by root only")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    wish = ["--target", "bulk_modulus>=20 GPa", "--max-atoms", "8"]
    out = small_disk / "run"
    arguments = ["design", "--budget", "1", "--pool", "150", "--quiet", *wish, "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "matwright.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=400,
    )
    assert done.returncode == 2, done.stderr
    said = done.stderr.strip().splitlines()[-1]
    assert "the disk is full" in said
    assert "Traceback" not in done.stderr
    assert (out / "run.json").read_text().startswith("{")
    assert not list(out.rglob("*.tmp"))
