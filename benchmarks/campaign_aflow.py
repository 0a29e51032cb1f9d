"""A closed loop on known values: find the 50 stiffest of AFLOW's crystals with as few looks at the table as possible.

The oracle is a lookup of bulk plus shear modulus (AFLOW AEL; crystals with both, repeats of one structure taken
once). Each campaign starts from 50 random labels and asks for batches of 20; the surrogate is trained anew after
every batch, on what was asked so far and nothing else. Ours: extremely randomised trees on the physical descriptors
of `distill`, chosen by expected improvement, and by the mean alone. Beside it in the same run: a Gaussian process
with expected improvement on Magpie features. Acceleration: queries that random choice needs on average for as many
hits, over ours.

Needs the folder MATWRIGHT_DATA. Run as: python benchmarks/campaign_aflow.py --seeds 5 --rounds 20
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matwright.campaign.acquisition import Acquisition, AcquisitionSettings, Belief, choose
from matwright.campaign.campaign import Campaign
from matwright.campaign.engine.in_process import InProcessEngine
from matwright.campaign.evaluator import Quantity
from matwright.campaign.evaluators.lookup import LookupEvaluator
from matwright.campaign.evaluators.table import ValueTable
from matwright.campaign.store.address import structure_hash
from matwright.campaign.store.store import Store
from matwright.campaign.surrogate import Labels, SurrogateKind, learn
from matwright.explain.descriptors import describe
from matwright.materials.crystal import Crystal
from matwright.materials.interop import from_cif
from matwright.materials.material import Material
from matwright.models.baselines import magpie_features
from matwright.rng import generator

DATA = Path(os.environ.get("MATWRIGHT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SCORE, UNIT = "bulk_plus_shear_modulus", "GPa"
HITS, START, BATCH = 50, 50, 20
SHARES = (0.5, 0.8)  # of the hits, at which the acceleration is stated

Array = NDArray[np.float64]
Surrogate = Callable[[Array, Array, Array, int], tuple[Array, Array]]
"""(features known, values known, features asked, seed) → mean and standard deviation of those asked."""


def main() -> int:
    """Run every way with every seed and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    if not (DATA / "aflow_crystals.csv.gz").is_file():
        print("aflow_crystals.csv.gz is not there: set MATWRIGHT_DATA", file=sys.stderr)
        return 2
    crystals, scores = load()
    ours = np.nan_to_num(np.stack([describe(crystal) for crystal in crystals]), nan=-1.0)
    magpie = magpie_features([Material(structure=crystal).composition for crystal in crystals])
    magpie = magpie[:, magpie.std(axis=0) > 0]
    ways: dict[str, tuple[Array, Surrogate, Acquisition]] = {
        "trees, expected improvement": (ours, trees, Acquisition.EXPECTED_IMPROVEMENT),
        "trees, greedy": (ours, trees, Acquisition.GREEDY),
        "Gaussian process, EI, Magpie": (magpie, GaussianProcess(), Acquisition.EXPECTED_IMPROVEMENT),
        "trees, EI, Magpie": (magpie, trees, Acquisition.EXPECTED_IMPROVEMENT),
        "Gaussian process, EI, descriptors": (ours, GaussianProcess(), Acquisition.EXPECTED_IMPROVEMENT),
    }
    wanted = set(np.argsort(-scores)[:HITS].tolist())
    print(f"{len(crystals)} crystals, the {HITS} with {SCORE} above {np.sort(scores)[-HITS]:.0f} {UNIT}")
    with tempfile.TemporaryDirectory(prefix="campaign-aflow-") as folder:
        evaluator = table(Path(folder), crystals, scores)
        for name, (features, surrogate, kind) in ways.items():
            before = time.process_time()
            curves = [
                discover(
                    Path(folder) / f"{name}-{seed}.db", evaluator, crystals, features, surrogate, kind, wanted,
                    rounds=arguments.rounds, seed=seed,
                )
                for seed in range(arguments.seeds)
            ]  # fmt: skip
            report(name, np.array(curves), len(crystals), time.process_time() - before)
    return 0


def load() -> tuple[list[Crystal], Array]:
    """Each structure that has both moduli, once, with their sum in GPa."""
    found: dict[str, tuple[Crystal, float]] = {}
    with gzip.open(DATA / "aflow_crystals.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if not row["bulk_modulus"] or not row["shear_modulus"]:
                continue
            crystal = from_cif(row["cif"])
            value = float(row["bulk_modulus"]) + float(row["shear_modulus"])
            found.setdefault(structure_hash(crystal), (crystal, value))
    return [crystal for crystal, _ in found.values()], np.array([value for _, value in found.values()])


def table(folder: Path, crystals: list[Crystal], scores: Array) -> LookupEvaluator:
    rows = {
        structure_hash(crystal): {SCORE: Quantity(value=float(score), unit=UNIT)}
        for crystal, score in zip(crystals, scores, strict=True)
    }
    ValueTable(units={SCORE: UNIT}, rows=rows, described={}).write(folder / "aflow.csv")
    return LookupEvaluator.of(folder / "aflow.csv")


def discover(
    path: Path,
    evaluator: LookupEvaluator,
    crystals: list[Crystal],
    features: Array,
    surrogate: Surrogate,
    kind: Acquisition,
    wanted: set[int],
    *,
    rounds: int,
    seed: int,
) -> list[int]:
    """Hits found after the start and after every round, by a campaign in a store of its own."""
    rng = generator(seed, "aflow")
    place = {structure_hash(crystal): index for index, crystal in enumerate(crystals)}
    batch = rng.permutation(len(crystals))[:START]  # the same for every way
    values: dict[int, float] = {}
    curve = []
    with Store.open(path) as store, InProcessEngine() as engine:
        campaign = Campaign(store, "stiff", evaluator)
        for number in range(rounds + 1):
            campaign.propose([crystals[index] for index in batch], round_number=number)
            campaign.run(engine)
            values = {place[record.structure]: record.values[SCORE].value for record in store.records.iterate()}
            curve.append(len(wanted & values.keys()))
            known, rest = np.array(sorted(values)), np.setdiff1d(np.arange(len(crystals)), list(values))
            labels = np.array([values[index] for index in known])
            mean, std = surrogate(features[known], labels, features[rest], seed)
            picked = choose(
                Belief(mean=mean, std=std),
                BATCH,
                best=float(labels.max()),
                settings=AcquisitionSettings(kind=kind),
                rng=rng,
            )
            batch = rest[picked]
    return curve


def trees(known: Array, values: Array, asked: Array, seed: int) -> tuple[Array, Array]:
    """Mean and spread over the trees that a campaign grows."""
    labels = Labels(features=known, fidelity=np.zeros(len(known)), values=values)
    guess = learn(labels, SurrogateKind.TREES, seed=seed)(asked, 0.0)
    return guess.mean, guess.std


class GaussianProcess:
    """Matérn 5/2 with noise on standardised features; kernel fitted anew each time, from where it was before."""

    def __init__(self) -> None:
        self._kernel: Any = None

    def __call__(self, known: Array, values: Array, asked: Array, seed: int) -> tuple[Array, Array]:
        """Fit and predict."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
        from sklearn.preprocessing import StandardScaler

        if self._kernel is None or len(known) == START:
            self._kernel = ConstantKernel(1.0) * Matern(10.0, (0.1, 1e3), nu=2.5) + WhiteKernel(0.1, (1e-4, 10.0))
        scaler = StandardScaler().fit(known)
        process = GaussianProcessRegressor(self._kernel, normalize_y=True, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a bound reached is an answer
            process.fit(scaler.transform(known), values)
        self._kernel = process.kernel_
        mean, std = process.predict(scaler.transform(asked), return_std=True)
        return mean, std


def report(name: str, curves: Array, n: int, seconds: float) -> None:
    """Hits at the end, acceleration at equal hits, enhancement, area under the curve against the best possible one."""
    queries = START + BATCH * np.arange(curves.shape[1])
    words = [f"{curves[:, -1].mean():.1f} ± {curves[:, -1].std():.1f} of {HITS} after {queries[-1]} queries"]
    for share in SHARES:
        needed = [_queries(curve, queries, share * HITS) for curve in curves]
        random = share * HITS * (n + 1) / (HITS + 1)  # mean place of the k-th hit in a random order
        factors = [random / one for one in needed if one is not None]
        reached = f"{len(factors)} of {len(needed)} seeds"
        middle = f"{np.median(factors):.1f} (least {min(factors):.1f})" if factors else "not reached"
        words.append(f"acceleration at {share:.0%} of the hits {middle}, {reached}")
    enhancement = curves[:, -1].mean() / (HITS * queries[-1] / n)
    best = np.minimum(queries, HITS)
    area = (np.trapezoid(curves, queries, axis=1) / np.trapezoid(best, queries)).mean()
    words.append(f"enhancement {enhancement:.1f}, area {area:.2f} of the best possible")
    print(f"{name}: {'; '.join(words)}; {seconds:.0f} CPU s")


def _queries(curve: Array, queries: NDArray[np.int64], hits: float) -> float | None:
    reached = np.flatnonzero(curve >= hits)
    return float(queries[reached[0]]) if len(reached) else None


if __name__ == "__main__":
    sys.exit(main())
