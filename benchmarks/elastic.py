"""How good the shipped elastic tensors are: errors, symmetry, and measured constants beside two potentials.

    python scripts/build_elastic_table.py elastic.csv.gz
    python scripts/train_elastic.py elastic.csv.gz peer --scalar --members 2
    python benchmarks/elastic.py elastic.csv.gz [--peer peer] [--model elastic] [--seed 0]

All numbers are of the test part of the table (split by formula; Si, MgO and Cu are in it). Peers on the same rows:
plain heads for K and G on the same encoder, each member trained as long (`--peer`), and a random forest on Magpie
features. MAE with 95 % intervals by bootstrap over crystals. "Isotropic" is the tensor of an isotropic solid.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from measured_constants import MEASURED, measured_crystal, relaxed_stiffness
from numpy.typing import NDArray

from matwright.api.elastic import predict_tensors
from matwright.api.predict import Predictor, load_predictor
from matwright.data.record import parse_row
from matwright.data.sources import open_source
from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal
from matwright.materials.symmetry import SYMPREC, point_rotations
from matwright.physics.elasticity import (
    COMPONENT_NAMES,
    from_components,
    from_mandel,
    moduli,
    rotated,
    symmetry_violation,
    to_mandel,
)
from matwright.runs import provenance
from matwright.screening.potential import POTENTIALS, load_potential

Array = NDArray[np.float64]
TIGHT = 1e-4
"""Å, tolerance of a point group that a crystal keeps nearly to the digits of its file."""

CUBIC = (("C11", 0, 0), ("C12", 0, 1), ("C44", 3, 3))


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--model", default="elastic")
    parser.add_argument("--peer", type=Path, help="run folder of scripts/train_elastic.py --scalar")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    table = pd.read_csv(given.table)
    crystals = [parse_row(row) for row in open_source(given.table, structure="structure", id_column="id").rows()]
    test = np.flatnonzero(table.split == "test")
    predictor = load_predictor(given.model)
    counts = table[table.split == "test"].source.value_counts().to_dict()
    print(f"commit {provenance()['commit'] or 'unknown'}, seed {given.seed}; test part: {counts}")
    print(f"{given.model} was made at commit {predictor.facts.get('commit')}, seed {predictor.facts.get('seed')}")
    held_out = [crystals[index] for index in test]
    rows = table.iloc[test].reset_index(drop=True)
    moduli_table(predictor, table, crystals, given.peer, given.seed)
    found = predicted_tensors(predictor, held_out)
    tensor_table(rows, found)
    parts = {f"{name} ({count})": (rows.source == name).to_numpy() for name, count in counts.items()}
    symmetry_table(held_out, parts, found, predictor, given.seed)
    experiment_table(predictor)


# --- K and G ---------------------------------------------------------------------------------------------------------


def moduli_table(
    predictor: Predictor, table: pd.DataFrame, crystals: list[Crystal], peer: Path | None, seed: int
) -> None:
    """MAE of Hill's K and G, model by model."""
    test = np.flatnonzero((table.split == "test") & table.bulk_modulus.notna())
    chosen = [crystals[index] for index in test]
    models = {"tensor head, ensemble": ensemble_moduli(predictor, chosen)}
    for index, member in enumerate(members(predictor)):
        models[f"tensor head, member {index}"] = ensemble_moduli(member, chosen)
    if peer is not None:
        scalar = load_predictor(peer)
        models["scalar heads, ensemble"] = ensemble_moduli(scalar, chosen)
        for index, member in enumerate(members(scalar)):
            models[f"scalar heads, member {index}"] = ensemble_moduli(member, chosen)
    models["random forest on Magpie"] = forest_moduli(table, crystals, test, seed)
    train = table[(table.split == "train") & table.bulk_modulus.notna()]
    means = [train.bulk_modulus.mean(), train.shear_modulus.mean()]
    models["mean of the training part"] = np.tile(means, (len(test), 1))
    truth = table.loc[test, ["bulk_modulus", "shear_modulus"]].to_numpy()
    print("\nMAE in GPa [95 % interval]      K, tensors          G, tensors          K, AFLOW            G, AFLOW")
    for name, values in models.items():
        cells = []
        for source in ("dejong2015", "aflow"):
            part = (table.source[test] == source).to_numpy()
            cells += [interval(np.abs(values - truth)[part, column], seed) for column in (0, 1)]
        print(f"{name:28s}" + "".join(f"{cell:>20s}" for cell in cells))


def interval(errors: Array, seed: int) -> str:
    """Mean and its 95 % bootstrap interval."""
    draws = np.random.default_rng(seed).choice(errors, (2000, len(errors))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{errors.mean():.2f} [{low:.1f}, {high:.1f}]"


def members(predictor: Predictor) -> list[Predictor]:
    """Each member of an ensemble as a predictor of its own, without intervals."""
    from matwright.models.checkpoint import load_members, read_model_file

    described = read_model_file(predictor.folder)
    loaded = load_members(predictor.folder, described)
    return [Predictor(predictor.name, predictor.folder, member, described) for member in loaded]


def ensemble_moduli(predictor: Predictor, crystals: list[Crystal]) -> Array:
    """(n, 2) K and G in GPa."""
    found = predictor.predict(crystals)
    return np.stack([found["bulk_modulus"].mean, found["shear_modulus"].mean], axis=1)


def forest_moduli(table: pd.DataFrame, crystals: list[Crystal], test: NDArray[np.int64], seed: int) -> Array:
    """(n, 2) K and G by a forest that learned from all training and validation rows with Hill's moduli."""
    from matwright.materials.interop import amounts
    from matwright.models.baselines.classical import ClassicalKind, ClassicalRegressor, magpie_features

    train = np.flatnonzero((table.split != "test") & table.bulk_modulus.notna())
    features = magpie_features([Composition.from_amounts(amounts(crystals[row])) for row in (*train, *test)])
    columns = []
    for name in ("bulk_modulus", "shear_modulus"):
        forest = ClassicalRegressor(kind=ClassicalKind.RANDOM_FOREST, seed=seed)
        forest.fit(features[: len(train)], table[name].to_numpy()[train], [""] * len(train))
        columns.append(forest.predict(features[len(train) :]))
    return np.stack(columns, axis=1)


# --- the tensor ------------------------------------------------------------------------------------------------------


def predicted_tensors(predictor: Predictor, crystals: list[Crystal]) -> Array:
    """(n, 6, 6) Voigt, GPa, as the network gives them."""
    found = predictor.predict(crystals)
    return from_components(np.stack([found[name].mean for name in COMPONENT_NAMES], axis=1))


def tensor_table(rows: pd.DataFrame, found: Array) -> None:
    """Errors of the whole tensor, beside isotropic ones."""
    part = rows.elastic_c11.notna().to_numpy()
    truth, ours = from_components(rows.loc[part, list(COMPONENT_NAMES)].to_numpy()), found[part]
    exact, ours_moduli = moduli(truth), moduli(ours)
    tensors = {
        "predicted": ours,
        "isotropic, predicted K and G": isotropic_tensors(ours_moduli.bulk, ours_moduli.shear),
        "isotropic, true K and G": isotropic_tensors(exact.bulk, exact.shear),
    }
    print(f"\n{int(part.sum())} tensors: MAE in GPa            C11     C12     C44", end="")
    print("   norm of the error (GPa)   relative, median")
    for name, tensor in tensors.items():
        errors = [np.abs(tensor - truth)[:, row, column].mean() for _, row, column in CUBIC]
        norms = np.linalg.norm(to_mandel(tensor - truth), axis=(1, 2))
        relative = np.median(norms / np.linalg.norm(to_mandel(truth), axis=(1, 2)))
        print(f"{name:30s}" + "".join(f"{error:8.1f}" for error in errors) + f"{norms.mean():17.1f}{relative:22.3f}")
    young = np.abs(ours_moduli.young - exact.young).mean()
    poisson = np.abs(ours_moduli.poisson - exact.poisson).mean()
    ranks = pd.Series(exact.anisotropy).corr(pd.Series(ours_moduli.anisotropy), method="spearman")
    logs = np.log10((ours_moduli.anisotropy + 0.01) / (exact.anisotropy + 0.01))
    print(f"E: MAE {young:.1f} GPa; nu: MAE {poisson:.4f}; universal anisotropy: Spearman {ranks:.2f}, ", end="")
    print(f"median |log10 ratio| {np.median(np.abs(logs)):.2f}")


def isotropic_tensors(bulk: Array, shear: Array) -> Array:
    """(n, 6, 6) Voigt, GPa."""
    volume = np.zeros((6, 6))
    volume[:3, :3] = 1 / 3
    return from_mandel(3 * bulk[:, None, None] * volume + 2 * shear[:, None, None] * (np.eye(6) - volume))


def symmetry_table(
    crystals: list[Crystal], parts: dict[str, NDArray[np.bool_]], found: Array, predictor: Predictor, seed: int
) -> None:
    """Neumann, rotation and positive definiteness over all test crystals; `parts` are those of each source."""
    print("\nNeumann violation relative to the norm of the tensor; a crystal may be less symmetric than a loose group")
    for symprec in (SYMPREC, TIGHT):
        groups = [point_rotations(crystal, symprec) for crystal in crystals]
        violations = np.array([symmetry_violation(*pair) for pair in zip(found, groups, strict=True)])
        for name, part in parts.items():
            middle, high = np.quantile(violations[part], [0.5, 0.95])
            print(f"{name:22s} group at {symprec:g} Å: median {middle:.1e}, 95 % {high:.1e}, ", end="")
            print(f"largest {violations[part].max():.1e}; at most 1e-5 in {np.mean(violations[part] <= 1e-5):.1%}")
    tensors = predict_tensors(predictor, crystals)
    exact = [symmetry_violation(one.stiffness, point_rotations(c)) for one, c in zip(tensors, crystals, strict=True)]
    print(f"averaged over the group at {SYMPREC:g} Å (`predict_tensors`): largest {max(exact):.1e}")
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    turned = [Crystal(lattice=c.lattice @ turn.T, frac_coords=c.frac_coords, numbers=c.numbers) for c in crystals]
    differences = to_mandel(predicted_tensors(predictor, turned) - rotated(found, turn))
    rotation = np.linalg.norm(differences, axis=(1, 2)) / np.linalg.norm(to_mandel(found), axis=(1, 2))
    print(f"crystal turned by a random operation against tensor turned: largest {rotation.max():.1e}")
    print(f"least eigenvalue: {moduli(found).least_eigenvalue.min():.2f} GPa; all Born stable")


# --- experiment ------------------------------------------------------------------------------------------------------


def experiment_table(predictor: Predictor) -> None:
    """C11, C12, C44 beside measurement and two potentials: ours at the measured cell, theirs at their own."""
    potentials = {name: load_potential(name) for name in POTENTIALS}
    columns = ("measured", "ours", *potentials)
    print(f"\n{'C11/C12/C44 (GPa)':20s}" + "".join(f"{name:15s}" for name in columns))
    errors = []
    for formula, (*_, measured) in MEASURED.items():
        crystal = measured_crystal(formula)
        tensors = [predicted_tensors(predictor, [crystal])[0]]
        tensors += [relaxed_stiffness(potential, crystal) for potential in potentials.values()]
        values = [measured, *([float(tensor[row, column]) for _, row, column in CUBIC] for tensor in tensors)]
        errors.append([np.abs(np.subtract(value, measured)) for value in values])
        print(f"{formula:20s}" + "".join(f"{'/'.join(f'{one:.0f}' for one in value):15s}" for value in values))
    means = np.mean(errors, axis=(0, 2))
    print(f"{'MAE':35s}" + "".join(f"{mean:<15.1f}" for mean in means[1:]))


if __name__ == "__main__":
    main()
