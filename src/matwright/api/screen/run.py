"""The screening: crystals read, rungs climbed one after the other, everything written down as it comes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from matwright.api.design.journal import Journal
from matwright.api.design.records import (
    DesignRecord,
    crystal_from_json,
    crystal_to_json,
    rung_from_json,
    rung_to_json,
)
from matwright.api.inputs import read_inputs
from matwright.api.screen.files import write_screening
from matwright.api.screen.result import ScreenResult
from matwright.api.screen.settings import ScreenSettings
from matwright.api.screen.stages import StageLoader
from matwright.data.record import RawRow, Rejection, RejectionLog, parse_row
from matwright.errors import InputError, MatwrightError
from matwright.generation.interface import Candidate, Provenance
from matwright.materials.crystal import Crystal
from matwright.progress import Progress, silent
from matwright.runs import RunFolder
from matwright.screening.stage import Climb, Stage
from matwright.serialization import hash_json

KIND = "screen"
GIVEN = "given"
"""What stands in the place of a generator for a crystal that came from a file."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Where the crystals come from.

    Attributes:
        paths: structure files, folders or archives of them, tables.
        structure: the column of a table that holds the structures.
        id_column: the column of a table that names them.
        strict: whether the first row that cannot be used stops everything.
    """

    paths: tuple[Path, ...]
    structure: str | None = None
    id_column: str | None = None
    strict: bool = False


def screen(
    inputs: Inputs,
    settings: ScreenSettings,
    out: str | os.PathLike[str],
    *,
    resume: bool = False,
    progress: Progress | None = None,
    on_reject: Callable[[Rejection], None] | None = None,
) -> ScreenResult:
    """Send crystals up the cascade, and write every verdict, the survivors and a report into a folder.

    Args:
        inputs: where the crystals come from.
        settings: limits, demands and the last rung.
        out: a new folder, or with `resume` that of an interrupted screening of the same crystals and settings.
        resume: go on with the screening in `out`; what it has already computed is kept.
        progress: listens to the rungs.
        on_reject: told of each row that cannot be used.

    Raises:
        InputError: no crystal can be used, a model or potential is not there, or the folder holds something else.
    """
    listener = progress if progress is not None else silent()
    listener.start("read structures")
    named, rejections = _read(inputs)
    if on_reject is not None:
        for rejection in rejections:
            on_reject(rejection)
    loader = StageLoader(settings)
    first = {rung: loader.load(rung) for rung in settings.rungs if rung == "surrogate"}  # a target nobody can predict
    folder = _claim(named, settings, out, resume=resume)
    if rejections:
        with RejectionLog(folder.file("rejected.csv")) as log:
            for rejection in rejections:
                log.add(rejection)
    records = [_record(number, name, crystal) for number, (name, crystal) in enumerate(named)]
    journal = _Notes(Journal(folder.file("journal", "rungs.jsonl")))
    for rung in settings.rungs:
        records = _climb(rung, records, journal, lambda name: first.get(name) or loader.load(name), listener)
    result = ScreenResult(
        records=tuple(records), settings=settings, n_rejected=len(rejections), provenance=folder.record
    )
    listener.start("write tables and report")
    write_screening(result, folder)
    return result


def _read(inputs: Inputs) -> tuple[list[tuple[str, Crystal]], list[Rejection]]:
    """(name, crystal) of every row that holds one, in order, and the rows that do not."""
    found: list[tuple[str, Crystal]] = []
    rejections: list[Rejection] = []
    log = RejectionLog(strict=inputs.strict)
    for row in read_inputs(inputs.paths, structure=inputs.structure, id_column=inputs.id_column):
        try:
            found.append((row.id, _crystal(row)))
        except MatwrightError as problem:
            rejection = Rejection.of(row, problem)
            log.add(rejection)
            rejections.append(rejection)
    if not found:
        raise InputError(f"none of the {len(rejections)} structures could be used; the first: {rejections[0]}")
    return found, rejections


def _crystal(row: RawRow) -> Crystal:
    structure = parse_row(row)
    if not isinstance(structure, Crystal):
        raise InputError("only crystals are screened; a formula or molecule has no place in the cascade")
    if not structure.is_ordered:
        raise InputError("a disordered crystal cannot be screened: order it first")
    return structure


def _claim(
    named: Sequence[tuple[str, Crystal]], settings: ScreenSettings, out: str | os.PathLike[str], *, resume: bool
) -> RunFolder:
    plain = {name: getattr(settings, name) for name in settings.__dataclass_fields__}
    plain["targets"] = [str(target) for target in settings.targets]
    data = hash_json([(name, crystal.content_hash()) for name, crystal in named])
    if resume:
        return RunFolder.open_for_resume(out, kind=KIND, settings=plain, seed=0, data_hash=data)
    return RunFolder.create(out, kind=KIND, settings=plain, seed=0, data_hash=data)


def _record(number: int, name: str, crystal: Crystal) -> DesignRecord:
    provenance = Provenance(generator=GIVEN, seed=0, index=number, parents=(name,))
    return DesignRecord(id=f"s{number:05d}", candidate=Candidate(crystal=crystal, provenance=provenance))


@final
class _Notes:
    """What was climbed so far, by rung and candidate."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._done = {(entry["rung"]["name"], entry["id"]): _from_plain(entry) for entry in journal.entries}

    def of(self, rung: str, record: DesignRecord) -> Climb | None:
        """What the candidate's climb of that rung gave, None where it has not been there."""
        return self._done.get((rung, record.id))

    def keep(self, records: Sequence[DesignRecord], climbs: Sequence[Climb]) -> None:
        """Write down those that are not there yet."""
        new = {
            record.id: climb
            for record, climb in zip(records, climbs, strict=True)
            if (climb.rung.name, record.id) not in self._done
        }
        self._journal.append_all([{"id": identity, **_to_plain(climb)} for identity, climb in new.items()])
        self._done |= {(climb.rung.name, identity): climb for identity, climb in new.items()}


def _to_plain(climb: Climb) -> dict[str, object]:
    relaxed = None if climb.relaxed is None else crystal_to_json(climb.relaxed)
    return {"rung": rung_to_json(climb.rung), "relaxed": relaxed}


def _from_plain(entry: dict[str, dict[str, object]]) -> Climb:
    relaxed = None if entry["relaxed"] is None else crystal_from_json(entry["relaxed"])
    return Climb(rung=rung_from_json(entry["rung"]), relaxed=relaxed)


def _climb(
    rung: str,
    records: Sequence[DesignRecord],
    notes: _Notes,
    load: Callable[[str], Stage],
    progress: Progress,
) -> list[DesignRecord]:
    """All records, those that were alive one rung higher; a chunk of which a part is missing is done as a whole.

    So an interrupted screening ends with the same numbers: what a batched potential says of a crystal may depend, in
    the last digits, on its neighbours in the batch.
    """
    alive = [record for record in records if record.alive]
    progress.start(rung, len(alive))
    if not alive:
        return list(records)
    stage = load(rung)
    for start in range(0, len(alive), stage.chunk):
        chunk = alive[start : start + stage.chunk]
        if any(notes.of(rung, record) is None for record in chunk):
            notes.keep(chunk, stage.climb(chunk))
        progress.advance(len(chunk))
    progress.finish()
    risen = {}
    for record in alive:
        climb = notes.of(rung, record)
        if climb is not None:
            risen[record.id] = record.climbed(climb.rung, relaxed=climb.relaxed)
    return [risen.get(record.id, record) for record in records]
