"""Train: from a table of materials to a calibrated ensemble with its card, in one run folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from matwright.api.about import about_run, with_extra
from matwright.api.assessment import Assessment, Parts, assess, write_pictures
from matwright.api.blend import check_forest, forest_beside, left_out
from matwright.api.card import CARD_FILE, model_card
from matwright.api.conditions import coded_by
from matwright.api.labels import FOLDER, OtherLabels
from matwright.api.member import MemberJob, fit_member
from matwright.api.parts import choose_parts
from matwright.api.preparation import graphs_of, labelled, suited
from matwright.api.start import about_start, check_materials, start_folder, with_network
from matwright.api.train_settings import TrainSettings
from matwright.data.record import Rejection, RejectionLog
from matwright.data.sources import Source
from matwright.errors import InputError
from matwright.graphs.store import GraphStore
from matwright.models.config import GemPpmConfig
from matwright.progress import Progress, silent
from matwright.runs import RunFolder
from matwright.serialization import atomic_write_text
from matwright.training.members import default_at_once, run_members, stop_on_interrupt

if TYPE_CHECKING:
    from matwright.models.interface import PropertyModel
    from matwright.training.fit import FitResult

KIND = "train"
STORE_FOLDER, SPLIT_FILE, LOG_FILE = "store", "split.csv", "log.csv"
SUSPICIOUS_FILE = "suspicious.csv"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """A finished run.

    Attributes:
        folder: which `load_predictor` reads.
        metrics: plain numbers by part ("validation", "test") and property (see `assess`).
        rejected: rows of the table that could not be used; they stand in `rejected.csv`.
        suspicious: records with processing steps that are hard to believe; they stand in `suspicious.csv`.
        leakage: what the split's check found, "" where it found nothing.
    """

    folder: Path
    metrics: Mapping[str, Mapping[str, Any]]
    rejected: int
    suspicious: int
    leakage: str


def train(
    source: Source,
    settings: TrainSettings,
    *,
    out: Path,
    resume: bool = False,
    workers: int | None = None,
    strict: bool = False,
    store_folder: Path | None = None,
    name: str | None = None,
    facts: Mapping[str, Any] | None = None,
    labels: OtherLabels | None = None,
    progress: Progress | None = None,
) -> TrainResult:
    """Train an ensemble on a source of materials and leave a calibrated model with its card in the folder `out`.

    The folder then holds model.json, member-*.safetensors, calibration.safetensors, card.md, metrics.json, log.csv,
    learning-curve.png, parity-<property>.png, split.csv, rejected.csv, suspicious.csv and run.json. A run that was
    interrupted or killed goes on with `resume`.

    Args:
        source: opened with the targets of the settings, in their order.
        settings: what decides the result.
        out: a new folder, or with `resume` that of the interrupted run.
        resume: go on with the run in `out`.
        workers: processes that read structures, and members that train at once; by default one a processor.
        strict: stop at the first row that cannot be used, instead of writing it to rejected.csv.
        store_folder: where the graphs are kept, and found again by a later run; by default within `out`.
        name: of the model, for the card; by default that of the folder.
        facts: further facts for the card: "origin" of the data, "limits" (a list of sentences).
        labels: values that are learned in the place of those of the source, also for records without a known value;
            calibration and errors are still taken on the known values.
        progress: told what goes on.

    Raises:
        InputError: the source, the split or the folder do not allow the run.
        CalculationError: training diverged.
    """
    if source.targets != settings.specs:
        raise InputError("the source was opened for other targets than those of the settings")
    if source.wanted.schema != settings.conditions:
        raise InputError("the source was opened for other conditions than those of the settings")
    asked, settings = settings, with_network(settings)
    base = settings.config  # says what does not fit before anything is read
    check_forest(settings)
    listener, at_once = progress or silent(), workers or default_at_once()
    data_hash = source.data_hash()
    run = _claim(out, asked, data_hash, None if labels is None else labels.made_by, resume=resume)
    store, rejected = graphs_of(
        source, settings, data_hash, store_folder or out / STORE_FOLDER, out, at_once, strict, listener
    )
    suspicious = _report_doubts(source, out / SUSPICIOUS_FILE)
    chosen = choose_parts(store, source, settings.split, seed=settings.seed, workers=at_once, progress=listener)
    parts = labelled(chosen.parts, store, keep_train=labels is not None)
    _write_split(out / SPLIT_FILE, store, parts)
    check_materials(settings, store.lattices[parts.train])
    config = suited(base, settings, source, store, parts)
    taught = store.path if labels is None else labels.written(store, out / FOLDER, listener)
    jobs = _jobs(settings, config, store, taught, parts, out, resume=resume)
    results = _fit_all(jobs, at_once, listener)
    listener.start("calibrating and judging")
    known = coded_by(store, settings.conditions, config.conditions)
    found, weights = judge_members(out, settings, config, known, parts)
    write_pictures(out, results, found, store, parts, settings.specs)
    _write_logs(out, results)
    about = {
        **about_run(source, settings, config, known, parts, results, found),
        "forest": weights,
        **about_start(settings),
        "split": {"method": settings.split.describe(), "counts": _counts(parts), "leakage": chosen.leakage},
    }
    unlabelled = len(store) - sum(_counts(parts).values())
    about["data"] |= {"hash": data_hash, "rejected": rejected, "suspicious": suspicious, "unlabelled": unlabelled}
    _finish(out, settings, config, found, with_extra(about, facts or {}), name or out.resolve().name)
    run.finish({"metrics": found.metrics, "rejected": rejected, "suspicious": suspicious})
    listener.finish()
    return TrainResult(
        folder=out, metrics=found.metrics, rejected=rejected, suspicious=suspicious, leakage=chosen.leakage
    )


def _claim(
    out: Path, settings: TrainSettings, data_hash: str, labels: Mapping[str, object] | None, *, resume: bool
) -> RunFolder:
    how = {name: value for name, value in asdict(settings.how.settings).items() if name != "save_seconds"}
    described = {**asdict(settings), "how": how, "dropout": settings.how.dropout}
    described |= {} if labels is None else {"labels": dict(labels)}
    if not resume:
        return RunFolder.create(out, kind=KIND, settings=described, seed=settings.seed, data_hash=data_hash)
    run = RunFolder.open_for_resume(out, kind=KIND, settings=described, seed=settings.seed, data_hash=data_hash)
    if run.is_finished:
        raise InputError(f"the run in {out} is finished; there is nothing to resume")
    return run


def _report_doubts(source: Source, path: Path) -> int:
    """Write down the records whose processing is possible but hard to believe, and return how many there are."""
    schema = source.wanted.schema
    with RejectionLog(path) as log:
        for row in source.rows() if schema is not None and schema.steps is not None else ():
            if row.doubts and row.problem is None:
                log.add(Rejection.of(row, "; ".join(row.doubts)))
        return log.count


def _write_split(path: Path, store: GraphStore, parts: Parts) -> None:
    """Write which record is in which part: columns id, part."""
    names = np.full(len(store), "", dtype="U10")
    names[parts.train], names[parts.validation], names[parts.test] = "train", "val", "test"
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([("id", "part"), *zip(store.ids, names.tolist(), strict=True)])
    atomic_write_text(path, buffer.getvalue())


def _jobs(
    settings: TrainSettings,
    config: GemPpmConfig,
    store: GraphStore,
    taught: Path | None,
    parts: Parts,
    out: Path,
    *,
    resume: bool,
) -> list[MemberJob]:
    """One job a member; beside a forest, each leaves out a share of the training part, by composition."""
    if taught is None:
        raise InputError("training needs a graph store on disk")
    unseen = left_out(settings, store, parts)
    return [
        MemberJob(
            folder=out,
            store=taught,
            train=parts.train[~unseen(index)],
            validation=parts.validation,
            specs=settings.specs,
            config=config,
            schema=settings.conditions,
            start=start_folder(settings),
            settings=settings.how.settings,
            index=index,
            seed=settings.seed,
            device=settings.device,
            resume=resume,
        )
        for index in range(settings.members)
    ]


def _fit_all(jobs: Sequence[MemberJob], at_once: int, progress: Progress) -> list[FitResult]:
    """Train one member in this process, several in one process each."""
    if len(jobs) > 1:
        return run_members(fit_member, jobs, progress=progress, at_once=at_once)
    with stop_on_interrupt() as keep_going:
        return [fit_member(jobs[0], progress, keep_going)]


def judge_members(
    out: Path, settings: TrainSettings, config: GemPpmConfig, store: GraphStore, parts: Parts
) -> tuple[Assessment, dict[str, tuple[float, ...]]]:
    """Return the calibrated model's errors, and the weights of the trees in each property where they stand beside.

    The trained networks are read from the folder `out`; trees beside them are learned and written there.
    """
    # heavy (torch): behind its door
    from matwright.models.checkpoint import load_member
    from matwright.training.compute import fast_mode
    from matwright.uncertainty.ensemble import EnsembleModel

    members = [load_member(out, index, config, settings.specs) for index in range(settings.members)]
    with fast_mode():
        model: PropertyModel = EnsembleModel(members)
        if not settings.forest:
            return assess(model, store, parts, settings.specs, seed=settings.seed), {}
        shares, unseen = forest_beside(members, out, settings, config, store, parts)
        weights = {name: share.weights for name, share in shares.shares.items()}
        blend = shares.around(model)
        return assess(blend, store, parts, settings.specs, seed=settings.seed, unseen=unseen), weights


def _write_logs(out: Path, results: Sequence[FitResult]) -> None:
    """Write the members' learning curves as one table; the first column names the member."""
    lines: list[str] = []
    for index in range(len(results)):
        header, *rows = (out / "members" / str(index) / LOG_FILE).read_text().splitlines()
        lines += [f"member,{header}"] if not lines else []
        lines += [f"{index},{row}" for row in rows]
    atomic_write_text(out / LOG_FILE, "\n".join(lines) + "\n")


def _counts(parts: Parts) -> dict[str, int]:
    return {"train": len(parts.train), "val": len(parts.validation), "test": len(parts.test)}


def _finish(
    out: Path,
    settings: TrainSettings,
    config: GemPpmConfig,
    found: Assessment,
    facts: Mapping[str, Any],
    name: str,
) -> None:
    """Write calibration, card and, last, model.json."""
    # heavy (torch): behind its door
    from matwright.models.checkpoint import ModelFile, write_model_file
    from matwright.uncertainty.stored import save_trust

    save_trust(out, found.trust)
    atomic_write_text(out / CARD_FILE, model_card(name, settings.specs, facts))
    described = ModelFile(
        specs=settings.specs, config=config, n_members=settings.members, forest=settings.forest > 0, facts=facts
    )
    write_model_file(out, described)
