"""A candidate's record: where it comes from, the rungs it climbed, and its structure after relaxation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

from matwright.generation.interface import Candidate, Provenance
from matwright.materials.crystal import Crystal
from matwright.materials.crystal_json import crystal_from_json, crystal_to_json
from matwright.screening.rung import Measurement, Rung, plain_fields, rung_from_json, rung_to_json
from matwright.screening.verdict import Verdict

__all__ = [
    "DesignRecord",
    "Measurement",
    "Rung",
    "crystal_from_json",
    "crystal_to_json",
    "record_from_json",
    "record_to_json",
    "rung_from_json",
    "rung_to_json",
]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DesignRecord:
    """A candidate with everything that is known of it so far.

    Attributes:
        id: short name within the run, for instance "c00042": the order of generation.
        candidate: the crystal as it was generated, with its provenance.
        rungs: the rungs climbed so far, in order; only the last one can be a rejection.
        relaxed: the crystal after relaxation, None before that rung or when it failed.
    """

    id: str
    candidate: Candidate
    rungs: tuple[Rung, ...] = ()
    relaxed: Crystal | None = None

    @property
    def alive(self) -> bool:
        """Whether every rung so far has let the candidate pass."""
        return all(rung.passed for rung in self.rungs)

    @property
    def crystal(self) -> Crystal:
        """The best structure known: relaxed where there is one, else as generated."""
        return self.relaxed if self.relaxed is not None else self.candidate.crystal

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts of all rungs so far, in order."""
        return tuple(verdict for rung in self.rungs for verdict in rung.verdicts)

    @property
    def reached(self) -> str:
        """Name of the last rung climbed ("generated" when there is none)."""
        return self.rungs[-1].name if self.rungs else "generated"

    @property
    def reason(self) -> str:
        """Why the candidate was rejected; empty while it is alive."""
        return "" if self.alive else self.rungs[-1].reason

    def rung(self, name: str) -> Rung | None:
        """The rung of that name, or None when the candidate never reached it."""
        return next((rung for rung in self.rungs if rung.name == name), None)

    def measured(self, name: str) -> Measurement | None:
        """The latest measurement of that name over all rungs, or None."""
        found = (rung.measured(name) for rung in reversed(self.rungs))
        return next((measurement for measurement in found if measurement is not None), None)

    def climbed(self, rung: Rung, *, relaxed: Crystal | None = None) -> DesignRecord:
        """This record with one more rung (and, where given, the relaxed crystal)."""
        return replace(self, rungs=(*self.rungs, rung), relaxed=relaxed if relaxed is not None else self.relaxed)


def record_to_json(record: DesignRecord) -> dict[str, Any]:
    """A whole record as JSON values."""
    provenance = record.candidate.provenance
    return {
        "id": record.id,
        "crystal": crystal_to_json(record.candidate.crystal),
        "provenance": {**plain_fields(provenance), "parents": list(provenance.parents)},
        "rungs": [rung_to_json(rung) for rung in record.rungs],
        "relaxed": None if record.relaxed is None else crystal_to_json(record.relaxed),
    }


def record_from_json(data: Mapping[str, Any]) -> DesignRecord:
    """The record written by `record_to_json`."""
    provenance = Provenance(**{**data["provenance"], "parents": tuple(data["provenance"]["parents"])})
    return DesignRecord(
        id=data["id"],
        candidate=Candidate(crystal=crystal_from_json(data["crystal"]), provenance=provenance),
        rungs=tuple(rung_from_json(rung) for rung in data["rungs"]),
        relaxed=None if data["relaxed"] is None else crystal_from_json(data["relaxed"]),
    )
