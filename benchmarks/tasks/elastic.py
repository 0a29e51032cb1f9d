"""Elastic tensors (de Jong 2015): bulk and shear modulus (Voigt-Reuss-Hill)."""

from __future__ import annotations

import pandas as pd

from matwright.materials.interop import from_poscar
from tasks.crystals import crystal_table
from tasks.table import DATA, Target, TaskTable

TARGETS = {"K_VRH": Target(name="bulk_modulus", unit="GPa"), "G_VRH": Target(name="shear_modulus", unit="GPa")}


def load() -> TaskTable:
    """All 1,181 crystals."""
    table = pd.read_csv(DATA / "elastic_tensors.csv.gz", skiprows=1)
    crystals = [from_poscar(text) for text in table["poscar"]]
    return crystal_table("elastic", tuple(TARGETS.values()), crystals, table[list(TARGETS)].to_numpy(float))
