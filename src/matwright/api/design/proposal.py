"""The cheap half of a design run: generate, then judge by uniqueness, novelty, rules and surrogate, chunk by chunk.

A chunk is generated from its own seed and judged in order, so that a run that was interrupted goes on with the next
chunk and ends with the same records.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import final

from matwright.api.design import result
from matwright.api.design.distinct import Group, Seen, group_of
from matwright.api.design.judging import broken, duplicate_verdict, judged, rules_rung, target_verdicts, trust_verdicts
from matwright.api.design.novelty import Library
from matwright.api.design.records import DesignRecord, Measurement, Rung
from matwright.api.design.settings import DesignSettings
from matwright.api.design.surrogate import Surrogates
from matwright.errors import CalculationError
from matwright.generation.interface import Candidate, Generator
from matwright.materials.crystal import Crystal
from matwright.rng import derive_seed

CHUNK = 500
"""Candidates generated, judged and written together."""


def n_chunks(settings: DesignSettings) -> int:
    """Number of chunks that the pool is made in."""
    return -(-settings.pool_size // CHUNK)


@final
class Proposer:
    """Makes the chunks of one run in order; it remembers the structures of the earlier ones."""

    def __init__(
        self, settings: DesignSettings, generator: Generator, surrogates: Surrogates, library: Library
    ) -> None:
        self._settings = settings
        self._generator = generator
        self._surrogates = surrogates
        self._library = library
        self._seen = Seen()

    def remember(self, records: Sequence[DesignRecord]) -> None:
        """Take in a chunk that an earlier process has made."""
        for record in records:
            rung = record.rung(result.UNIQUE)
            if rung is not None and rung.passed:
                self._seen.add(record.id, record.candidate.crystal, group_of(record.candidate.crystal))

    def chunk(self, index: int) -> list[DesignRecord]:
        """Generate and judge chunk `index`; all earlier chunks must have been made or remembered."""
        first = index * CHUNK
        count = min(CHUNK, self._settings.pool_size - first)
        seed = derive_seed(self._settings.seed, "design", "pool", index)
        candidates = self._generator.sample(count, constraints=self._settings.constraints, seed=seed)
        records = [self._cheap_rungs(first + place, candidate) for place, candidate in enumerate(candidates)]
        return self._predicted(records)

    def _cheap_rungs(self, number: int, candidate: Candidate) -> DesignRecord:
        """Uniqueness, novelty and rules."""
        record = DesignRecord(id=f"c{number:05d}", candidate=candidate)
        crystal = candidate.crystal
        start = time.perf_counter()
        group = group_of(crystal)
        twin = self._seen.twin(crystal, group)
        taken = [Measurement(name="space_group", value=float(group[1]), unit="1")]
        seconds = time.perf_counter() - start
        record = record.climbed(judged(result.UNIQUE, [duplicate_verdict("duplicate", twin)], taken, seconds=seconds))
        if not record.alive:
            return record
        self._seen.add(record.id, crystal, group)
        record = record.climbed(self._novel(crystal, group))
        return (
            record.climbed(rules_rung(crystal, self._settings.thresholds, self._settings.targets))
            if record.alive
            else record
        )

    def _novel(self, crystal: Crystal, group: Group) -> Rung:
        start = time.perf_counter()
        verdicts = self._library.verdicts(crystal, group[1])
        return judged(result.NOVEL, verdicts, seconds=time.perf_counter() - start)

    def _predicted(self, records: Sequence[DesignRecord]) -> list[DesignRecord]:
        """The surrogate's rung for those that are still alive."""
        alive = [record for record in records if record.alive]
        start = time.perf_counter()
        answers = self._surrogates.measure([record.candidate.crystal for record in alive])
        seconds = (time.perf_counter() - start) / max(len(alive), 1)
        rungs = {
            record.id: surrogate_rung(result.SURROGATE, self._settings, answer, seconds)
            for record, answer in zip(alive, answers, strict=True)
        }
        return [record.climbed(rungs[record.id]) if record.id in rungs else record for record in records]


def surrogate_rung(
    name: str, settings: DesignSettings, answer: tuple[Measurement, ...] | CalculationError, seconds: float
) -> Rung:
    """What the models said, held against the targets."""
    code = ", ".join(settings.models)
    if isinstance(answer, CalculationError):
        return broken(name, str(answer), code=code, seconds=seconds)
    demands = [target for target in settings.targets if target.name != "e_above_hull"]  # judged by the potential
    verdicts = [*target_verdicts(demands, answer), *trust_verdicts(answer, settings.thresholds)]
    return judged(name, verdicts, answer, residual=settings.thresholds.residual, code=code, seconds=seconds)
