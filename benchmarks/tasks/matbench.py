"""Matbench v0.1: yield strength of steels, experimental gap, on the official folds."""

from __future__ import annotations

import bz2
import json
from dataclasses import replace

import numpy as np
import pandas as pd

from matwright.materials.composition import Composition
from matwright.materials.conditions import ConditionColumn
from matwright.materials.interop import from_cif
from matwright.materials.material import Material
from tasks.table import DATA, Target, TaskTable, rounded_key


def steels() -> TaskTable:
    """312 steels: yield strength."""
    return _load("matbench_steels", "yield strength", Target(name="yield_strength", unit="MPa"))


def expt_gap() -> TaskTable:
    """4,604 compounds: measured band gap."""
    return _load("matbench_expt_gap", "gap expt", Target(name="band_gap", unit="eV"))


def fidelities() -> TaskTable:
    """The 4,604 measured gaps of `expt_gap`, and 8,232 PBE gaps of crystals to learn from, told apart by a condition.

    A training part holds the PBE gaps of no formula of its test part.
    """
    measured = expt_gap()
    crystals = pd.read_csv(DATA / "mp_crystals.csv.gz", usecols=["source", "band_gap", "cif"])
    crystals = crystals[(crystals["source"] == "mp20") & crystals["band_gap"].notna()]
    computed = tuple(Material(structure=from_cif(text)).composition for text in crystals["cif"])
    structures = (*measured.structures, *computed)
    codes = np.repeat([0.0, 1.0], [len(measured), len(computed)])
    return replace(
        measured,
        name="expt_gap_fidelities",
        structures=structures,
        values=np.vstack([measured.values, crystals[["band_gap"]].to_numpy(float)]),  # noqa: PD011 (no pandas object)
        groups=tuple(rounded_key(Material(structure=found).composition.fractions, 3) for found in structures),
        columns=(ConditionColumn(name="method", categories=("experiment", "PBE")),),
        conditions=codes[:, None],
        companions=len(computed),
        note=f"{len(computed)} PBE gaps are learned from and never tested; none is of a formula of the test fold",
    )


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
