from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HEAVY = {
    "alembic",
    "ase",
    "captum",
    "chgnet",
    "lightning",
    "matplotlib",
    "phonopy",
    "moyopy",
    "pandas",
    "parsl",
    "plotly",
    "pyarrow",
    "pymatgen",
    "pyxtal",
    "scipy",
    "sevenn",
    "skfem",
    "sklearn",
    "smact",
    "sqlalchemy",
    "torch",
}
REPORT = """
import json, sys, time
before = time.process_time()
{statement}
seconds = time.process_time() - before
print(json.dumps({{"seconds": seconds, "modules": sorted({{name.partition(".")[0] for name in sys.modules}})}}))
"""


def loaded_by(fresh: Callable[[str], str], statement: str, *, starts: int = 1) -> tuple[float, set[str]]:
    """Return (CPU seconds of the fastest start, modules): the clock on a busy machine says nothing about the code."""
    reports = [json.loads(fresh(REPORT.format(statement=statement)).splitlines()[-1]) for _ in range(starts)]
    return min(report["seconds"] for report in reports), set(reports[0]["modules"])


def test_importing_the_package_is_quick_and_loads_nothing_heavy(fresh: Callable[[str], str]) -> None:
    seconds, modules = loaded_by(fresh, "import matwright", starts=3)
    assert not modules & HEAVY
    assert seconds < 0.3


def test_help_is_quick_and_loads_nothing_heavy(fresh: Callable[[str], str]) -> None:
    seconds, modules = loaded_by(fresh, "from matwright.cli import main; main(['--help'])", starts=3)
    assert not modules & HEAVY
    assert seconds < 1.0


@pytest.mark.parametrize("command", ["train", "predict", "explain", "map", "info", "generate", "design", "screen"])
def test_the_help_of_a_command_loads_no_tensor_library(command: str, fresh: Callable[[str], str]) -> None:
    _, modules = loaded_by(fresh, f"from matwright.cli import main; assert main(['{command}', '--help']) == 0")
    assert not modules & {"torch", "pymatgen", "chgnet", "lightning"}


def test_the_layer_contract_holds(root: Path) -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=root, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_every_package_folder_is_a_package(root: Path) -> None:
    """An import-linter contract does not see a folder without `__init__.py`."""
    package = root / "src" / "matwright"
    folders = {path.parent for path in package.rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []
