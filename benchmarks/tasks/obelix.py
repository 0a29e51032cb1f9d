"""Li-ion conductors (OBELiX, training part): log10 of the ionic conductivity at room temperature."""

from __future__ import annotations

import math
import zipfile

import numpy as np
import pandas as pd

from matwright.errors import InputError
from matwright.materials.composition import Composition
from matwright.materials.conditions import ConditionColumn
from matwright.materials.interop import from_cif
from matwright.materials.material import Structure
from tasks.table import DATA, Target, TaskTable, rounded_key

CELL = ("a", "b", "c", "alpha", "beta", "gamma")


def load() -> TaskTable:
    """All 478 rows; a crystal where there is a CIF that can be read, else the composition."""
    table = pd.read_csv(DATA / "obelix_train.csv")
    texts = table["Ionic conductivity (S cm-1)"].astype(str).tolist()
    sigma = np.array([float(text.lstrip("<>")) for text in texts])
    compositions = [Composition.from_formula(text) for text in table["True Composition"]]
    atoms = np.array([_atoms(text) for text in table["True Composition"]])
    cell = table[list(CELL)].to_numpy(float)
    group = table["Space group #"].to_numpy(float)
    columns = (
        ConditionColumn(name="volume_per_atom", unit="Å^3/atom"),
        ConditionColumn(name="space_group", unit="1"),
        *(ConditionColumn(name=name, unit="Å" if len(name) == 1 else "deg") for name in CELL),
    )
    crystals = _crystals()
    structures = tuple(crystals.get(name, found) for name, found in zip(table["ID"], compositions, strict=True))
    return TaskTable(
        name="obelix",
        targets=(Target(name="log_sigma", unit="log10(S/cm)"),),
        structures=structures,
        values=np.log10(sigma)[:, None],
        censored=np.array([[-1 if text.startswith("<") else 0] for text in texts], dtype=np.int8),
        groups=tuple(rounded_key(found.fractions, 3) for found in compositions),
        grouping="reduced formula (atomic fractions to 0.001)",
        columns=columns,
        conditions=np.column_stack([_volume(cell) / atoms, group, cell]),
        note=f"{sum(not isinstance(found, Composition) for found in structures)} rows with a CIF; a censored value "
        "errs only by how far the prediction lies above its limit",
    )


def _crystals() -> dict[str, Structure]:
    found: dict[str, Structure] = {}
    with zipfile.ZipFile(DATA / "obelix_train_cifs.zip") as archive:
        for name in archive.namelist():
            try:
                found[name.removesuffix(".cif")] = from_cif(archive.read(name).decode())
            except InputError:
                continue
    return found


def _atoms(text: str) -> float:
    from matwright.materials.formula import parse_amounts

    return math.fsum(parse_amounts(text).values())


def _volume(cell: np.ndarray) -> np.ndarray:
    """(n,) volumes in Å³ of cells a, b, c, α, β, γ."""
    cosines = np.cos(np.radians(cell[:, 3:]))
    square = 1 - (cosines**2).sum(axis=1) + 2 * cosines.prod(axis=1)
    return cell[:, :3].prod(axis=1) * np.sqrt(np.maximum(square, 0.0))
