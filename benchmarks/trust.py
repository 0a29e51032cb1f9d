"""How far a model's word can be trusted: intervals, standard deviations, and the domain score of what it never saw.

    python benchmarks/trust.py --task mp|aflow|superalloys

prints, for each property, errors and the metrics of the uncertainty on held-out records, and how well the domain
score tells withheld chemical systems from them. Withheld from training, validation and test alike are (1) all
chemical systems with one of some elements (in an alloy: from 1 wt% on), drawn by the seed until a tenth of the
records is out, and (2) a twelfth of the remaining chemical systems, drawn by the seed, whatever their elements.
Everything else is split as stated, and each record of the test part counts once: with folds, the test parts of all
folds together are judged, each by the model that did not see it. Withheld records are judged by the first fold's
model. The area under the ROC curve is that of the domain score for withheld records against the test part of the same
model, and against those of its records whose chemical system the model was trained on: a split by formula leaves most
test records in systems as new as the withheld.

"best Spearman" says how well the errors can be ranked at all, from the prediction and the composition: by a forest
taught the errors of the other test records, compositions kept together. It has seen test errors, which no model may;
nothing is chosen by it. "expected" is the Spearman correlation that the stated standard deviations would have with
normal errors of exactly their size: no ranking by standard deviations that differ as little can be better. The interval
is that of 95 % of the bootstrap samples of compositions.

The models are those of `matwright train` with `--ensemble` and `--forest`; the tables are read from the folder
MATWRIGHT_DATA. Networks already in --out are not trained again, but the trees beside them are learned and all is
calibrated anew.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import GroupKFold, cross_val_predict

from matwright.api.assessment import Parts, exact_targets
from matwright.api.columns import TableColumns
from matwright.api.conditions import coded_by
from matwright.api.folds import cross_validate
from matwright.api.parts import SplitSettings, split_settings
from matwright.api.predict import load_predictor
from matwright.api.train import judge_members, train
from matwright.api.train_settings import TrainSettings
from matwright.cli.progress import progress
from matwright.data.record import parse_row
from matwright.evaluation.metrics import RegressionReport, area_under_roc, report_regression
from matwright.evaluation.records import compositions, record_fractions
from matwright.graphs.packing import build_store
from matwright.graphs.store import GraphStore
from matwright.materials.properties import PropertySpec
from matwright.models.checkpoint import read_model_file
from matwright.models.interface import Prediction, join_property
from matwright.runs import provenance
from matwright.training.settings import protocol
from matwright.uncertainty.stored import save_trust

DATA = Path(os.environ.get("MATWRIGHT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
LEVELS = (0.5, 0.9, 0.95)
SHARE_OF_ELEMENTS, SHARE_OF_SYSTEMS, COMMON = 0.1, 1 / 12, 0.08
PARTS = ("test", "elements", "systems")
HELD_OUT = "held-out"
LEAST_FRACTION = 0.01
SAMPLES = 500
"""Of bootstraps, and of drawn errors."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A table, how it is read, and how it is divided.

    Attributes:
        load: reads the table.
        elements: the symbols of the elements of each row.
        columns: what the columns mean.
        split: how what is not withheld is divided.
        folds: of a cross-validation, 0 for one split.
        seconds, members: CPU seconds a member, and members, by default.
        forest: randomised trees beside them.
    """

    load: Callable[[], pd.DataFrame]
    elements: Callable[[pd.DataFrame], list[frozenset[str]]]
    columns: TableColumns
    split: SplitSettings
    folds: int
    seconds: float
    members: int
    forest: int = 0


def main() -> None:
    """Train, predict and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=tuple(TASKS), required=True)
    parser.add_argument("--seconds", type=float, help="CPU-seconds of training a member")
    parser.add_argument("--members", type=int, help="of each ensemble")
    parser.add_argument(
        "--forest", type=int, help="randomised trees beside each ensemble, and boosted ones; 0 for none"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="members that train at once")
    parser.add_argument("--out", type=Path, help="folder to keep the runs in")
    given = parser.parse_args()
    task = TASKS[given.task]
    task = replace(task, seconds=given.seconds or task.seconds, members=given.members or task.members)
    task = replace(task, forest=task.forest if given.forest is None else given.forest)
    print(
        f"commit {provenance()['commit'] or 'unknown'}, seed {given.seed}, {task.members} members of {task.seconds:g} "
        f"CPU-seconds, {task.forest} trees, {f'{task.folds} folds' if task.folds else 'one split'}, "
        f"split {task.split.describe()}"
    )
    with tempfile.TemporaryDirectory() as folder:
        run(task, given.seed, given.workers, given.out or Path(folder))


def run(task: Task, seed: int, workers: int, folder: Path) -> None:
    """Train on what is not withheld, and judge all three parts."""
    folder.mkdir(parents=True, exist_ok=True)
    table = task.load()
    elements = task.elements(table)
    parts = withheld(elements, seed)
    for part in np.unique(parts):
        table[parts == part].to_csv(folder / f"{part}.csv", index=False)
    source = task.columns.open(folder / "test.csv")
    settings = TrainSettings(
        specs=source.targets,
        split=task.split,
        protocol="default",
        how=protocol("default", minutes=task.seconds / 60),
        members=task.members,
        forest=task.forest,
        conditions=source.wanted.schema,
        seed=seed,
    )
    models = [folder / "run" / f"fold-{fold + 1}" for fold in range(task.folds)] or [folder / "run"]
    if all((model / "model.json").exists() for model in models):
        for model in models:
            calibrate(model, GraphStore.open(folder / "run" / "store"), source, settings)
    elif task.folds:
        cross_validate(source, settings, folds=task.folds, out=folder / "run", workers=workers, progress=progress())
    else:
        train(source, settings, out=folder / "run", workers=workers, progress=progress())
    tested = [judged(folder / "run", model, source) for model in models]
    print_report(source.targets, HELD_OUT, joined(tested))
    for part in PARTS[1:]:
        other = task.columns.open(folder / f"{part}.csv")
        strange = judged(folder / "run", models[0], other, store_of(other, models[0], folder / f"store-{part}"))
        print_report(source.targets, f"withheld {part}", strange)
        print_domain(part, tested[0], strange)


def withheld(elements: Sequence[frozenset[str]], seed: int) -> np.ndarray:
    """(n,) which part each row belongs to: "elements" and "systems" are withheld, "test" is the rest."""

    def rank(word: str) -> bytes:
        return hashlib.sha256(f"{seed}\0{word}".encode()).digest()

    held, chosen = np.zeros(len(elements), dtype=bool), []
    for symbol in sorted(frozenset().union(*elements), key=rank):
        own = np.array([symbol in row for row in elements])
        if own.mean() < COMMON and (held | own).mean() <= SHARE_OF_ELEMENTS:
            held |= own
            chosen.append(symbol)
    systems = ["-".join(sorted(row)) for row in elements]
    order = sorted({system for system, out in zip(systems, held, strict=True) if not out}, key=rank)
    drawn = set(order[: round(SHARE_OF_SYSTEMS * len(order))])
    parts = np.where(held, "elements", np.where([system in drawn for system in systems], "systems", "test"))
    counts = {part: int((parts == part).sum()) for part in PARTS}
    print(f"withheld elements {', '.join(chosen)}; {len(drawn)} of {len(order)} other systems; rows {counts}")
    return parts


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Records and what a model says of them.

    Attributes:
        truth: (n, n_targets), NaN where unknown.
        levels: predictions by property, by level of the intervals.
        fractions: (n, n_elements) atomic fractions.
        trained: (n,) whether the model's training part holds the chemical system.
    """

    truth: np.ndarray
    levels: dict[float, Mapping[str, Prediction]]
    fractions: np.ndarray
    trained: np.ndarray


def parts_of(model: Path) -> Mapping[str, np.ndarray]:
    """Part → places in the model's store."""
    with (model / "split.csv").open() as file:
        names = np.array([row["part"] for row in csv.DictReader(file)])
    return {part: np.flatnonzero(names == part) for part in ("train", "val", "test")}


def calibrate(model: Path, store: GraphStore, source: Any, settings: TrainSettings) -> None:
    """Learn the trees beside trained networks anew, and all that is taken on their own validation part."""
    described, own = read_model_file(model), parts_of(model)
    settings = replace(settings, members=described.n_members, forest=settings.forest if described.forest else 0)
    parts = Parts(train=own["train"], validation=own["val"], test=own["test"])
    coded = coded_by(store, source.wanted.schema, described.config.conditions)
    found, _ = judge_members(model, settings, described.config, coded, parts)
    save_trust(model, found.trust)


def judged(run: Path, model: Path, source: Any, store: GraphStore | None = None) -> Judged:
    """Predict the test part of a model of a run, or all of another store."""
    own = GraphStore.open(run / "store")
    chosen = parts_of(model)["test"] if store is None else np.arange(len(store))
    store = store or own
    levels = {}
    for level in LEVELS:
        predictor = load_predictor(model, level=level)
        coded = coded_by(store, source.wanted.schema, predictor.schema)
        levels[level] = predictor.predict_store(coded, chosen)
    fractions = record_fractions(store, chosen)
    home = set(systems(record_fractions(own, parts_of(model)["train"])))
    trained = np.array([system in home for system in systems(fractions)])
    return Judged(truth=exact_targets(store, chosen), levels=levels, fractions=fractions, trained=trained)


def systems(fractions: np.ndarray) -> list[bytes]:
    """(n,) the chemical system of each record: its elements from an atomic fraction of a hundredth on."""
    return [row.tobytes() for row in fractions >= LEAST_FRACTION]


def store_of(source: Any, model: Path, folder: Path) -> GraphStore:
    """The graphs of all records of a source, by the neighbour rule of a model."""
    schema = source.wanted.schema
    return build_store(
        source.rows(),
        parse_row,
        folder,
        source_hash=source.data_hash(),
        target_names=[spec.name for spec in source.targets],
        condition_names=() if schema is None else schema.names,
        settings=load_predictor(model).graph_settings,
    )


def joined(parts: Sequence[Judged]) -> Judged:
    """The test parts of all folds as one."""
    names = parts[0].levels[LEVELS[0]]
    return Judged(
        truth=np.concatenate([part.truth for part in parts]),
        levels={
            level: {name: join_property([part.levels[level][name] for part in parts]) for name in names}
            for level in LEVELS
        },
        fractions=np.concatenate([part.fractions for part in parts]),
        trained=np.concatenate([part.trained for part in parts]),
    )


def print_report(specs: Sequence[PropertySpec], part: str, found: Judged) -> None:
    """One line a property."""
    for column, spec in enumerate(specs):
        own, truth = found.levels[0.9][spec.name], found.truth[:, column]
        bounds = {level: (p[spec.name].lower, p[spec.name].upper) for level, p in found.levels.items()}
        report = report_regression(truth, own.mean, own.std, bounds, spec.unit)
        print(f"{part:18s} {spec.name}: {line(report)}")
        if part == HELD_OUT:
            low, high = likely(truth, own, found.fractions)
            print(
                f"{'':18s} {spec.name}: Spearman between {low:.2f} and {high:.2f}, "
                f"expected {expected(truth, own):.2f}, best {ceiling(truth, own, found.fractions):.2f}"
            )


def likely(truth: np.ndarray, prediction: Prediction, fractions: np.ndarray) -> tuple[float, float]:
    """Between which the correlation lies in 95 % of bootstrap samples of compositions."""
    known = ~np.isnan(truth)
    own, random = prediction.at(known), np.random.default_rng(0)
    error, sigma = np.abs(truth[known] - own.mean), own.std
    groups = compositions(fractions[known])
    members = [np.flatnonzero(groups == group) for group in range(groups.max() + 1)]
    found = []
    for _ in range(SAMPLES):
        drawn = np.concatenate([members[group] for group in random.integers(len(members), size=len(members))])
        found.append(spearmanr(error[drawn], sigma[drawn]).statistic)
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)


def expected(truth: np.ndarray, prediction: Prediction) -> float:
    """Spearman's correlation of normal errors with the standard deviations that they were drawn with."""
    sigma, random = prediction.std[~np.isnan(truth)], np.random.default_rng(0)
    draws = np.abs(random.normal(size=(SAMPLES, len(sigma)))) * sigma
    return float(np.mean([spearmanr(error, sigma).statistic for error in draws]))


def ceiling(truth: np.ndarray, prediction: Prediction, fractions: np.ndarray) -> float:
    """Spearman's correlation of errors with those that a forest expects which learned from other test records."""
    known = ~np.isnan(truth)
    own, fractions = prediction.at(known), fractions[known]
    error = np.abs(truth[known] - own.mean)
    columns = [own.mean, own.aleatoric, own.epistemic, own.domain_score]
    features = np.column_stack([*columns, fractions[:, fractions.any(axis=0)]])
    groups = compositions(fractions)
    forest = RandomForestRegressor(n_estimators=100, min_samples_leaf=10, max_features=0.5, random_state=0)
    expected = cross_val_predict(
        forest, features, np.log(error + 0.1 * np.median(error)), groups=groups, cv=GroupKFold()
    )
    return float(spearmanr(error, expected).statistic)


def line(report: RegressionReport) -> str:
    """The numbers of a report in one line."""
    covered = " / ".join(f"{100 * share:.1f}" for share in report.coverage.values())
    widths = " / ".join(f"{width:.4g}" for width in report.width.values())
    return (
        f"n {report.n}, MAE {report.mae:.4g} {report.unit}, coverage at 50/90/95 % {covered}, width {widths}, "
        f"Spearman {report.spearman:.2f}, NLL {report.nll:.2f}, CRPS {report.crps:.4g}, "
        f"miscalibration {report.miscalibration_area:.3f}, sharpness {report.sharpness:.4g}, ENCE {report.ence:.2f}"
    )


def print_domain(part: str, tested: Judged, strange: Judged) -> None:
    """How the domain score tells the withheld records from the test part of the same model."""
    home, away = (next(iter(some.levels[0.9].values())).domain_score for some in (tested, strange))
    share = 100 * tested.trained.mean()
    print(
        f"domain score of withheld {part}: AUC {separation(home, away):.3f} against the test part, "
        f"{separation(home[tested.trained], away):.3f} against the {share:.0f} % of it whose system was trained on; "
        f"median {np.median(away):.2f} against {np.median(home):.2f}; above 0.95 "
        f"{100 * (away > 0.95).mean():.0f} % against {100 * (home > 0.95).mean():.0f} %"
    )


def separation(home: np.ndarray, away: np.ndarray) -> float:
    """The area under the ROC curve of scores that should be higher away than at home."""
    labels = np.concatenate([np.zeros(len(home), np.int64), np.ones(len(away), np.int64)])
    return area_under_roc(labels, np.concatenate([home, away]))


def _formula_elements(formulas: Sequence[str]) -> list[frozenset[str]]:
    return [frozenset(re.findall("[A-Z][a-z]?", formula)) for formula in formulas]


def _cif_elements(table: pd.DataFrame) -> list[frozenset[str]]:
    sums = table["cif"].str.extract(r"_chemical_formula_sum\s+'?([^'\n]+)'?", expand=False)
    return _formula_elements(sums.tolist())


def _alloys() -> pd.DataFrame:
    """The rows with a strength; "alloy" names the composition, rounded to 0.1 wt%."""
    table = pd.read_csv(DATA / "ni_superalloys.csv.gz")
    table = table[table[["Yield Strength [MPa]", "Ultimate Tensile Strength [MPa]"]].notna().any(axis=1)]
    rounded = table.filter(regex="^wt_").fillna(0.0).round(1).astype(str)
    return table.assign(alloy=rounded.agg(" ".join, axis=1))


def _alloy_elements(table: pd.DataFrame) -> list[frozenset[str]]:
    """The elements from 1 wt% on: traces make no other alloy."""
    columns = [name for name in table.columns if name.startswith("wt_")]
    return [
        frozenset(name[3:] for name, share in zip(columns, row, strict=True) if share >= 1.0)
        for row in table[columns].to_numpy(float)
    ]


def _treatment(field: str, column: str) -> str:
    return f"treatment=Heat treatment {{n}} {column}:{field}"


TASKS: Mapping[str, Task] = {
    "mp": Task(
        load=lambda: pd.read_csv(DATA / "mp_crystals.csv.gz").query("source == 'mp20'"),
        elements=lambda table: _formula_elements(table["formula"].tolist()),
        columns=TableColumns(
            targets=("formation_energy_per_atom:eV/atom", "band_gap:eV"), structure="cif", split_column="split"
        ),
        split=split_settings(None, "split"),
        folds=0,
        seconds=60,
        members=5,
        forest=40,
    ),
    "aflow": Task(
        load=lambda: pd.read_csv(DATA / "aflow_crystals.csv.gz"),
        elements=_cif_elements,
        columns=TableColumns(targets=("bulk_modulus:GPa", "shear_modulus:GPa", "debye_temperature:K"), structure="cif"),
        split=split_settings("formula", None),
        folds=5,
        seconds=15,
        members=4,
    ),
    "superalloys": Task(
        load=_alloys,
        elements=_alloy_elements,
        columns=TableColumns(
            targets=(
                "yield_strength=Yield Strength [MPa]:MPa",
                "ultimate_tensile_strength=Ultimate Tensile Strength [MPa]:MPa",
            ),
            percents="wt_*",
            rescale=True,
            conditions=(
                "test_temperature=Test Temperature [degC]:degC",
                "powder=Powder processed",
                "precipitate=Strengthening Precipitate Phase",
            ),
            step_columns=(
                _treatment("temperature:degC", "Temperature [degC]"),
                _treatment("time:h", "Time [hours]"),
                _treatment("cooling", "Cooling"),
            ),
            group_column="alloy",
        ),
        split=split_settings(None, None, "alloy"),
        folds=5,
        seconds=12,
        members=5,
        forest=40,
    ),
}


if __name__ == "__main__":
    main()
