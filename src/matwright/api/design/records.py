"""A candidate's record: the rungs it climbed, and what each rung measured, judged and said.

A rung is one step from proposal to evidence (uniqueness, rules, surrogate, relaxation, hull …). Later steps (elastic
constants, phonons, density functional theory) are further rungs of the same shape: numbers with units, verdicts with
residual and threshold, and the code and version that produced them. Nothing here knows which rungs exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

from matwright.generation.interface import Candidate, Provenance
from matwright.materials.crystal import Crystal
from matwright.screening.verdict import Verdict


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One number that a rung found out.

    Attributes:
        name: for instance "bulk_modulus", "e_above_hull", "volume_per_atom".
        value: the number, in `unit`; None when the rung could not find it.
        unit: for instance "GPa"; "1" for a pure number.
        lower, upper: interval around the value at `level`, None where the rung gives no interval.
        level: nominal coverage of the interval, for instance 0.9.
    """

    name: str
    value: float | None
    unit: str
    lower: float | None = None
    upper: float | None = None
    level: float | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """What one step measured and decided for one candidate.

    Attributes:
        name: name of the step, unique within a record.
        passed: whether the candidate goes on to the next rung.
        reason: one sentence when it does not pass (also a remark where it does); empty when there is nothing to say.
        verdicts: one per rule that was applied, each with residual, threshold and reason.
        measurements: the numbers found, each with its unit.
        code, version: what computed them, for instance "chgnet 0.3.0" of package version "0.4.2".
        seconds: wall-clock time spent on this candidate here; it takes no part in tables that must repeat exactly.
    """

    name: str
    passed: bool
    reason: str = ""
    verdicts: tuple[Verdict, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    code: str = "matwright"
    version: str = ""
    seconds: float = 0.0

    def measured(self, name: str) -> Measurement | None:
        """The measurement of that name, or None when this rung did not take it."""
        return next((m for m in self.measurements if m.name == name), None)


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


def crystal_to_json(crystal: Crystal) -> dict[str, Any]:
    """The exact numbers of an ordered crystal as JSON values (floats survive the round trip bit for bit)."""
    return {
        "lattice": crystal.lattice.tolist(),
        "frac_coords": crystal.frac_coords.tolist(),
        "numbers": crystal.numbers.tolist(),
        "pbc": list(crystal.pbc),
    }


def crystal_from_json(data: Mapping[str, Any]) -> Crystal:
    """The crystal written by `crystal_to_json`."""
    return Crystal(
        lattice=data["lattice"], frac_coords=data["frac_coords"], numbers=data["numbers"], pbc=tuple(data["pbc"])
    )


def rung_to_json(rung: Rung) -> dict[str, Any]:
    """A rung as JSON values."""
    return {
        "name": rung.name,
        "passed": rung.passed,
        "reason": rung.reason,
        "verdicts": [_fields(verdict) for verdict in rung.verdicts],
        "measurements": [_fields(measurement) for measurement in rung.measurements],
        "code": rung.code,
        "version": rung.version,
        "seconds": rung.seconds,
    }


def rung_from_json(data: Mapping[str, Any]) -> Rung:
    """The rung written by `rung_to_json`."""
    return Rung(
        **{
            **data,
            "verdicts": tuple(Verdict(**verdict) for verdict in data["verdicts"]),
            "measurements": tuple(Measurement(**measurement) for measurement in data["measurements"]),
        }
    )


def record_to_json(record: DesignRecord) -> dict[str, Any]:
    """A whole record as JSON values."""
    return {
        "id": record.id,
        "crystal": crystal_to_json(record.candidate.crystal),
        "provenance": {**_fields(record.candidate.provenance), "parents": list(record.candidate.provenance.parents)},
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


def _fields(value: Any) -> dict[str, Any]:
    """The fields of a frozen dataclass, one level deep."""
    return {name: getattr(value, name) for name in value.__dataclass_fields__}
