"""Nickel superalloys (Conduit 2017 via Citrine): strengths from composition, heat treatments and temperature."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from matwright.elements import atomic_number
from matwright.materials.composition import Composition
from matwright.materials.conditions import ConditionColumn, ProcessStep
from tasks.table import DATA, Target, TaskTable, codes, rounded_key

HOTTEST = 1500.0
"""degC above which a treatment temperature is an error of the table (nickel melts at 1455) and counts as missing."""

PHASES = ("GammaPrime", "DoublePrime", "Solution", "Both", "yprime+ODS", "YprimeandEta")
TARGETS = {
    "Yield Strength [MPa]": Target(name="yield_strength", unit="MPa"),
    "Ultimate Tensile Strength [MPa]": Target(name="ultimate_tensile_strength", unit="MPa"),
}


def load() -> TaskTable:
    """The 1,944 rows with a yield strength or an ultimate tensile strength."""
    table = pd.read_csv(DATA / "ni_superalloys.csv.gz")
    table = table[table[list(TARGETS)].notna().any(axis=1)].reset_index(drop=True)
    rows = table.to_dict("records")
    weights = [_weights(row) for row in rows]
    structures = tuple(Composition.from_weight_percent(share) for share in weights)
    columns = (
        ConditionColumn(name="test_temperature", unit="degC"),
        ConditionColumn(name="powder_processed", categories=("No", "Yes")),
        ConditionColumn(name="precipitate", categories=PHASES),
    )
    conditions = np.stack(
        [
            table["Test Temperature [degC]"].to_numpy(float),
            codes(table["Powder processed"].tolist(), ("No", "Yes")),
            codes(table["Strengthening Precipitate Phase"].tolist(), PHASES),
        ],
        axis=1,
    )
    steps = tuple(_steps(row) for row in rows)
    return TaskTable(
        name="superalloys",
        targets=tuple(TARGETS.values()),
        structures=structures,
        values=table[list(TARGETS)].to_numpy(float),
        groups=tuple(rounded_key(sorted(share.items()), 1) for share in weights),
        grouping="composition rounded to 0.1 wt%",
        columns=columns,
        conditions=conditions,
        steps=steps,
        numbers=np.array([_summary(row) for row in steps]),
        number_names=("hottest_treatment", "treatment_hours", "area_under_treatment"),
        note="treatments above 1500 degC count as of unknown temperature",
    )


def _weights(row: dict[str, object]) -> dict[int, float]:
    """Weight percents normalised to 100 (some rows sum to 93 or 127)."""
    shares = {atomic_number(name[3:]): float(str(row[name])) for name in row if str(name).startswith("wt_")}
    shares = {number: share for number, share in shares.items() if share > 0}
    total = sum(shares.values())
    return {number: 100.0 * share / total for number, share in shares.items()}


def _steps(row: dict[str, object]) -> tuple[ProcessStep, ...]:
    """Hot isostatic pressing first where there was one, then the heat treatments in their order."""
    steps = []
    if row["Pressure treated"] == "Yes":
        pressure, kelvin, hours = (
            _number(row[f"Pressure treatment {what}"])
            for what in ("Pressure [MPa]", "Temperature [degC]", "Time [hours]")
        )
        steps.append(ProcessStep(operation="pressing", temperature=_kelvin(kelvin), time=hours, pressure=pressure))
    for number in range(1, 6):
        celsius = _number(row[f"Heat treatment {number} Temperature [degC]"])
        hours = _number(row[f"Heat treatment {number} Time [hours]"])
        word = row[f"Heat treatment {number} Cooling"]
        if celsius or hours:
            cooling = word if isinstance(word, str) and word != "unknown" else None
            steps.append(
                ProcessStep(
                    operation="heat treatment", temperature=_kelvin(celsius), time=hours or None, cooling=cooling
                )
            )
    return tuple(steps)


def _number(value: object) -> float | None:
    number = float(str(value))
    return None if math.isnan(number) else number


def _kelvin(celsius: float | None) -> float | None:
    return None if not celsius or celsius > HOTTEST else celsius + 273.15


def _summary(steps: tuple[ProcessStep, ...]) -> tuple[float, float, float]:
    """Hottest treatment (K), hours and area (K h): columns of the source, computed from the cleaned steps."""
    kelvins = [step.temperature or 0.0 for step in steps]
    hours = [step.time or 0.0 for step in steps]
    return (
        max(kelvins, default=0.0),
        sum(hours),
        sum(kelvin * hour for kelvin, hour in zip(kelvins, hours, strict=True)),
    )
