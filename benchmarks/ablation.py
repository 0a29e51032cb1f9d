"""What each physics part of GEM-PPM brings: at 10, 30 and 100 % of the training data, and outside of its range.

    python benchmarks/ablation.py --task mp          # formation energy
    python benchmarks/ablation.py --task aflow       # K, G, Debye temperature, κ, thermal expansion together
    python benchmarks/ablation.py --task aflow-range # trained without the largest 10 % of K, and without whole systems
    python benchmarks/ablation.py --task aflow-sparse # K and G known for a tenth of the training rows, the rest for all

Parts: the autoencoder loss on distances (E13), physics residuals (E19), gated memory over the layers (F2). Every
variant of a size trains for the same number of optimiser steps on the same records; the mean and the spread are over
seeds, which change the weights, the order and, below 100 %, the records. Test: the given split of `mp_crystals.csv.gz`
(rows of MP-20), a tenth of the formulas of `aflow_crystals.csv.gz`. Errors are MAE; of several targets, the mean of
MAE / standard deviation of the training values ("score"). Needs the data folder MATWRIGHT_DATA (default
../shared/data).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from matwright.runs import provenance

DATA = Path(os.environ.get("MATWRIGHT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))

PARTS: dict[str, dict[str, dict[str, Any]]] = {
    "mp": {
        "none": {},
        "E13 autoencoder": {"reconstruction": 0.3},
        "E19 elements": {"residuals": (("elements", 1.0), ("bounds", 1.0))},
        "F2 memory": {"memory": True},
    },
    "aflow": {
        "none": {},
        "E13 autoencoder": {"reconstruction": 0.3},
        "E19 bounds": {"residuals": (("bounds", 1.0),)},
        "E19 Debye": {"residuals": (("debye", 1.0),)},
        "F2 memory": {"memory": True},
    },
}
for _task in ("aflow-range", "aflow-sparse"):
    PARTS[_task] = {name: PARTS["aflow"][name] for name in ("none", "E13 autoencoder", "E19 bounds", "E19 Debye")}
AFLOW = {
    "bulk_modulus": "GPa",
    "shear_modulus": "GPa",
    "debye_temperature": "K",
    "thermal_conductivity": "W/(m*K)",
    "thermal_expansion": "1/K",
}
SHARES = (0.1, 0.3, 1.0)
HELD_OUT_ANIONS = {8, 16, 34}  # O, S, Se: systems with any of them are the second range test


def main() -> None:
    """Train every variant at every size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=sorted(PARTS), default="mp")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--steps", type=int, default=2500, help="optimiser steps at 100 %%; half of it at 30, a quarter at 10"
    )
    parser.add_argument("--shares", default=",".join(f"{share:g}" for share in SHARES))
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    shares = [1.0] if arguments.task.startswith("aflow-") else [float(word) for word in arguments.shares.split(",")]
    jobs = [
        (arguments.task, name, share, seed, arguments.steps)
        for share in shares
        for name in PARTS[arguments.task]
        for seed in range(arguments.seeds)
    ]
    print(f"commit {provenance()['commit']}, task {arguments.task}, {arguments.seeds} seeds, {arguments.steps} steps")
    results = []
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        for result in pool.imap(run, jobs):
            print(json.dumps(result), flush=True)
            results.append(result)
    print_table(pd.DataFrame(results))


def print_table(results: pd.DataFrame) -> None:
    """One line a variant and size: mean ± standard deviation over seeds of every error, and the first one's change.

    The change is that against the first variant at the same seed: both began alike and saw the same records.
    """
    errors = [
        name for name in results.columns if name not in ("task", "variant", "share", "seed", "n", "cpu_s", "terms")
    ]
    first = results.variant.iloc[0]
    alone = results[results.variant == first].set_index(["share", "seed"])[errors[0]]
    for (share, variant), rows in results.groupby(["share", "variant"], sort=False):
        shown = "  ".join(f"{name} {rows[name].mean():.4g} ± {rows[name].std(ddof=0):.2g}" for name in errors)
        change = 100 * (rows.set_index(["share", "seed"])[errors[0]] / alone - 1).dropna()
        shown += f"  change {change.mean():+.1f} ± {change.std(ddof=0):.1f} %"
        print(f"{100 * share:4.0f} %  n {rows.n.iloc[0]:6d}  {variant:18s} {shown}  CPU {rows.cpu_s.mean():.0f} s")


def run(job: tuple[str, str, float, int, int]) -> dict[str, Any]:
    """Train one variant once and return its errors on the held-out records."""
    task, variant, share, seed, steps = job
    import torch

    from matwright.training.compute import fast_mode

    with fast_mode():
        torch.manual_seed(seed)
        structures, values, specs, train, tests = (_mp if task == "mp" else _aflow)(range_test=task == "aflow-range")
        order = np.random.default_rng(seed).permutation(train)
        chosen = np.sort(order[: max(64, round(share * len(train)))])
        if task == "aflow-sparse":
            scarce = np.setdiff1d(chosen, order[: len(chosen) // 10])
            values = values.copy()
            values[np.ix_(scarce, [0, 1])] = np.nan
        began = time.process_time()
        model, terms = _fit(structures, values, specs, chosen, PARTS[task][variant], seed, _steps(steps, share))
        spent = time.process_time() - began
        errors: dict[str, float] = {}
        for name, part in tests.items():
            errors |= _errors(model, structures, values, specs, chosen, part, name)
    about = {"task": task, "variant": variant, "share": share, "seed": seed, "n": len(chosen), "cpu_s": spent}
    return {**about, **errors, "terms": terms}


def _steps(steps: int, share: float) -> int:
    return round(steps * (1.0 if share == 1.0 else 0.5 if share >= 0.3 else 0.25))


def _fit(
    graphs: list[Any],
    values: np.ndarray,
    specs: Sequence[Any],
    train: np.ndarray,
    part: dict[str, Any],
    seed: int,
    steps: int,
) -> tuple[Any, dict[str, float]]:
    import torch

    from matwright.graphs.ragged import Labels
    from matwright.graphs.store import pack
    from matwright.models.config import GemPpmConfig, HeadConfig
    from matwright.models.gem_ppm import GemPpm
    from matwright.models.scaled import ScaledModel, TargetScale
    from matwright.training.fit import FitData, fit
    from matwright.training.settings import FitSettings

    store = pack([graphs[i] for i in train], labels=Labels.of_targets(values[train]))
    config = GemPpmConfig(heads=tuple(HeadConfig(name=spec.name) for spec in specs), **part)
    model = ScaledModel(GemPpm(config), specs, TargetScale.fit(store.targets, store.atom_counts, specs))
    settings = FitSettings(epochs=max(1, round(steps * 64 / len(train))))
    data = FitData(source=store, train=np.arange(len(train)), validation=np.zeros(0, dtype=np.int64))
    with tempfile.TemporaryDirectory() as folder:
        fit(model, data, settings, folder=Path(folder), seed=seed)
    with torch.no_grad():
        _, terms = model.loss(store.batch(np.arange(min(256, len(train)))))
    return model, {name: round(float(value), 6) for name, value in terms.items()}


def _errors(
    model: Any,
    graphs: list[Any],
    values: np.ndarray,
    specs: Sequence[Any],
    train: np.ndarray,
    part: np.ndarray,
    name: str,
) -> dict[str, float]:
    from matwright.evaluation.records import predict_records
    from matwright.graphs.store import pack

    store = pack([graphs[i] for i in part])
    found = predict_records(model, store, np.arange(len(part)))
    errors, scaled = {}, []
    for column, spec in enumerate(specs):
        truth = values[part, column]
        mae = float(np.nanmean(np.abs(found.properties[spec.name].mean - truth)))
        scaled.append(mae / float(np.nanstd(values[train, column])))
        errors[f"{name}:{spec.name}"] = mae
    return errors if len(specs) == 1 else {f"{name}:score": float(np.mean(scaled)), **errors}


@lru_cache(maxsize=1)
def _mp(*, range_test: bool) -> tuple[list[Any], np.ndarray, list[Any], np.ndarray, dict[str, np.ndarray]]:
    from matwright.materials.properties import find_property

    if range_test:
        raise SystemExit("the range test is of AFLOW")
    table = pd.read_csv(DATA / "mp_crystals.csv.gz", usecols=["source", "split", "formation_energy_per_atom", "cif"])
    table = table[(table.source == "mp20") & (table.split != "val")].reset_index(drop=True)
    values = table[["formation_energy_per_atom"]].to_numpy(float)
    train, test = (np.flatnonzero(table.split == word) for word in ("train", "test"))
    return _graphs(table.cif), values, [find_property("formation_energy_per_atom")], train, {"test": test}


@lru_cache(maxsize=1)
def _aflow(*, range_test: bool) -> tuple[list[Any], np.ndarray, list[Any], np.ndarray, dict[str, np.ndarray]]:
    from matwright.materials.interop import from_cif
    from matwright.materials.properties import find_property

    table = pd.read_csv(DATA / "aflow_crystals.csv.gz")
    values = table[list(AFLOW)].to_numpy(float)
    specs = [find_property(name).in_unit(unit) for name, unit in AFLOW.items()]
    crystals = [from_cif(text) for text in table.cif]
    formulas = [_formula(crystal) for crystal in crystals]
    names = sorted(set(formulas))
    held = set(np.random.default_rng(0).permutation(names)[: len(names) // 10])
    inside = np.array([formula not in held for formula in formulas])
    stiff = values[:, 0] > np.nanquantile(values[:, 0], 0.9)
    oxides = np.array([bool(HELD_OUT_ANIONS & set(crystal.numbers.tolist())) for crystal in crystals])
    if not range_test:
        return _graphs(table.cif), values, specs, np.flatnonzero(inside), {"test": np.flatnonzero(~inside)}
    usual = ~stiff & ~oxides
    tests = {
        "in range": np.flatnonzero(usual & ~inside),
        "largest K": np.flatnonzero(stiff & ~oxides),
        "O, S, Se": np.flatnonzero(oxides & ~stiff),
    }
    return _graphs(table.cif), values, specs, np.flatnonzero(usual & inside), tests


def _formula(crystal: Any) -> str:
    from matwright.materials.material import Material

    return Material(structure=crystal).composition.formula


def _graphs(cifs: Sequence[str]) -> list[Any]:
    from matwright.graphs.builder import build_graph
    from matwright.materials.interop import from_cif

    return [build_graph(from_cif(text)) for text in cifs]


if __name__ == "__main__":
    main()
