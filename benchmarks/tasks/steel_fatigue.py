"""Fatigue strength of steels (NIMS; Agrawal 2014): composition, thermal treatment, rolling, inclusions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from matwright.elements import atomic_number
from matwright.materials.composition import Composition
from matwright.materials.conditions import ConditionColumn, ProcessStep
from tasks.table import DATA, Target, TaskTable, rounded_key

ELEMENTS = ("C", "Si", "Mn", "P", "S", "Ni", "Cr", "Cu", "Mo")
NUMBERS = {
    "THQCr": ("hardening_cooling_rate", "degC/s"),
    "QmT": ("quench_temperature", "degC"),
    "TCr": ("tempering_cooling_rate", "degC/s"),
    "RedRatio": ("reduction_ratio", "1"),
    "dA": ("inclusions_plastic", "%"),
    "dB": ("inclusions_discontinuous", "%"),
    "dC": ("inclusions_isolated", "%"),
}
OPERATIONS = (
    ("normalising", "NT", None),
    ("through hardening", "THT", "THt"),
    ("carburising", "CT", "Ct"),
    ("diffusion", "DT", "Dt"),
    ("tempering", "TT", "Tt"),
)
AMBIENT = 30.0
"""degC that the table writes where a treatment was not done."""


def load() -> TaskTable:
    """All 437 steels."""
    table = pd.read_csv(DATA / "steel_fatigue_437.csv")
    rows = table.to_dict("records")
    weights = [{atomic_number(name): float(row[name]) for name in ELEMENTS if row[name] > 0} for row in rows]
    return TaskTable(
        name="steel_fatigue",
        targets=(Target(name="fatigue_strength", unit="MPa"),),
        structures=tuple(Composition.from_weight_percent(share, balance=26) for share in weights),
        values=table[["Fatigue"]].to_numpy(float),
        groups=tuple(rounded_key(sorted(share.items()), 1) for share in weights),
        grouping="composition rounded to 0.1 wt%",
        columns=tuple(ConditionColumn(name=name, unit=unit) for name, unit in NUMBERS.values()),
        conditions=table[list(NUMBERS)].to_numpy(float),
        steps=tuple(_steps(row) for row in rows),
        numbers=np.empty((len(table), 0)),
        note="iron makes up the rest; a treatment at 30 degC was not done",
    )


def _steps(row: dict[str, float]) -> tuple[ProcessStep, ...]:
    """The treatments that were done, in the order of the plant; the table gives times in minutes."""
    return tuple(
        ProcessStep(operation=name, temperature=row[kelvin] + 273.15, time=row[time] / 60.0 if time else None)
        for name, kelvin, time in OPERATIONS
        if row[kelvin] > AMBIENT
    )
