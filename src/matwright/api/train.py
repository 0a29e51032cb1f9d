"""Train: from a table of crystals to a calibrated ensemble with its card, in one run folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from matwright.api.assessment import Assessment, Parts, assess, write_pictures
from matwright.api.card import CARD_FILE, model_card
from matwright.api.member import MemberJob, fit_member
from matwright.api.parts import SplitSettings, choose_parts
from matwright.data.record import Rejection, RejectionLog, parse_row
from matwright.data.sources import Source
from matwright.elements import symbol
from matwright.errors import InputError
from matwright.graphs.packing import build_store
from matwright.graphs.store import GraphStore
from matwright.graphs.writer import RowPlace
from matwright.materials.properties import PropertySpec
from matwright.models.config import GemPpmConfig, HeadConfig, HeadKind
from matwright.progress import Progress, silent
from matwright.rng import check_seed
from matwright.runs import RunFolder, provenance
from matwright.serialization import atomic_write_text
from matwright.training.members import default_at_once, run_members, stop_on_interrupt
from matwright.training.settings import TrainingProtocol

if TYPE_CHECKING:
    from matwright.training.fit import FitResult

KIND = "train"
STORE_FOLDER, SPLIT_FILE, LOG_FILE, REJECTED_FILE = "store", "split.csv", "log.csv", "rejected.csv"


@final
class Loss(StrEnum):
    """What a numeric target is learned by.

    MAE the absolute error of the mean, with a spread learned beside it that does not touch the mean; GAUSSIAN mean
    and spread together by their likelihood.
    """

    MAE = "mae"
    GAUSSIAN = "gaussian"


HEAD_OF_LOSS: Mapping[Loss, HeadKind] = {Loss.MAE: HeadKind.DECOUPLED, Loss.GAUSSIAN: HeadKind.GAUSSIAN}


def loss_named(word: str) -> Loss:
    """Return the loss of that name.

    Raises:
        InputError: there is none.
    """
    if word not in [loss.value for loss in Loss]:
        raise InputError(f"a loss is one of {', '.join(loss.value for loss in Loss)}, found {word!r}")
    return Loss(word)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """What decides the result of a training run, beside the data.

    Attributes:
        specs: the targets, by column.
        split: how the data are divided.
        protocol: name of the training protocol, for the card.
        how: the protocol itself, with its budget.
        members: models in the ensemble, at least 1.
        loss: of numeric targets.
        network: sizes of the network; its heads are replaced by the targets'. None for the default sizes.
        seed: of the whole run.
        device: "cpu", "cuda" or "auto".
    """

    specs: tuple[PropertySpec, ...]
    split: SplitSettings
    protocol: str
    how: TrainingProtocol
    members: int = 1
    loss: Loss = Loss.MAE
    network: GemPpmConfig | None = None
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if not self.specs:
            raise InputError("nothing to learn: name at least one target, for instance band_gap:eV")
        if self.members < 1:
            raise InputError(f"an ensemble has at least 1 member, found {self.members}")

    @property
    def config(self) -> GemPpmConfig:
        """The network of every member."""
        heads = tuple(
            HeadConfig(name=spec.name, kind=HeadKind.CLASS, n_classes=len(spec.classes))
            if spec.classes
            else HeadConfig(name=spec.name, kind=HEAD_OF_LOSS[self.loss])
            for spec in self.specs
        )
        base = GemPpmConfig(heads=heads) if self.network is None else replace(self.network, heads=heads)
        return base if self.how.dropout is None else replace(base, dropout=self.how.dropout)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """A finished run.

    Attributes:
        folder: which `load_predictor` reads.
        metrics: plain numbers by part ("validation", "test") and property (see `assess`).
        rejected: rows of the table that could not be used; they stand in `rejected.csv`.
        leakage: what the split's check found, "" where it found nothing.
    """

    folder: Path
    metrics: Mapping[str, Mapping[str, Any]]
    rejected: int
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
    progress: Progress | None = None,
) -> TrainResult:
    """Train an ensemble on a source of crystals and leave a calibrated model with its card in the folder `out`.

    The folder then holds model.json, member-*.safetensors, calibration.safetensors, card.md, metrics.json, log.csv,
    learning-curve.png, parity-<property>.png, split.csv, rejected.csv and run.json. A run that was interrupted or
    killed goes on with `resume`.

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
        progress: told what goes on.

    Raises:
        InputError: the source, the split or the folder do not allow the run.
        CalculationError: training diverged.
    """
    if source.targets != settings.specs:
        raise InputError("the source was opened for other targets than those of the settings")
    listener, at_once = progress or silent(), workers or default_at_once()
    data_hash = source.data_hash()
    run = _claim(out, settings, data_hash, resume=resume)
    store, rejected = _graphs(
        source, settings, data_hash, store_folder or out / STORE_FOLDER, out, at_once, strict, listener
    )
    chosen = choose_parts(store, source, settings.split, seed=settings.seed, workers=at_once, progress=listener)
    parts = chosen.parts
    _write_split(out / SPLIT_FILE, store, parts)
    jobs = _jobs(settings, store, parts, out, resume=resume)
    results = _fit_all(jobs, at_once, listener)
    listener.start("calibrating and judging")
    found = _judge(out, settings, store, parts)
    write_pictures(out, results, found, store, parts, settings.specs)
    _write_logs(out, results)
    about = {
        **_facts(source, settings, store, parts, results, found, rejected, data_hash),
        "split": {"method": settings.split.describe(), "counts": _counts(parts), "leakage": chosen.leakage},
    }
    _finish(out, settings, found, _with_extra(about, facts or {}), name or out.resolve().name)
    run.finish({"metrics": found.metrics, "rejected": rejected})
    listener.finish()
    return TrainResult(folder=out, metrics=found.metrics, rejected=rejected, leakage=chosen.leakage)


def _claim(out: Path, settings: TrainSettings, data_hash: str, *, resume: bool) -> RunFolder:
    how = {name: value for name, value in asdict(settings.how.settings).items() if name != "save_seconds"}
    described = {**asdict(settings), "how": how, "dropout": settings.how.dropout}
    if not resume:
        return RunFolder.create(out, kind=KIND, settings=described, seed=settings.seed, data_hash=data_hash)
    run = RunFolder.open_for_resume(out, kind=KIND, settings=described, seed=settings.seed, data_hash=data_hash)
    if run.is_finished:
        raise InputError(f"the run in {out} is finished; there is nothing to resume")
    return run


def _graphs(
    source: Source,
    settings: TrainSettings,
    data_hash: str,
    folder: Path,
    out: Path,
    workers: int,
    strict: bool,  # noqa: FBT001
    progress: Progress,
) -> tuple[GraphStore, int]:
    """Return the graph store of the source, built or found, and how many rows could not be used."""
    first: list[Rejection] = []
    with RejectionLog(out / REJECTED_FILE, strict=strict) as log:

        def reject(row: RowPlace, reason: str) -> None:
            rejection = Rejection(file=row.file, row=row.number, id=row.id, reason=" ".join(reason.split()))
            first[:] = first or [rejection]
            log.add(rejection)

        try:
            store = build_store(
                source.rows(),
                parse_row,
                folder,
                source_hash=data_hash,
                target_names=[spec.name for spec in settings.specs],
                settings=settings.config.graph,
                workers=workers,
                on_reject=reject,
                progress=progress,
            )
        except InputError as error:
            if strict or not first:
                raise
            raise InputError(f"{error}; the first: {first[0]}") from error
    return store, log.count


def _write_split(path: Path, store: GraphStore, parts: Parts) -> None:
    """Write which record is in which part: columns id, part."""
    names = np.full(len(store), "", dtype="U10")
    names[parts.train], names[parts.validation], names[parts.test] = "train", "val", "test"
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([("id", "part"), *zip(store.ids, names.tolist(), strict=True)])
    atomic_write_text(path, buffer.getvalue())


def _jobs(settings: TrainSettings, store: GraphStore, parts: Parts, out: Path, *, resume: bool) -> list[MemberJob]:
    if store.path is None:
        raise InputError("training needs a graph store on disk")
    return [
        MemberJob(
            folder=out,
            store=store.path,
            train=parts.train,
            validation=parts.validation,
            specs=settings.specs,
            config=settings.config,
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


def _judge(out: Path, settings: TrainSettings, store: GraphStore, parts: Parts) -> Assessment:
    # heavy (torch): behind its door
    from matwright.models.checkpoint import load_member
    from matwright.training.compute import fast_mode
    from matwright.uncertainty.ensemble import EnsembleModel

    members = [load_member(out, index, settings.config, settings.specs) for index in range(settings.members)]
    with fast_mode():
        return assess(EnsembleModel(members), store, parts, settings.specs, seed=settings.seed)


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


def _facts(
    source: Source,
    settings: TrainSettings,
    store: GraphStore,
    parts: Parts,
    results: Sequence[FitResult],
    found: Assessment,
    rejected: int,
    data_hash: str,
) -> dict[str, Any]:
    """Return what made the model and how good it is, as plain JSON for the card and for programs."""
    from matwright.models.gem_ppm import GemPpm  # heavy (torch): behind its door

    made, how = provenance(), settings.how
    sizes = store.atom_counts[parts.train]
    return {
        "members": settings.members,
        "parameters": sum(p.numel() for p in GemPpm(settings.config).parameters()),
        "seed": settings.seed,
        "version": made["version"],
        "commit": made["commit"],
        "platform": made["platform"],
        "data": {
            "file": source.path.name,
            "hash": data_hash,
            "records": len(store),
            "rejected": rejected,
            "elements": _elements(store, parts),
            "smallest": int(sizes.min()),
            "largest": int(sizes.max()),
        },
        "fit": {
            "protocol": settings.protocol,
            "note": how.note,
            "loss": settings.loss.value,
            "epochs": how.settings.epochs,
            "minutes": how.settings.minutes,
            "cpu_seconds": sum(result.seconds for result in results),
            "records_per_second": float(np.mean([result.records_per_second for result in results])),
            "stopped_early": [result.stopped_early for result in results],
        },
        "metrics": found.metrics,
    }


def _elements(store: GraphStore, parts: Parts) -> list[str]:
    """Return the symbols of the elements in the training part, by atomic number."""
    seen = np.zeros(256, dtype=bool)
    for start in range(0, len(parts.train), 256):
        batch = store.batch(parts.train[start : start + 256])
        seen[batch.numbers.numpy()] = True
        seen[batch.share_numbers.numpy()] = True
    return [symbol(int(number)) for number in np.flatnonzero(seen)]


def _with_extra(about: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    known = {"origin", "limits"}
    if unknown := set(extra) - known:
        raise InputError(f"unknown facts {sorted(unknown)}; the known ones are {sorted(known)}")
    data = {**about["data"], "origin": extra.get("origin")}
    return {**about, "data": data, "limits": list(extra.get("limits", ()))}


def _finish(out: Path, settings: TrainSettings, found: Assessment, facts: Mapping[str, Any], name: str) -> None:
    """Write calibration, card and, last, model.json."""
    # heavy (torch): behind its door
    from matwright.models.checkpoint import ModelFile, write_model_file
    from matwright.uncertainty.stored import save_trust

    save_trust(out, found.trust)
    atomic_write_text(out / CARD_FILE, model_card(name, settings.specs, facts))
    write_model_file(
        out, ModelFile(specs=settings.specs, config=settings.config, n_members=settings.members, facts=facts)
    )
