"""QM9 sample: gap, dipole moment and polarisability of molecules."""

from __future__ import annotations

import ast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from matwright.elements import atomic_number
from matwright.materials.molecule import Molecule
from tasks.table import DATA, Target, TaskTable

HARTREE = 27.211386245988  # eV, CODATA 2018
SPECTRUM = 29
"""Atoms of the largest molecule, and so length of the Coulomb spectrum."""

TARGETS = (
    Target(name="gap", unit="eV"),
    Target(name="dipole", unit="D"),
    Target(name="polarisability", unit="a0^3", extensive=True),
)


def load() -> TaskTable:
    """The 10,000 molecules."""
    table = pd.read_csv(DATA / "qm9_10k.csv.gz")
    molecules = [
        Molecule(
            numbers=np.array([atomic_number(name) for name in ast.literal_eval(elements)]),
            coords=np.array(ast.literal_eval(xyz)),
        )
        for elements, xyz in zip(table["Elements"], table["XYZ_Ang"], strict=True)
    ]
    values = table[["HOMO_LUMO_gap_au", "Dipole_debye", "Polarizability_bohr3"]].to_numpy(float)
    values[:, 0] *= HARTREE
    return TaskTable(
        name="qm9",
        targets=TARGETS,
        structures=tuple(molecules),
        values=values,
        groups=tuple(molecule.formula for molecule in molecules),
        grouping="molecular formula",
        numbers=np.array([coulomb_spectrum(molecule) for molecule in molecules]),
        number_names=tuple(f"coulomb_{place}" for place in range(SPECTRUM)),
        note="the baselines see the eigenvalues of the Coulomb matrix (Rupp 2012) too",
    )


def coulomb_spectrum(molecule: Molecule) -> NDArray[np.float64]:
    """(29,) eigenvalues of the Coulomb matrix by falling size, zeros behind: Z^2.4 / 2 and Z Z' / distance (e²/Å)."""
    charges = molecule.numbers.astype(float)
    distance = np.linalg.norm(molecule.coords[:, None] - molecule.coords[None], axis=-1)
    np.fill_diagonal(distance, 1.0)
    matrix = charges[:, None] * charges / distance
    np.fill_diagonal(matrix, 0.5 * charges**2.4)
    found = np.linalg.eigvalsh(matrix)
    spectrum = np.zeros(SPECTRUM)
    spectrum[: len(found)] = found[np.argsort(-np.abs(found))]
    return spectrum
