"""Settings that every test shares: one thread, repeatable examples, and the optional data folder."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when the libraries load, so it stands before them
os.environ.setdefault("MPLBACKEND", "Agg")  # figures go to files

import pytest
import torch
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
DATA_FOLDER = Path(os.environ.get("MATWRIGHT_DATA", ROOT.parent / "shared" / "data"))

# Deadlines measure the machine, not the code; in CI every run draws the same examples.
settings.register_profile("developer", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if "CI" in os.environ else "developer")

torch.set_num_threads(1)
torch.set_flush_denormal(True)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Return the folder with real data sets, which not every machine has."""
    if not DATA_FOLDER.is_dir():
        pytest.skip("the folder with real data is absent (set MATWRIGHT_DATA to use one)")
    return DATA_FOLDER
