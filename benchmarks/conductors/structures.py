"""The crystals of the benchmark: three known conductors with whole atoms, and candidates that a model ranks first."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from matwright.api.predict import load_predictor
from matwright.data.hull import Hull
from matwright.data.references import load_references
from matwright.elements import atomic_number
from matwright.errors import CalculationError
from matwright.materials.annealing import annealed
from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal
from matwright.materials.interop import amounts, from_cif, from_pymatgen, primitive, reduced_formula, to_pymatgen
from matwright.materials.supercell import roomy
from matwright.physics.thermodynamics import stability
from matwright.screening.potential import Potential
from matwright.screening.relax import Relaxation, RelaxationSettings, relax
from matwright.screening.trials import plain_crystal

ROOM = 10.0
"""Å, from an atom to its own image."""
CHARGES = {"Li": 1.0, "P": 5.0, "Ge": 4.0, "S": -2.0, "Cl": -1.0, "Y": 3.0}
TRANSITION = frozenset((*range(21, 31), *range(39, 49), *range(72, 81)))
ANIONS = frozenset((8, 9, 16, 17, 34, 35, 53))
"""One of these holds every conductor of OBELiX but a few."""
MOST_ATOMS = 30


KNOWN = ("Li3YCl6", "Li6PS5Cl", "Li10GeP2S12")
_IN_OBELIX = {"Li6PS5Cl": "122", "Li10GeP2S12": "j8q"}
"""Kraft et al. 2017, whose S and Cl exchange places; and the tetragonal phase."""


def measured_structure(name: str, data: Path) -> Crystal:
    """The structure as measured, with its partly occupied sites."""
    if name in _IN_OBELIX:
        return _obelix(data, _IN_OBELIX[name])
    return _chloride()


def known(name: str, data: Path, seed: int) -> Crystal:
    """The smallest roomy supercell of the primitive cell, with whole atoms."""
    small = from_pymatgen(to_pymatgen(measured_structure(name, data)).get_primitive_structure())
    charges = {atomic_number(element): charge for element, charge in CHARGES.items()}
    return annealed(roomy(small, ROOM, max_atoms=300), charges, seed=seed)


def _chloride() -> Crystal:
    """Li3YCl6 in the trigonal type of Li3ErCl6 (Bohnsack et al. 1997): Y on 1a and 2d, Li on 6g and half of 6h."""
    from pymatgen.core.lattice import Lattice
    from pymatgen.core.structure import Structure

    sites = {
        "Y": [(0, 0, 0), (1 / 3, 2 / 3, 0.486)],
        "Li": [(0.340, 0, 0), (0.340, 0, 0.5)],
        "Cl": [(0.113, -0.113, 0.772), (0.219, -0.219, 0.261), (0.444, -0.444, 0.766)],
    }
    names = [name for name, places in sites.items() for _ in places]
    places = [place for own in sites.values() for place in own]
    full = Structure.from_spacegroup("P-3m1", Lattice.hexagonal(11.20, 6.04), names, places)
    crystal = from_pymatgen(full)
    half = (crystal.numbers == atomic_number("Li")) & (np.abs(crystal.frac_coords[:, 2] - 0.5) < 0.1)
    occupancies = tuple(
        ((int(number), 0.5 if is_half else 1.0),) for number, is_half in zip(crystal.numbers, half, strict=True)
    )
    return Crystal(
        lattice=crystal.lattice, frac_coords=crystal.frac_coords, numbers=crystal.numbers, occupancies=occupancies
    )


def _obelix(data: Path, name: str) -> Crystal:
    with zipfile.ZipFile(data / "obelix_train_cifs.zip") as archive:
        return from_cif(io.TextIOWrapper(archive.open(f"{name}.cif"), encoding="utf-8").read())


def candidates(data: Path, potential: Potential, *, count: int) -> list[dict[str, Any]]:
    """Crystals of the Materials Project ranked by predicted conductivity; the first `count` relaxed, on the hull."""
    rows: dict[str, dict[str, Any]] = {}
    with gzip.open(data / "mp_crystals.csv.gz", "rt", encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            if int(row["n_atoms"]) > MOST_ATOMS or "Li" not in row["cif"] or float(row["e_above_hull"]) > 0.05:
                continue
            crystal = from_cif(row["cif"])
            numbers = set(crystal.numbers.tolist())
            if 3 not in numbers or len(numbers) < 3 or numbers & TRANSITION or not numbers & ANIONS:
                continue
            rows.setdefault(reduced_formula(crystal), {"crystal": crystal})
    compositions = [Composition.from_amounts(amounts(row["crystal"])) for row in rows.values()]
    predicted = load_predictor("li-conductor").predict(compositions)["ionic_conductivity"]
    for row, value in zip(rows.values(), predicted.mean, strict=True):
        row["predicted"] = 1e3 * 10.0 ** float(value)  # mS/cm, from log10(S/cm)
    ranked = sorted(rows.items(), key=lambda item: -item[1]["predicted"])
    print(f"{len(ranked)} formulas, {count} are relaxed", flush=True)
    chosen = [primitive(row["crystal"]) for _, row in ranked[:count]]
    outcomes = relax(chosen, potential, settings=RelaxationSettings(fmax=0.05, smax=0.2))
    hull, references = Hull.load(), load_references(potential.name)
    told: list[dict[str, Any]] = []
    for (formula, row), outcome in zip(ranked, outcomes, strict=False):
        one: dict[str, Any] = {"formula": formula, "predicted": row["predicted"], "atoms": len(row["crystal"])}
        if isinstance(outcome, Relaxation) and outcome.converged:
            one["crystal"] = plain_crystal(outcome.crystal)
            try:
                found = stability(outcome.crystal, outcome.energy_per_atom, references, hull)
                one |= {"formation_energy": found.formation_energy, "e_above_hull": found.e_above_hull}
            except CalculationError as error:
                one["failure"] = str(error)
        else:
            one["failure"] = outcome.reason
        told.append(one)
    return told
