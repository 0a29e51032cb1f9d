"""Matbench v0.1: yield strength of steels, experimental gap, on the official folds."""

from __future__ import annotations

import bz2
import json

import numpy as np

from matwright.materials.composition import Composition
from tasks.table import DATA, Target, TaskTable


def steels() -> TaskTable:
    """312 steels: yield strength."""
    return _load("matbench_steels", "yield strength", Target(name="yield_strength", unit="MPa"))


def expt_gap() -> TaskTable:
    """4,604 compounds: measured band gap."""
    return _load("matbench_expt_gap", "gap expt", Target(name="band_gap", unit="eV"))


def _load(name: str, column: str, target: Target) -> TaskTable:
    with bz2.open(DATA / f"{name}.json.bz2", "rt") as stream:
        table = json.load(stream)
    rows = sorted(table["mbid"], key=lambda row: table["mbid"][row])
    return TaskTable(
        name=name,
        targets=(target,),
        structures=tuple(Composition.from_formula(table["composition"][row]) for row in rows),
        values=np.array([[float(table[column][row])] for row in rows]),
        groups=tuple(table["composition"][row] for row in rows),
        grouping="official Matbench v0.1 folds, KFold(5, shuffle, 18012019) in id order",
        ordered_folds=True,
    )
