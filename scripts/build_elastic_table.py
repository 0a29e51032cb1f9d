"""Join elastic tensors and scalar moduli into the table that the shipped model `elastic` learns from.

    python scripts/build_elastic_table.py elastic.csv.gz

Reads from the folder MATWRIGHT_DATA (default ../shared/data): `elastic_tensors.csv.gz` (de Jong 2015: full tensors),
`aflow_crystals.csv.gz` (AFLOW AEL: Hill's K and G) and the JARVIS files (Voigt's K and G, which stand in columns of
their own). Prints what is left out and why, and what is kept though it looks implausible.

The tensors are those of the column `elastic_tensor_original`: they are given in the Cartesian frame of `poscar`, while
`elastic_tensor` is turned into the IEEE frame. `--frame` shows how that was found: by Neumann's principle where it
tells the two apart, and by the signs and order of the axes that CHGNet finds where both obey it. Each tensor is
replaced by its mean over the point group of its crystal; by how much that changes it is printed.

A formula goes to the part that it has in `mp_crystals`, and where it is not there to the part of a hash of it, as in
`build_predictor_table.py`; the formulas of HELD_OUT go to the test part, to be compared with experiment.
"""

from __future__ import annotations

import json
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from build_predictor_table import DATA, MAX_MODULUS, formula_key, part_of

from matwright.errors import CalculationError
from matwright.materials.crystal import Crystal
from matwright.materials.interop import from_cif, from_poscar, reduced_formula
from matwright.materials.symmetry import point_rotations
from matwright.physics.elasticity import (
    COMPONENT_NAMES,
    ELASTIC_UNITS,
    PAIRS,
    components,
    isotropic,
    moduli,
    symmetrised,
    symmetry_violation,
)
from matwright.screening.potential import GPA_PER_EV_A3, Failure, PointResult, Potential, load_potential

HELD_OUT = ("Si", "MgO", "Cu")
STRANGE_VIOLATION, STRANGE_ANISOTROPY, SOFTEST = 0.05, 20.0, 1.0  # no unit, no unit, GPa


def main() -> None:
    """Write the joined table to the path given, or show which tensor is in the frame of the structure."""
    if sys.argv[1:] == ["--frame"]:
        show_frames()
        return
    if len(sys.argv) != 2:
        sys.exit("usage: build_elastic_table.py OUT.csv.gz | --frame")
    known = pd.read_csv(DATA / "mp_crystals.csv.gz", usecols=["cif", "split"])
    parts = dict(zip(map(formula_key, known.cif), known.split, strict=True)) | dict.fromkeys(HELD_OUT, "test")
    table = pd.concat([_tensors(), _aflow(), _jarvis()], ignore_index=True)
    table["split"] = [parts.get(key) or part_of(key) for key in table.key]
    print(table.groupby(["source", "split"])[["elastic_c11", "bulk_modulus", "bulk_modulus_voigt"]].count())
    table[["id", "source", "structure", *ELASTIC_UNITS, "split"]].to_csv(sys.argv[1], index=False)


def _tensors() -> pd.DataFrame:
    raw = _raw_tensors()
    rows, changes = [], []
    for row in raw.itertuples():
        crystal, given = from_poscar(row.poscar), np.array(json.loads(row.elastic_tensor_original))
        operations = point_rotations(crystal)
        tensor = symmetrised(given, operations)
        found, violation = moduli(tensor[None]), symmetry_violation(given, operations)
        changes.append(violation)
        if not found.is_stable[0] or min(row.K_VRH, row.G_VRH) <= 0:
            print(f"left out: {row.material_id} {row.formula}: not positive definite")
            continue
        _tell_strange(f"{row.material_id} {row.formula}", violation, found.anisotropy[0], found.least_eigenvalue[0])
        rows.append(
            {"id": f"dejong-{row.material_id}", "structure": row.poscar, "key": _key(crystal)}
            | dict(zip(COMPONENT_NAMES, components(tensor), strict=True))
            | {"bulk_modulus": row.K_VRH, "shear_modulus": row.G_VRH, "universal_anisotropy": found.anisotropy[0]}
            | {"bulk_modulus_voigt": row.K_Voigt, "shear_modulus_voigt": row.G_Voigt}
        )
    middle, high = np.quantile(changes, [0.5, 0.95])
    print(
        f"dejong2015: tensors differ from their symmetry by {middle:.1e} (median), {high:.1e} (95 %), at most ", end=""
    )
    print(f"{max(changes):.1e} of their norm; each is replaced by its symmetric mean")
    return _with_young(pd.DataFrame(rows).assign(source="dejong2015"))


def _raw_tensors() -> pd.DataFrame:
    return pd.read_csv(DATA / "elastic_tensors.csv.gz", skiprows=1)


def _tell_strange(name: str, violation: float, anisotropy: float, softest: float) -> None:
    """Print what is kept though it looks implausible."""
    if violation > STRANGE_VIOLATION:
        print(f"kept: {name}: breaks its symmetry by {violation:.2f} of its norm")
    if anisotropy > STRANGE_ANISOTROPY or softest < SOFTEST:
        print(f"kept: {name}: universal anisotropy {anisotropy:.0f}, least eigenvalue {softest:.2f} GPa")


def _key(crystal: Crystal) -> str:
    from pymatgen.core import Composition  # heavy: only the parsing needs it

    return str(Composition(reduced_formula(crystal)).reduced_formula)


def _aflow() -> pd.DataFrame:
    table = pd.read_csv(DATA / "aflow_crystals.csv.gz").rename(columns={"cif": "structure"})
    table["id"] = [f"aflow-{index}" for index in table.index]
    table["key"], table["source"] = [formula_key(text) for text in table.structure], "aflow"
    return _with_young(_possible(table, "bulk_modulus", "shear_modulus"))


def _with_young(table: pd.DataFrame) -> pd.DataFrame:
    young, poisson = isotropic(table.bulk_modulus.to_numpy(), table.shear_modulus.to_numpy())
    return table.assign(young_modulus=young, poisson_ratio=poisson)


def _jarvis() -> pd.DataFrame:
    labels = {
        "bulk_modulus_voigt": _jarvis_labels("bulk_modulus_kv"),
        "shear_modulus_voigt": _jarvis_labels("shear_modulus_gv"),
    }
    rows = []
    with zipfile.ZipFile(DATA / "jarvis_cifs.zip") as archive:
        for file in sorted(name for name in archive.namelist() if name.endswith(".cif")):
            name = Path(file).name.split("_")[0]
            if name in labels["bulk_modulus_voigt"]:
                text = archive.read(file).decode()
                values = {column: known[name] for column, known in labels.items()}
                rows.append({"id": name, "structure": text, "key": _key(from_cif(text)), **values})
    table = pd.DataFrame(rows).assign(source="jarvis")
    return _possible(table, "bulk_modulus_voigt", "shear_modulus_voigt")


def _jarvis_labels(name: str) -> dict[str, float]:
    with zipfile.ZipFile(DATA / f"jarvis_target_{name}.json.zip") as archive:
        parts = json.loads(archive.read(archive.namelist()[0]))
    return {key: value for part in parts.values() for key, value in part.items()}


def _possible(table: pd.DataFrame, bulk: str, shear: str) -> pd.DataFrame:
    """Leave out rows of which either modulus is not in (0, MAX_MODULUS); print how many."""
    good = table[[bulk, shear]].apply(lambda column: column.between(0, MAX_MODULUS, inclusive="neither")).all(axis=1)
    counts = [int((~(table[name] > 0)).sum()) for name in (bulk, shear)]
    print(
        f"{table.source.iloc[0]}: {int((~good).sum())} of {len(table)} rows left out: K not positive {counts[0]}, ",
        end="",
    )
    print(f"G not positive {counts[1]}")
    return table[good]


def show_frames() -> None:
    """Compare both tensors of each crystal in which they differ with its symmetry and with CHGNet."""
    raw, potential = _raw_tensors(), load_potential("chgnet")
    both = [
        np.array([json.loads(text) for text in raw[name]]) for name in ("elastic_tensor", "elastic_tensor_original")
    ]
    differing = np.flatnonzero(np.abs(both[0] - both[1]).max(axis=(1, 2)) > 1.0)
    closer, nearer, n_told = 0, 0, 0
    for index in differing:
        crystal = from_poscar(raw.poscar[index])
        ieee, original = (tensor[index] for tensor in both)
        operations = point_rotations(crystal)
        violations = [symmetry_violation(tensor, operations) for tensor in (ieee, original)]
        if abs(violations[0] - violations[1]) > 0.01:
            print(
                f"{raw.formula[index]}: IEEE breaks the symmetry by {violations[0]:.3f}, original {violations[1]:.3f}"
            )
            closer += violations[1] < violations[0]
        try:
            computed = clamped_stiffness(potential, crystal)
        except CalculationError:
            continue
        misses = [_miss(computed, tensor) for tensor in (ieee, original)]
        n_told += abs(misses[0] - misses[1]) > 0.05
        nearer += misses[1] < misses[0] - 0.05
    print(
        f"{len(differing)} crystals differ; Neumann prefers the original in {closer}; CHGNet's clamped-ion tensor, ",
        end="",
    )
    print(f"scaled to fit, prefers it in {nearer} of the {n_told} in which the two fits differ by more than 0.05")


def _miss(computed: np.ndarray, tensor: np.ndarray) -> float:
    scale = (computed * tensor).sum() / (computed**2).sum()
    return float(np.linalg.norm(scale * computed - tensor) / np.linalg.norm(tensor))


def clamped_stiffness(potential: Potential, crystal: Crystal, step: float = 0.01) -> np.ndarray:
    """(6, 6) Voigt stiffness in GPa from the stresses of strained cells, atoms moved with the cell and not relaxed."""
    strained = []
    for i, j in PAIRS:
        for sign in (1, -1):
            deformation = np.eye(3)
            deformation[i, j] += sign * step / 2
            deformation[j, i] += sign * step / 2
            strained.append(replace(crystal, lattice=crystal.lattice @ deformation))
    results = potential.evaluate(strained)
    failures = [result.reason for result in results if isinstance(result, Failure)]
    if failures:
        raise CalculationError(failures[0])
    rows, columns = zip(*PAIRS, strict=True)
    stresses = np.array([result.stress[rows, columns] for result in results if isinstance(result, PointResult)])
    stiffness = (stresses[0::2] - stresses[1::2]).T * GPA_PER_EV_A3 / (2 * step)
    return (stiffness + stiffness.T) / 2


if __name__ == "__main__":
    main()
