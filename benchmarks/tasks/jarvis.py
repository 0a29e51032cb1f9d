"""JARVIS-DFT sample: formation energy, OptB88vdW gap, bulk and shear modulus (Voigt)."""

from __future__ import annotations

import json
import math
import zipfile

import numpy as np

from matwright.materials.interop import from_cif
from tasks.crystals import crystal_table
from tasks.table import DATA, Target, TaskTable

TARGETS = {
    "formation_energy_peratom": Target(name="formation_energy", unit="eV/atom"),
    "optb88vdw_bandgap": Target(name="band_gap", unit="eV"),
    "bulk_modulus_kv": Target(name="bulk_modulus", unit="GPa"),
    "shear_modulus_gv": Target(name="shear_modulus", unit="GPa"),
}


def load() -> TaskTable:
    """The 2,500 crystals; a modulus at or below zero is rejected."""
    labels = [_labels(name) for name in TARGETS]
    with zipfile.ZipFile(DATA / "jarvis_cifs.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".cif")]
        crystals = [from_cif(archive.read(name).decode()) for name in names]
    ids = [name.split("_")[0] for name in names]
    values = np.array([[column.get(key, math.nan) for column in labels] for key in ids])
    moduli = values[:, 2:]
    moduli[moduli <= 0] = math.nan
    return crystal_table("jarvis", tuple(TARGETS.values()), crystals, values, "moduli at or below 0 rejected")


def _labels(name: str) -> dict[str, float]:
    with zipfile.ZipFile(DATA / f"jarvis_target_{name}.json.zip") as archive:
        parts = json.loads(archive.read(archive.namelist()[0]))
    return {key: float(value) for part in parts.values() for key, value in part.items()}
