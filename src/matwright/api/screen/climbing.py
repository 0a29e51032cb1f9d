"""How candidates climb: rung after rung, chunk after chunk, each written down as it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from matwright.api.design.journal import Journal
from matwright.api.design.records import (
    DesignRecord,
    crystal_from_json,
    crystal_to_json,
    rung_from_json,
    rung_to_json,
)
from matwright.api.screen.pool import climb_in_workers
from matwright.api.screen.settings import CHUNKS, LARGEST_CHUNK, ScreenSettings
from matwright.api.screen.stages import StageLoader
from matwright.progress import Progress
from matwright.screening.stage import Climb, Stage


@final
class Notes:
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


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Cascade:
    """How the rungs of one screening are climbed.

    Attributes:
        settings: of the screening.
        loader: of the stages; ready: those that are loaded already.
        notes: what was climbed so far.
        workers: processes that compute with the potential.
        progress: listens to the rungs.
    """

    settings: ScreenSettings
    loader: StageLoader
    ready: Mapping[str, Stage]
    notes: Notes
    workers: int
    progress: Progress

    def climb(self, rung: str, records: Sequence[DesignRecord]) -> list[DesignRecord]:
        """All records, those that were alive one rung higher; a chunk of which a part is missing is done as a whole.

        So an interrupted screening ends with the same numbers: what a batched potential says of a crystal may depend,
        in the last digits, on its neighbours in the batch.
        """
        alive = [record for record in records if record.alive]
        self.progress.start(rung, len(alive))
        if not alive:
            return list(records)
        size = CHUNKS.get(rung, LARGEST_CHUNK)
        chunks = [alive[start : start + size] for start in range(0, len(alive), size)]
        missing = [chunk for chunk in chunks if any(self.notes.of(rung, record) is None for record in chunk)]
        self.progress.advance(len(alive) - sum(map(len, missing)))
        self._work(rung, missing)
        self.progress.finish()
        risen = {}
        for record in alive:
            climb = self.notes.of(rung, record)
            if climb is not None:
                risen[record.id] = record.climbed(climb.rung, relaxed=climb.relaxed)
        return [risen.get(record.id, record) for record in records]

    def _work(self, rung: str, chunks: Sequence[Sequence[DesignRecord]]) -> None:
        def done(chunk: Sequence[DesignRecord], climbs: Sequence[Climb]) -> None:
            self.notes.keep(chunk, climbs)
            self.progress.advance(len(chunk))

        workers = min(self.workers, len(chunks))
        if rung in CHUNKS and workers > 1:
            climb_in_workers(rung, self.settings, chunks, workers=workers, on_done=done)
            return
        if chunks:
            stage = self.ready.get(rung) or self.loader.load(rung)
            for chunk in chunks:
                done(chunk, stage.climb(chunk))
