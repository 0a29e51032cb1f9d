"""2DMatPedia sample: gap, exfoliation and decomposition energy of monolayers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from matwright.materials.interop import from_ase
from tasks.crystals import crystal_table
from tasks.table import DATA, Target, TaskTable

TARGETS = (
    Target(name="bandgap", unit="eV"),
    Target(name="exfoliation_energy_per_atom", unit="eV/atom"),
    Target(name="decomposition_energy", unit="eV/atom"),
)


def load() -> TaskTable:
    """All 1,224 layers, periodic in a and b."""
    from ase.db import connect

    entries = list(connect(DATA / "2dmatpedia_1224.db").select())
    crystals = [replace(from_ase(entry.toatoms()), pbc=(True, True, False)) for entry in entries]
    values = [[_number(entry.data.get(target.name)) for target in TARGETS] for entry in entries]
    return crystal_table("2dmatpedia", TARGETS, crystals, np.array(values))


def _number(value: object) -> float:
    return float("nan") if value is None else float(str(value))
