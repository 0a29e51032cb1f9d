"""A small campaign on known values: rock salts in a CSV table, a table of answers, and the file that says it all."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from matwright.campaign.evaluator import Quantity
from matwright.campaign.evaluators.table import ValueTable
from matwright.campaign.store.address import structure_hash
from matwright.materials.crystal import Crystal
from matwright.materials.interop import from_cif, to_cif

CATIONS, ANIONS = (3, 11, 19, 12), (9, 17, 35, 8)
LENGTHS = (4.4, 4.8, 5.2, 5.8)
TARGETS = '["bulk_modulus>=60 GPa", "e_above_hull<=0.05 eV/atom"]'
FILE = """
targets = {targets}
seed = 3

[proposer]
pool = "pool.csv"
structure = "cif"

[filter]
until = "geometry"

{ladder}

[acquisition]
kind = "{kind}"
batch = 4
{acquisition}

[surrogate]
trees = 10

[stop]
rounds = {rounds}
{rest}
"""
ONE_RUNG = '[[evaluator]]\nkind = "lookup"\ntable = "known.csv"\n'


def salts() -> list[Crystal]:
    """64 rock salts as a CIF holds them."""
    return [
        from_cif(
            to_cif(
                Crystal(
                    lattice=(1 - np.eye(3)) / 2 * length,
                    frac_coords=np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]),
                    numbers=np.array([cation, anion]),
                )
            )
        )
        for cation in CATIONS
        for anion in ANIONS
        for length in LENGTHS
    ]


def stiffness(crystal: Crystal) -> float:
    """GPa, made up: small cells are stiff, and magnesium and oxygen help."""
    helps = 10.0 * (12 in crystal.numbers) + 8.0 * (8 in crystal.numbers)
    return float(1400.0 / crystal.volume + helps)


def write_table(path: Path, *, shift: float = 0.0, leave_out: int = 0, hull: bool = True) -> None:
    """The table of answers; `shift` makes them those of a poorer method."""
    rows = {}
    for number, crystal in enumerate(salts()[leave_out:]):
        wrong = shift * np.sin(number)
        row = {"bulk_modulus": Quantity(value=stiffness(crystal) + wrong, unit="GPa")}
        if hull:
            row["e_above_hull"] = Quantity(value=0.01 * (number % 11), unit="eV/atom")
        rows[structure_hash(crystal)] = row
    units = {"bulk_modulus": "GPa", **({"e_above_hull": "eV/atom"} if hull else {})}
    ValueTable(units=units, rows=rows, described={}).write(path)


def write_campaign(
    folder: Path,
    *,
    rounds: int = 3,
    kind: str = "ei",
    ladder: str = ONE_RUNG,
    targets: str = TARGETS,
    acquisition: str = "",
    rest: str = "",
) -> Path:
    """A folder with pool, answers and `salts.toml`; the path of the last."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "pool.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["cif"])
        writer.writerows([to_cif(crystal)] for crystal in salts())
    write_table(folder / "known.csv")
    text = FILE.format(targets=targets, ladder=ladder, kind=kind, acquisition=acquisition, rounds=rounds, rest=rest)
    (folder / "salts.toml").write_text(text)
    return folder / "salts.toml"
