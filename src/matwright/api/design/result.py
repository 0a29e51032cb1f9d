"""What a design run ends with: all records, the survivors in rank order, and what the numbers mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from matwright.api.design.records import DesignRecord
from matwright.api.readiness.result import Readiness
from matwright.materials.target import Target
from matwright.screening import hull_distance, relaxing

UNIQUE = "unique"
NOVEL = "novel"
RULES = "rules"
SURROGATE = "surrogate"
SELECTION = "selection"
RELAXATION = relaxing.RELAXATION
RECHECK = "recheck"
HULL = hull_distance.HULL
PREDICTION = "prediction"
RUNGS = (UNIQUE, NOVEL, RULES, SURROGATE, SELECTION, RELAXATION, RECHECK, HULL, PREDICTION)
"""The rungs of this run in the order they are climbed; a candidate's record holds a prefix of them."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelStep:
    """How many candidates came to one rung, how many it let pass, and which rule stopped how many.

    Attributes:
        rung: name of the rung.
        entered, passed: candidates.
        stopped_by: (rule, count), most frequent first; a candidate counts under the first rule it failed.
    """

    rung: str
    entered: int
    passed: int
    stopped_by: tuple[tuple[str, int], ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DesignResult:
    """The outcome of a design run.

    Attributes:
        records: every candidate that was generated, in order of generation.
        ranked: ids of the survivors, best first.
        targets: the demands and objectives, in the order they were stated.
        stability: largest energy above the hull of a survivor, eV/atom.
        provenance: what `run.json` says: settings, seed, version, commit, hashes of models and tables.
        notes: remarks a reader must know, one sentence each (for instance that fewer than `budget` were relaxed).
        readiness: what was known of the targets before the run, None where nobody asked.
    """

    records: tuple[DesignRecord, ...]
    ranked: tuple[str, ...]
    targets: tuple[Target, ...]
    stability: float
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    readiness: Readiness | None = None

    @property
    def survivors(self) -> list[DesignRecord]:
        """The records of `ranked`, best first."""
        by_id = {record.id: record for record in self.records}
        return [by_id[identity] for identity in self.ranked]

    @property
    def relaxed(self) -> list[DesignRecord]:
        """Every candidate that was sent to the potential: survivors by rank, then the others by how far they came."""
        order = {identity: rank for rank, identity in enumerate(self.ranked)}
        sent = [record for record in self.records if record.rung(RELAXATION) is not None]
        return sorted(sent, key=lambda record: (order.get(record.id, len(order)), -len(record.rungs), record.id))

    def funnel(self) -> list[FunnelStep]:
        """One step a rung, in order; rungs that nobody came to are left out."""
        steps = []
        for name in RUNGS:
            reached = [rung for record in self.records if (rung := record.rung(name)) is not None]
            if not reached:
                continue
            stopped = Counter(_culprit(record, name) for record in self.records if _stopped_at(record, name))
            steps.append(
                FunnelStep(
                    rung=name,
                    entered=len(reached),
                    passed=sum(rung.passed for rung in reached),
                    stopped_by=tuple(stopped.most_common()),
                )
            )
        return steps


def _stopped_at(record: DesignRecord, name: str) -> bool:
    return not record.alive and record.reached == name


def _culprit(record: DesignRecord, name: str) -> str:
    """The first rule the candidate failed on that rung (the rung itself where no rule speaks)."""
    rung = record.rung(name)
    failed = (verdict.rule for verdict in rung.verdicts if not verdict.passed) if rung is not None else ()
    return next(iter(failed), name)
