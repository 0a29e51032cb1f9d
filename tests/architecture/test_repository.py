from __future__ import annotations

import ast
import itertools
import re
import tomllib
from pathlib import Path

from matwright import __version__

# Spelled backwards, so that this file does not hold what it looks for.
MACHINE_FOLDERS = "|".join(name[::-1] for name in ("krow", "toor", "emoh", "sresU"))
MACHINE_PATHS = re.compile(rf"(?<![\w./])/(?:{MACHINE_FOLDERS})/\w".encode())
MAY_NAME_DATA_FOLDER = ("tests/", "benchmarks/", "scripts/")
DATA_FOLDER = "derahs/.."[::-1].encode()
LARGEST_FILE = 10 * 2**20  # bytes; the bound on a shipped model
TEXT = {".py", ".md", ".toml", ".txt", ".cff", ".json", ".csv", ".html", ".js", ".css", ".yml", ""}


def test_no_tracked_file_names_a_machine(root: Path, tracked: list[Path]) -> None:
    for path in tracked:
        if path.suffix in TEXT:
            data = path.read_bytes()
            assert not MACHINE_PATHS.search(data), path
            name = path.relative_to(root).as_posix()
            assert name.startswith(MAY_NAME_DATA_FOLDER) or DATA_FOLDER not in data, path


def test_no_tracked_file_is_too_large(tracked: list[Path]) -> None:
    assert [path for path in tracked if path.stat().st_size > LARGEST_FILE] == []


def test_nothing_in_the_package_unpickles_or_evaluates(root: Path) -> None:
    for path in (root / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None
            assert not names & {"pickle", "dill", "joblib", "shelve", "marshal"}, path
            assert called not in {"eval", "exec"}, path


def test_the_version_is_the_same_everywhere(root: Path) -> None:
    assert f"\nversion: {__version__}\n" in (root / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## [{__version__}]" in (root / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_pins_cover_every_dependency(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.partition("==")[0] for line in pins if not line.startswith("#")}
    wanted = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    assert {re.split(r"[<>=!~\[; ]", name)[0] for name in wanted} <= pinned


def test_a_module_is_not_a_drawer(root: Path) -> None:
    drawers = {"utils", "util", "common", "helpers", "helper", "misc"}
    assert [path for path in (root / "src").rglob("*.py") if path.stem in drawers or path.parent.name in drawers] == []
