from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from matwright import __version__
from matwright.errors import InputError
from matwright.runs import RUN_FILE, RunFolder

SETTINGS = {"budget": 200, "targets": ["band_gap=1.5"], "model": {"width": 64}}


def create(path: Path) -> RunFolder:
    return RunFolder.create(path, kind="design", settings=SETTINGS, seed=3, data_hash="abc")


def test_a_new_run_says_what_made_it(tmp_path: Path) -> None:
    run = create(tmp_path / "deep" / "run")
    record = run.record
    assert record["kind"] == "design"
    assert record["seed"] == 3
    assert record["data_hash"] == "abc"
    assert record["settings"] == SETTINGS
    assert record["version"] == __version__
    assert record["python"].startswith("3.")
    assert record["started"].endswith("+00:00")
    assert not run.is_finished


def test_finishing_keeps_the_record_and_adds_results(tmp_path: Path) -> None:
    run = create(tmp_path / "run")
    run.finish({"hits": 4})
    assert run.is_finished
    assert run.record["results"] == {"hits": 4}
    assert run.record["settings"] == SETTINGS


def test_a_folder_with_another_run_is_refused_and_left_alone(tmp_path: Path) -> None:
    run = create(tmp_path / "run")
    before = (run.path / RUN_FILE).read_bytes()
    with pytest.raises(InputError, match="already holds a design run of .* nothing was overwritten"):
        RunFolder.create(run.path, kind="train", settings={}, seed=0)
    assert (run.path / RUN_FILE).read_bytes() == before


def test_foreign_files_and_files_in_place_of_a_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=r"not empty \(notes.txt\)"):
        create(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(InputError, match="is a file"):
        create(tmp_path / "notes.txt")


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert create(tmp_path / "run").record["kind"] == "design"


def test_resuming_with_the_same_settings_goes_on(tmp_path: Path) -> None:
    create(tmp_path / "run")
    run = RunFolder.open_for_resume(tmp_path / "run", settings=SETTINGS, kind="design", seed=3, data_hash="abc")
    assert run.kind == "design"
    assert len(run.record["resumed"]) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"settings": {**SETTINGS, "budget": 100}}, "budget was 200 and is 100"),
        ({"settings": {**SETTINGS, "model": {"width": 32}}}, "model.width was 64 and is 32"),
        ({"settings": {"budget": 200}}, "model was .* and is None"),
        ({"seed": 4}, "seed was 3 and is 4"),
        ({"data_hash": "abd"}, "data_hash was 'abc' and is 'abd'"),
        ({"kind": "train"}, "kind was 'design' and is 'train'"),
    ],
)
def test_resuming_with_other_settings_names_what_differs(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    create(tmp_path / "run")
    with pytest.raises(InputError, match=words):
        RunFolder.open_for_resume(tmp_path / "run", **{"settings": SETTINGS, **changes})  # type: ignore[arg-type]


def test_resuming_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no run to resume"):
        RunFolder.open_for_resume(tmp_path, settings={})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="folders are locked on POSIX systems only")
def test_two_processes_cannot_write_to_one_run(tmp_path: Path) -> None:
    create(tmp_path / "run")
    code = (
        "import sys\nfrom matwright.errors import InputError\nfrom matwright.runs import RunFolder\n"
        "try:\n    RunFolder.open_for_resume(sys.argv[1], settings={'a': 1})\n"
        "except InputError as error:\n    print(error)\n"
    )
    RunFolder.create(tmp_path / "other", kind="train", settings={"a": 1}, seed=0)
    other = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "other"], capture_output=True, text=True, check=True, timeout=60
    )
    assert "another process is writing" in other.stdout


def test_files_of_the_run_get_their_folder(tmp_path: Path) -> None:
    path = create(tmp_path / "run").file("structures", "a.cif")
    assert path.parent.is_dir()
    assert not path.exists()


def test_a_run_that_fails_gives_its_folder_back(tmp_path: Path) -> None:
    run = create(tmp_path / "run")

    def fail() -> None:
        with run.given_back_on_failure():
            run.file("part.csv").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not run.path.exists()
    again = create(run.path)
    with again.given_back_on_failure():
        again.file("whole.csv").write_text("all")
    assert again.file("whole.csv").exists()
