"""The ladder of a campaign: evaluators from cheap to dear, and who may climb on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from matwright.campaign.evaluator import Evaluator, Quantity
from matwright.campaign.objective import Goal
from matwright.campaign.store.journal import Member
from matwright.campaign.store.records import Record
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.materials.target import Target


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One evaluator of a ladder.

    Attributes:
        name: of the rung.
        evaluator: what is asked.
        gate: demands on its quantities that a candidate has to meet to climb on; one that it gives no value for is
            not met.
        cost: seconds of one evaluation as the user states them, None for what was measured.
    """

    name: str
    evaluator: Evaluator
    gate: tuple[Target, ...] = ()
    cost: float | None = None


def stops(name: str, gate: Sequence[Target], record: Record) -> str:
    """Why a candidate goes no further after the record of rung `name`; empty where it may."""
    if record.failure is not None:
        return record.failure.reason
    for target in gate:
        found = record.values.get(target.name)
        if found is None:
            return f"{name} gave no {target.name}"
        if not bool(target.satisfied(found.value)):
            return f"{target.name} {found.value:.4g} {found.unit} is outside of {target}"
    return ""


def with_gates(rungs: Sequence[Rung], goal: Goal, stated: Mapping[str, tuple[Target, ...]]) -> tuple[Rung, ...]:
    """The rungs with their gates: those stated, else the demands on quantities that no later rung gives again.

    Raises:
        InputError: two rungs have one name, or nothing on the ladder gives a quantity of the goal.
    """
    names = [rung.name for rung in rungs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"two evaluators are called {twice!r}; give one of them another name")
    for target in goal.targets:
        giving = [rung.evaluator.units[target.name] for rung in rungs if target.name in rung.evaluator.units]
        if not giving:
            given = sorted({name for rung in rungs for name in rung.evaluator.units})
            raise InputError(f"no evaluator gives {target.name}, which a target asks for; they give {', '.join(given)}")
        if wrong := next((unit for unit in giving if unit != target.unit), None):
            raise InputError(f"{target.name} is asked for in {target.unit}, and an evaluator gives it in {wrong}")
    return tuple(_gated(rung, rungs[place + 1 :], goal, stated) for place, rung in enumerate(rungs))


def _gated(rung: Rung, later: Sequence[Rung], goal: Goal, stated: Mapping[str, tuple[Target, ...]]) -> Rung:
    again = {name for one in later for name in one.evaluator.units}
    own = tuple(one for one in goal.demands if one.name in rung.evaluator.units and one.name not in again)
    return Rung(name=rung.name, evaluator=rung.evaluator, gate=stated.get(rung.name, own), cost=rung.cost)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a candidate has climbed.

    Attributes:
        member: the candidate.
        records: one a rung climbed, from the lowest on; only the last one can be a failure.
        stopped: why it goes no further; empty while it may.
    """

    member: Member
    records: tuple[Record, ...] = ()
    stopped: str = ""

    @property
    def values(self) -> dict[str, Quantity]:
        """What is known of the candidate, each quantity from the highest rung that gives it."""
        return {name: found for record in self.records for name, found in record.values.items()}

    @property
    def structure(self) -> str:
        """Address of the best structure known: where the last rung left it, else as proposed."""
        good = [record for record in self.records if record.failure is None]
        return good[-1].result if good else self.member.structure

    @property
    def crystal(self) -> Crystal:
        """The best structure known."""
        good = [record for record in self.records if record.failure is None]
        return good[-1].crystal if good else self.member.crystal
