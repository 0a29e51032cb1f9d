"""What the architecture tests look at: the tracked files, the package's folder, a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder that holds pyproject.toml."""
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def tracked(root: Path) -> list[Path]:
    """Return every file that git tracks, or skip outside a checkout."""
    if not (root / ".git").exists():
        pytest.skip("not a git checkout: there is no list of tracked files")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True).stdout
    return [root / name.decode() for name in names.split(b"\0") if name and (root / name.decode()).is_file()]


@pytest.fixture(scope="session")
def fresh() -> Callable[[str], str]:
    """Return a function that runs code in a new interpreter and gives back what it printed."""

    def run(code: str) -> str:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
        return done.stdout

    return run
