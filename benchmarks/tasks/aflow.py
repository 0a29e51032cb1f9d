"""AFLOW AEL/AGL: bulk and shear modulus, Debye temperature, thermal conductivity and expansion."""

from __future__ import annotations

import pandas as pd

from matwright.materials.interop import from_cif
from tasks.crystals import crystal_table
from tasks.table import DATA, Target, TaskTable

TARGETS = (
    Target(name="bulk_modulus", unit="GPa"),
    Target(name="shear_modulus", unit="GPa"),
    Target(name="debye_temperature", unit="K"),
    Target(name="thermal_conductivity", unit="W/(m*K)", log=True),
    Target(name="thermal_expansion", unit="1/K"),
)


def load() -> TaskTable:
    """All 3,924 crystals."""
    table = pd.read_csv(DATA / "aflow_crystals.csv.gz")
    values = table[[target.name for target in TARGETS]].to_numpy(float)
    return crystal_table("aflow", TARGETS, [from_cif(text) for text in table["cif"]], values)
