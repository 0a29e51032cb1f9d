"""The screening: crystals read, rungs climbed one after the other, everything written down as it comes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from matwright.api.design.journal import Journal
from matwright.api.design.records import DesignRecord
from matwright.api.screen.climbing import Cascade, Notes
from matwright.api.screen.files import write_screening
from matwright.api.screen.inputs import Inputs, read_crystals
from matwright.api.screen.result import ScreenResult
from matwright.api.screen.settings import ScreenSettings
from matwright.api.screen.stages import StageLoader
from matwright.data.record import Rejection, RejectionLog
from matwright.generation.interface import Candidate, Provenance
from matwright.materials.crystal import Crystal
from matwright.progress import Progress, silent
from matwright.runs import RunFolder
from matwright.serialization import hash_json

KIND = "screen"
GIVEN = "given"
"""What stands in the place of a generator for a crystal that came from a file."""


def screen(
    inputs: Inputs,
    settings: ScreenSettings,
    out: str | os.PathLike[str],
    *,
    resume: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
    on_reject: Callable[[Rejection], None] | None = None,
) -> ScreenResult:
    """Send crystals up the cascade, and write every verdict, the survivors and a report into a folder.

    Args:
        inputs: where the crystals come from.
        settings: limits, demands and the last rung.
        out: a new folder, or with `resume` that of an interrupted screening of the same crystals and settings.
        resume: go on with the screening in `out`; what it has already computed is kept.
        workers: processes that compute with the potential; their number does not change the result.
        progress: listens to the rungs.
        on_reject: told of each row that cannot be used.

    Raises:
        InputError: no crystal can be used, a model or potential is not there, or the folder holds something else.
        ResourceError: a worker process died; the screening can be resumed.
    """
    listener = progress if progress is not None else silent()
    listener.start("read structures")
    named, rejections = read_crystals(inputs)
    if on_reject is not None:
        for rejection in rejections:
            on_reject(rejection)
    loader = StageLoader(settings)
    loader.check()
    first = {rung: loader.load(rung) for rung in settings.rungs if rung == "surrogate"}  # a target nobody can predict
    folder = _claim(named, settings, out, resume=resume)
    if rejections:
        with RejectionLog(folder.file("rejected.csv")) as log:
            for rejection in rejections:
                log.add(rejection)
    records = [_record(number, name, crystal) for number, (name, crystal) in enumerate(named)]
    notes = Notes(Journal(folder.file("journal", "rungs.jsonl")))
    cascade = Cascade(settings=settings, loader=loader, ready=first, notes=notes, workers=workers, progress=listener)
    for rung in settings.rungs:
        records = cascade.climb(rung, records)
    result = ScreenResult(
        records=tuple(records), settings=settings, n_rejected=len(rejections), provenance=folder.record
    )
    listener.start("write tables and report")
    write_screening(result, folder)
    return result


def _claim(
    named: Sequence[tuple[str, Crystal]], settings: ScreenSettings, out: str | os.PathLike[str], *, resume: bool
) -> RunFolder:
    plain = {name: getattr(settings, name) for name in settings.__dataclass_fields__}
    plain["targets"] = [str(target) for target in settings.targets]
    if not settings.conditions:  # then the run is the same as before there were any
        del plain["conditions"]
    data = hash_json([(name, crystal.content_hash()) for name, crystal in named])
    if resume:
        return RunFolder.open_for_resume(out, kind=KIND, settings=plain, seed=0, data_hash=data)
    return RunFolder.create(out, kind=KIND, settings=plain, seed=0, data_hash=data)


def _record(number: int, name: str, crystal: Crystal) -> DesignRecord:
    provenance = Provenance(generator=GIVEN, seed=0, index=number, parents=(name,))
    return DesignRecord(id=f"s{number:05d}", candidate=Candidate(crystal=crystal, provenance=provenance))
