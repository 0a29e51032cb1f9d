"""Thermoelectrics (ESTM, KRICT): ZT, Seebeck coefficient, conductivities from formula and temperature."""

from __future__ import annotations

import numpy as np
import pandas as pd

from matwright.errors import InputError
from matwright.materials.composition import Composition
from matwright.materials.conditions import ConditionColumn
from tasks.table import DATA, Target, TaskTable, rounded_key


def load() -> TaskTable:
    """The rows whose formula can be read."""
    table = pd.read_excel(DATA / "estm.xlsx")
    compositions = {text: _composition(text) for text in table["Formula"].unique()}
    table = table[[compositions[text] is not None for text in table["Formula"]]].reset_index(drop=True)
    structures = tuple(compositions[text] for text in table["Formula"])
    sigma = table["electrical_conductivity(S/m)"].to_numpy(float)
    values = [
        table["ZT"].to_numpy(float),
        table["seebeck_coefficient(μV/K)"].to_numpy(float),
        np.log10(sigma),
        table["thermal_conductivity(W/mK)"].to_numpy(float),
    ]
    return TaskTable(
        name="estm",
        targets=(
            Target(name="ZT", unit="1"),
            Target(name="seebeck", unit="µV/K"),
            Target(name="log_sigma", unit="log10(S/m)"),
            Target(name="kappa", unit="W/(m*K)", log=True),
        ),
        structures=structures,
        values=np.stack(values, axis=1),
        groups=tuple(rounded_key(found.fractions, 4) for found in structures),
        grouping="formula (atomic fractions to 0.0001)",
        columns=(ConditionColumn(name="temperature", unit="K"),),
        conditions=table[["temperature(K)"]].to_numpy(float),
    )


def _composition(text: str) -> Composition | None:
    try:
        return Composition.from_formula(text)
    except InputError:
        return None
