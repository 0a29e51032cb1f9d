"""The design run: every stage in order, each resumable, then the tables and the report."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matwright.api.design import result
from matwright.api.design.describe import formula_of
from matwright.api.design.finishing import Finisher, ranking, relaxed_record
from matwright.api.design.ingredients import Ingredients, gather
from matwright.api.design.journal import Journal
from matwright.api.design.outcomes import outcome_from_json, outcome_to_json
from matwright.api.design.proposal import CHUNK, Proposer, n_chunks
from matwright.api.design.records import DesignRecord, record_from_json, record_to_json
from matwright.api.design.result import DesignResult
from matwright.api.design.selection import Scoring, chosen_in_order, select
from matwright.api.design.settings import DesignSettings
from matwright.api.design.surrogate import Predictor
from matwright.api.design.tables import write_tables
from matwright.api.design.workers import Task, relax_in_workers
from matwright.api.readiness import READINESS_FILE, KnowingModel, Readiness, assess_readiness, knowing_models
from matwright.generation.interface import Generator
from matwright.progress import Progress, silent
from matwright.runs import RunFolder
from matwright.screening.potential import Failure
from matwright.screening.relax import Outcome
from matwright.serialization import atomic_write_text, write_json

KIND = "design"
JOURNAL = "journal"
REPORT = "report.html"
LARGEST_TASK = 8
"""Crystals that are relaxed together at most; smaller where the budget is small, so that all workers have work."""


def design(
    settings: DesignSettings,
    out: str | os.PathLike[str],
    *,
    resume: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
    generator: Generator | None = None,
    predictors: Mapping[str, Predictor] | None = None,
    on_ready: Callable[[Readiness], None] | None = None,
) -> DesignResult:
    """Go from demands to ranked candidates with evidence, and write everything into a folder.

    Args:
        settings: what is asked for.
        out: a new folder, or with `resume` the folder of an interrupted run with the same settings.
        resume: go on with the run in `out`; what it has already computed is kept.
        workers: processes that relax; None: one a CPU. It does not change the result.
        progress: listens to the stages.
        generator, predictors: given objects take the place of those that the settings name.
        on_ready: told what the models know of the targets, before anything is generated.

    Raises:
        InputError: a demand that cannot be met, or a folder that holds something else; nothing is written then.
        OSError: the disk is full; the run can be resumed.
    """
    listener = progress if progress is not None else silent()
    listener.start("load models and tables")
    parts = gather(settings, generator=generator, predictors=predictors)
    folder = _claim(parts, out, resume=resume)
    ready = _readiness(parts, folder, shipped=predictors is None)
    if on_ready is not None:
        on_ready(ready)
    records = _propose(parts, folder, listener)
    scoring = Scoring(parts.settings, records)
    records = select(records, parts.settings, scoring)
    relaxed = _relax(parts, folder, chosen_in_order(records), workers or os.cpu_count() or 1, listener)
    listener.start("hull and second prediction", len(relaxed))
    finisher = Finisher(parts.settings, parts.surrogates, parts.library, parts.hull, parts.references, scoring)
    by_id = {record.id: record for record in finisher.finish(relaxed)}
    records = [by_id.get(record.id, record) for record in records]
    listener.advance(len(relaxed))
    outcome = DesignResult(
        records=tuple(records),
        ranked=ranking(records),
        targets=settings.targets,
        stability=settings.stability,
        notes=_notes(records, settings),
        provenance={"novelty": parts.library.statement(), **folder.record},
        readiness=ready,
    )
    _write(outcome, folder, listener)
    return outcome


def _claim(parts: Ingredients, out: str | os.PathLike[str], *, resume: bool) -> RunFolder:
    settings = {**_plain(parts.settings), "ingredients": dict(parts.hashes)}
    if resume:
        return RunFolder.open_for_resume(out, kind=KIND, settings=settings, seed=parts.settings.seed)
    return RunFolder.create(out, kind=KIND, settings=settings, seed=parts.settings.seed)


def _readiness(parts: Ingredients, folder: RunFolder, *, shipped: bool) -> Readiness:
    """What the models that the settings name know of the targets; given predictors do not say what they know."""
    settings = parts.settings
    if shipped:
        models = knowing_models(settings.models)
    else:
        predicted = frozenset(parts.surrogates.source)
        models = [KnowingModel(name="the model", properties=predicted, knowledge={}, elements=frozenset())]
    ready = assess_readiness(
        settings.targets, models, constraints=settings.constraints, conditions=settings.conditions, hull=parts.hull
    )
    write_json(folder.file(READINESS_FILE), ready.as_dict())
    return ready


def _plain(settings: DesignSettings) -> dict[str, Any]:
    """The settings as `run.json` shows them: targets in the words of the command line, conditions if any."""
    fields = {name: getattr(settings, name) for name in settings.__dataclass_fields__ if name != "seed"}
    if not settings.conditions:  # then the run is the same as before there were any
        del fields["conditions"]
    return {**fields, "targets": [str(target) for target in settings.targets], "pool": settings.pool_size}


def _propose(parts: Ingredients, folder: RunFolder, progress: Progress) -> list[DesignRecord]:
    """Every candidate of the pool after the cheap rungs; chunks that are on disk are read, not made."""
    progress.start("generate, check and predict", parts.settings.pool_size)
    proposer = Proposer(parts.settings, parts.generator, parts.surrogates, parts.library)
    records: list[DesignRecord] = []
    for index in range(n_chunks(parts.settings)):
        path = folder.file(JOURNAL, f"pool-{index:04d}.jsonl")
        if path.exists():
            chunk = [record_from_json(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
            proposer.remember(chunk)
        else:
            chunk = proposer.chunk(index)
            _write_lines(path, chunk)
        records += chunk
        progress.advance(min(CHUNK, parts.settings.pool_size - index * CHUNK))
        progress.note(f"{sum(record.alive for record in records)} fit for relaxation")
    progress.finish()
    return records


def _write_lines(path: Path, records: Sequence[DesignRecord]) -> None:
    lines = (json.dumps(record_to_json(record), separators=(",", ":")) for record in records)
    atomic_write_text(path, "".join(line + "\n" for line in lines))


def _relax(
    parts: Ingredients, folder: RunFolder, chosen: Sequence[DesignRecord], workers: int, progress: Progress
) -> list[DesignRecord]:
    """The chosen candidates with their relaxation; outcomes that are in the journal are kept."""
    settings = parts.settings
    journal = Journal(folder.file(JOURNAL, "relaxations.jsonl"))
    outcomes = {entry["id"]: outcome_from_json(entry["outcome"]) for entry in journal.entries}
    tasks = [task for task in tasks_of(chosen) if any(identity not in outcomes for identity, _ in task)]
    progress.start(f"relax with {settings.potential}", len(chosen))
    progress.advance(sum(record.id in outcomes for record in chosen))
    formulas = {record.id: formula_of(record.candidate.crystal) for record in chosen}

    def done(identity: str, outcome: Outcome) -> None:
        if identity in outcomes:  # a task that was interrupted is repeated as a whole
            return
        journal.append({"id": identity, "outcome": outcome_to_json(outcome)})
        outcomes[identity] = outcome
        progress.advance()
        progress.note(f"{formulas[identity]}: {_remark(outcome)}")

    relax_in_workers(tasks, potential=settings.potential, settings=settings.relaxation, workers=workers, on_done=done)
    progress.finish()
    return [relaxed_record(record, outcomes[record.id], settings.potential, settings.thresholds) for record in chosen]


def tasks_of(chosen: Sequence[DesignRecord]) -> list[Task]:
    """Fixed groups in the order of score; their size depends on nothing but the number of candidates."""
    size = min(max(-(-len(chosen) // 8), 1), LARGEST_TASK)
    entries = [(record.id, record.candidate.crystal) for record in chosen]
    return [tuple(entries[start : start + size]) for start in range(0, len(entries), size)]


def _remark(outcome: Outcome) -> str:
    if isinstance(outcome, Failure):
        return f"failed ({outcome.reason})"
    return f"{outcome.steps} steps" if outcome.converged else outcome.reason


def _notes(records: Sequence[DesignRecord], settings: DesignSettings) -> tuple[str, ...]:
    """What a reader must know before the numbers."""
    notes = []
    sent = [rung for record in records if (rung := record.rung(result.RELAXATION)) is not None]
    if len(sent) < settings.budget:
        notes.append(
            f"Only {len(sent)} of the {settings.budget} candidates in the budget were relaxed: no more of the "
            f"{len(records)} "
            "generated ones passed the rungs before. A larger pool (--pool) or wider targets give more."
        )
    failed = sum(not rung.passed for rung in sent)
    if failed:
        notes.append(
            f"{failed} of {len(sent)} relaxations failed or did not come to rest; the table gives each reason."
        )
    return tuple(notes)


def _write(outcome: DesignResult, folder: RunFolder, progress: Progress) -> None:
    from matwright.api.report import render_report  # heavy: behind its door

    progress.start("write tables and report")
    cifs = write_tables(outcome, folder)
    atomic_write_text(folder.path / REPORT, render_report(outcome, title=folder.path.resolve().name, cifs=cifs))
    steps = {step.rung: {"entered": step.entered, "passed": step.passed} for step in outcome.funnel()}
    folder.finish({"generated": len(outcome.records), "survivors": len(outcome.ranked), "rungs": steps})
    progress.finish()
