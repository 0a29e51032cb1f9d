"""A small set of crystals made on the spot: common prototypes with random elements and properties by a formula."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal
from matwright.materials.microstructure import Phase
from matwright.materials.properties import PropertySpec

ENERGY = PropertySpec(name="formation_energy_per_atom", unit="eV/atom")
GAP = PropertySpec(name="band_gap", unit="eV", lower=0.0)

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
CUBE = np.eye(3)
PROTOTYPES = {
    "rock salt": (FCC, [(0, 0, 0), (0.5, 0.5, 0.5)], "AB"),
    "zinc blende": (FCC, [(0, 0, 0), (0.25, 0.25, 0.25)], "AB"),
    "caesium chloride": (CUBE, [(0, 0, 0), (0.5, 0.5, 0.5)], "AB"),
    "fluorite": (FCC, [(0, 0, 0), (0.25, 0.25, 0.25), (0.75, 0.75, 0.75)], "ABB"),
    "perovskite": (CUBE, [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)], "ABCCC"),
}
CATIONS = {3: 1.0, 11: 0.9, 12: 1.3, 19: 0.8, 20: 1.0, 22: 1.5, 26: 1.8, 30: 1.65, 38: 0.95, 40: 1.3}
ANIONS = {8: 3.4, 9: 4.0, 16: 2.6, 17: 3.2, 34: 2.5, 35: 3.0}

ALUMINIUM = Phase(composition=Composition.from_formula("Al"), young_modulus=70.0, poisson_ratio=0.33)
RUBBER = Phase(composition=Composition.from_formula("C5H8"), young_modulus=0.07, poisson_ratio=0.49)

pixel_grids = st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**25 - 1)).map(
    lambda drawn: np.array([drawn[2] >> place & 1 for place in range(drawn[0] * drawn[1])]).reshape(drawn[:2])
)
"""Pixel grids (1 to 5, 1 to 5) of two phases."""


def crystals(n: int, seed: int = 0) -> list[Crystal]:
    """Return n crystals of 2 to 5 atoms."""
    rng = np.random.default_rng(seed)
    return [_crystal(rng) for _ in range(n)]


def _crystal(rng: np.random.Generator) -> Crystal:
    vectors, sites, pattern = PROTOTYPES[list(PROTOTYPES)[rng.integers(len(PROTOTYPES))]]
    cations = rng.choice(list(CATIONS), size=2, replace=False)
    anion = rng.choice(list(ANIONS))
    last = {"AB": "B", "ABB": "B", "ABCCC": "C"}[pattern]
    numbers = [anion if letter == last else cations["AB".index(letter)] for letter in pattern]
    shortest = {"AB": 0.433, "ABB": 0.433, "ABCCC": 0.5}[pattern]
    edge = rng.uniform(2.0, 2.6) / shortest
    return Crystal(lattice=edge * vectors, frac_coords=np.array(sites), numbers=np.array(numbers))


def energy(crystal: Crystal) -> float:
    """Return a smooth function of composition and volume, in eV/atom."""
    chi = np.array([CATIONS.get(int(z), ANIONS.get(int(z))) for z in crystal.numbers])
    return float(0.5 - chi.std() - 0.5 * np.tanh(crystal.volume / len(crystal) / 15 - 1))


def gap(crystal: Crystal) -> float:
    """Return a gap in eV, often exactly 0."""
    return max(0.0, -3 * energy(crystal) - 1.0)


def targets(some: list[Crystal], seed: int = 1) -> np.ndarray:
    """Return (n, 2) energies and gaps; a third of the gaps is missing (NaN)."""
    values = np.array([[energy(crystal), gap(crystal)] for crystal in some])
    values[np.random.default_rng(seed).random(len(some)) < 1 / 3, 1] = np.nan
    return values


def write_table(path: Path, some: list[Crystal], *, bad_rows: int = 0) -> None:
    """Write a CSV table with columns id, poscar, the two targets, metal (yes, no) and split, and rows that are bad."""
    values = targets(some)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "poscar", ENERGY.name, GAP.name, "metal", "split"])
        for index, (crystal, (first, second)) in enumerate(zip(some, values, strict=True)):
            part = ("train", "train", "train", "val", "test")[index % 5]
            second_text = "" if np.isnan(second) else repr(float(second))
            metal = "yes" if gap(crystal) == 0 else "no"
            writer.writerow([f"c{index}", poscar(crystal), repr(float(first)), second_text, metal, part])
        for index in range(bad_rows):
            writer.writerow([f"bad{index}", "not a structure", "0.0", "", "no", "train"])


def poscar(crystal: Crystal) -> str:
    """Return the crystal as POSCAR text."""
    from matwright.elements import symbol

    order = np.argsort(crystal.numbers, kind="stable")
    numbers = crystal.numbers[order]
    kinds = list(dict.fromkeys(numbers.tolist()))
    lines = ["crystal", "1.0"]
    lines += [" ".join(f"{x:.10f}" for x in row) for row in crystal.lattice]
    lines += [" ".join(symbol(z) for z in kinds), " ".join(str(int((numbers == z).sum())) for z in kinds), "Direct"]
    lines += [" ".join(f"{x:.10f}" for x in row) for row in crystal.frac_coords[order]]
    return "\n".join(lines) + "\n"
