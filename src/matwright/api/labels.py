"""Other values than those of the table, to be learned in their place: the predictions of a teacher."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.graphs.store import GraphStore
from matwright.progress import Progress

FOLDER = "taught"
_OWN = ("targets.npy", "censored.npy")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OtherLabels:
    """What is learned in the place of the known values; these are still what the model is judged by.

    Attributes:
        made_by: plain values that say what made them, for run.json.
        values: (store, progress) → (n_records, n_targets), in the units of the store's targets.
    """

    made_by: Mapping[str, object]
    values: Callable[[GraphStore, Progress], NDArray[np.float64]]

    def written(self, store: GraphStore, folder: Path, progress: Progress) -> Path:
        """A store with the same graphs and these values; its large files are those of `store`, under another name.

        Raises:
            InputError: the store is in memory only, or the values have another shape.
        """
        if store.path is None:
            raise InputError("other values need a graph store on disk")
        if (folder / _OWN[0]).exists():
            return folder
        values = self.values(store, progress)
        if values.shape != store.targets.shape:
            raise InputError(f"the store has targets of shape {store.targets.shape}, the other values {values.shape}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in store.path.iterdir():
            if file.name not in _OWN and file.is_file():
                _same_file(file, folder / file.name)
        np.save(folder / "censored.npy", np.zeros_like(np.asarray(store.censored)))
        np.save(folder / "targets.part.npy", np.ascontiguousarray(values, dtype=np.float64))
        (folder / "targets.part.npy").rename(folder / _OWN[0])  # last: a folder that holds it is whole
        return folder


def _same_file(file: Path, name: Path) -> None:
    """A second name for a file, a copy where the file system has none."""
    try:
        os.link(file, name)
    except OSError:
        shutil.copy2(file, name)
