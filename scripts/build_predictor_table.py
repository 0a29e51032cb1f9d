"""Join the tables that the shipped predictor `mp-crystal` learns from into one, with one split by formula.

    python scripts/build_predictor_table.py predictor.csv.gz off_hull.csv.gz

Reads `mp_crystals.csv.gz` (Materials Project: formation energy, band gap; its split is kept), `aflow_crystals.csv.gz`
and `elastic_tensors.csv.gz` (AFLOW AEL and de Jong 2015: bulk and shear modulus) and `dielectric.csv.gz` (Petousis
2017: band gap of insulators) from the folder MATWRIGHT_DATA (default ../shared/data), and the crystals from far above
the hull that `build_off_hull_table.py` relaxed. A crystal goes to the part that its formula has in `mp_crystals`, and
where it is not there to a part decided by a hash of its formula; so no formula lies in two parts. Formation energies
of `mp_crystals` whose source is "flla" are on the Materials Project's scale of before 2021 and are brought to MP2020.
Moduli that are not positive or above 1,000 GPa are left out as missing, and crystals of `dielectric.csv.gz` that
`mp_crystals` has with a gap; both are counted.

Then, the shipped model is

    matwright train predictor.csv.gz --structure cif --split-column split --target formation_energy_per_atom:eV/atom \
      --target band_gap:eV --target bulk_modulus:GPa --target shear_modulus:GPa --ensemble 2 --minutes 20 --out RUN
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from matwright.physics.energy_scale import EnergyScale

DATA = Path(os.environ.get("MATWRIGHT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
TARGETS = ["formation_energy_per_atom", "band_gap", "bulk_modulus", "shear_modulus"]
MAX_MODULUS = 1000.0  # GPa, above diamond's shear and twice its bulk modulus


def main() -> None:
    """Write the joined table to the path given."""
    if len(sys.argv) != 3:
        sys.exit("usage: build_predictor_table.py OUT.csv.gz OFF_HULL.csv.gz")
    known = materials_project()
    frames = [known, _aflow(), _de_jong(), dielectric(known), _off_hull(Path(sys.argv[2]))]
    table = in_parts(pd.concat(frames, ignore_index=True), known)
    print(table.groupby(["source", "split"])[TARGETS].count())
    table[["id", "source", "cif", *TARGETS, "split"]].to_csv(sys.argv[1], index=False)


def formula_key(cif: str) -> str:
    """Return the reduced formula of a CIF, its elements in one fixed order."""
    from pymatgen.core import Composition  # heavy: only the parsing needs it

    line = next(line for line in cif.splitlines() if line.startswith("_chemical_formula_sum"))
    return Composition(line.split(maxsplit=1)[1].strip(" '\"")).reduced_formula


def part_of(key: str) -> str:
    """Return the part of a formula that the first table does not hold: 80 % train, 10 % val, 10 % test."""
    draw = int(hashlib.sha256(key.encode()).hexdigest(), 16) % 10
    return {8: "val", 9: "test"}.get(draw, "train")


def in_parts(table: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """The table with a column split: the part that the formula has among the known crystals, else that of its hash."""
    parts = dict(zip(known.key, known.split, strict=True))
    return table.assign(split=[parts.get(key) or part_of(key) for key in table.key])


def materials_project() -> pd.DataFrame:
    """Crystals of the Materials Project with their formulas as keys, all energies on the scale MP2020."""
    table = pd.read_csv(DATA / "mp_crystals.csv.gz").rename(columns={"material_id": "id"})
    table["key"] = [formula_key(text) for text in table.cif]
    scale, legacy = EnergyScale(), table.source == "flla"
    shifts = np.array([scale.legacy_to_mp2020(formula) for formula in table.formula[legacy]])
    table.loc[legacy, "formation_energy_per_atom"] += shifts
    print(f"flla: {len(shifts)} formation energies moved to MP2020, by {np.abs(shifts).mean():.3f} eV/atom on average")
    return table


def _aflow() -> pd.DataFrame:
    table = pd.read_csv(DATA / "aflow_crystals.csv.gz")
    table["id"] = [f"aflow-{index}" for index in table.index]
    return _moduli(table, "aflow")


def _de_jong() -> pd.DataFrame:
    from pymatgen.io.vasp import Poscar  # heavy: behind its door

    table = pd.read_csv(DATA / "elastic_tensors.csv.gz", skiprows=1)
    table = table.rename(columns={"K_VRH": "bulk_modulus", "G_VRH": "shear_modulus"})
    table["id"] = [f"dejong-{name}" for name in table.material_id]
    table["cif"] = [Poscar.from_str(text).structure.to(fmt="cif") for text in table.poscar]
    return _moduli(table, "dejong2015")


def dielectric(known: pd.DataFrame) -> pd.DataFrame:
    """Crystals of Petousis 2017 that the known ones do not hold with a gap."""
    from pymatgen.io.vasp import Poscar

    table = pd.read_csv(DATA / "dielectric.csv.gz", skiprows=1)
    there = table.material_id.isin(set(known.id[known.band_gap.notna()]))
    gaps = table[there].merge(known, left_on="material_id", right_on="id")
    apart = (gaps.band_gap_x - gaps.band_gap_y).abs()
    print(f"dielectric: {int(there.sum())} crystals left out, which mp_crystals has with a gap; the gaps differ by")
    print(f"  {apart.mean():.2f} eV on the mean, {apart.median():.2f} eV in the median")
    table = table[~there].reset_index(drop=True)
    table["id"] = [f"petousis-{name}" for name in table.material_id]
    table["cif"] = [Poscar.from_str(text).structure.to(fmt="cif") for text in table.poscar]
    table["key"], table["source"] = [formula_key(text) for text in table.cif], "petousis2017"
    return table


def _off_hull(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path)
    table["key"] = [formula_key(text) for text in table.cif]
    table["id"], table["source"] = "chgnet-" + table.id, "chgnet"
    return table


def _moduli(table: pd.DataFrame, source: str) -> pd.DataFrame:
    for name in ("bulk_modulus", "shear_modulus"):
        possible = table[name].between(0, MAX_MODULUS, inclusive="neither")
        print(f"{source}: {int((~possible).sum())} values of {name} left out")
        table[name] = table[name].where(possible)
    table["key"], table["source"] = [formula_key(text) for text in table.cif], source
    return table


if __name__ == "__main__":
    main()
