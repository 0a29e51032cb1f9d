"""What a store knows of a campaign: its journal, its candidates, how far each climbed. Read from the store alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, final

from matwright.campaign.evaluator import Quantity
from matwright.campaign.ladder import Standing, stops
from matwright.campaign.objective import Goal, best_merit
from matwright.campaign.store.journal import Event, Member
from matwright.campaign.store.records import EvaluatorFacts, Record
from matwright.campaign.store.store import Store
from matwright.errors import InputError
from matwright.materials.target import Target, parse_target

BEGAN, STARTED, ROUND, PAUSED, RESUMED, ENDED = "began", "started", "round", "paused", "resumed", "ended"
"""Kinds of events. Began: once, with goal and ladder; started: a process; ended: by a rule, which it names."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RungFacts:
    """A rung as the journal knows it.

    Attributes:
        name: of the rung.
        evaluator: what gives its values.
        gate: demands that a candidate meets to climb on.
        queue: name of the campaign in the store that holds its work.
        cost: seconds of one evaluation, as stated or expected; `stated` says which.
        stated: whether the user stated the cost.
    """

    name: str
    evaluator: EvaluatorFacts
    gate: tuple[Target, ...]
    queue: str
    cost: float
    stated: bool


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A campaign as its store knows it at one moment.

    Attributes:
        name: of the campaign.
        goal: its targets.
        rungs: its ladder.
        standings: every candidate, in the order in which they were proposed.
        events: its journal.
    """

    name: str
    goal: Goal
    rungs: tuple[RungFacts, ...]
    standings: tuple[Standing, ...]
    events: tuple[Event, ...]

    @classmethod
    def read(cls, store: Store, name: str) -> Self:
        """The campaign of that name.

        Raises:
            InputError: the store has none, or one that no file began.
        """
        campaign = store.campaign_id(name)
        events = store.events(campaign)
        began = next((event for event in events if event.kind == BEGAN), None)
        if began is None:
            raise InputError(f"the campaign {name!r} was not begun by `matwright campaign run`: nothing says its goal")
        known = {facts.id: facts for facts in store.records.evaluators()}
        rungs = tuple(_rung(one, known) for one in began.data["rungs"])
        records = [_records(store, rung) for rung in rungs]
        return cls(
            name=name,
            goal=Goal(targets=tuple(parse_target(text) for text in began.data["targets"])),
            rungs=rungs,
            standings=tuple(_standing(member, rungs, records) for member in store.members(campaign)),
            events=tuple(events),
        )

    @property
    def rounds(self) -> int:
        """Rounds begun."""
        return len(self.chosen_rounds)

    @property
    def chosen_rounds(self) -> list[Event]:
        """The events of the rounds, one each; older stores may hold the choices of two processes for the same one."""
        found: dict[int, Event] = {}
        for event in self.events:
            if event.kind == ROUND:
                found.setdefault(int(event.data["round"]), event)
        return list(found.values())

    @property
    def n_evaluations(self) -> int:
        """Records on all rungs."""
        return sum(len(standing.records) for standing in self.standings)

    @property
    def spent(self) -> float:
        """Seconds of wall time of one computing thread, of all evaluations together."""
        return sum(record.seconds for standing in self.standings for record in standing.records)

    @property
    def hits(self) -> list[Standing]:
        """The candidates that meet every demand, the best merit first."""
        found = [standing for standing in self.standings if self.goal.is_hit(self.decided(standing))]
        return sorted(found, key=lambda one: -(self.goal.merit(self.decided(one)) or 0.0))

    @property
    def leaders(self) -> list[Standing]:
        """The candidates of known merit: those that meet most demands first, then by merit."""
        known = [(one, self.decided(one)) for one in self.standings]
        ranked = [
            ((self.goal.n_met(values), merit), one)
            for one, values in known
            if (merit := self.goal.merit(values)) is not None
        ]
        return [one for _, one in sorted(ranked, key=lambda pair: pair[0], reverse=True)]

    @property
    def best(self) -> float | None:
        """The best merit among those that meet the demands beside the leading one."""
        return best_merit(self.goal, [self.decided(standing) for standing in self.standings])

    def decided(self, standing: Standing) -> dict[str, Quantity]:
        """What is known of a candidate for good: each quantity by the last rung that gives it, and by no other."""
        found: dict[str, Quantity] = {}
        for place, record in enumerate(standing.records):
            later = {name for rung in self.rungs[place + 1 :] for name in rung.evaluator.units}
            found |= {name: value for name, value in record.values.items() if name not in later}
        return found

    def chosen_for(self, place: int) -> list[Standing]:
        """Those whose evaluation on a rung is wanted: they stand right below it, may climb, and were chosen for it."""
        ready = [one for one in self.standings if len(one.records) == place and not one.stopped]
        chosen = self._chosen()
        return ready if chosen is None else [one for one in ready if place in chosen.get(one.member.structure, ())]

    def is_open(self, standing: Standing) -> bool:
        """Whether the next rung of a candidate is wanted already and has not answered."""
        place = len(standing.records)
        return place < len(self.rungs) and any(one is standing for one in self.chosen_for(place))

    def seconds(self, place: int) -> float:
        """Seconds that one evaluation on a rung takes: as stated, else as measured, else as expected."""
        rung = self.rungs[place]
        spent = [one.records[place].seconds for one in self.standings if len(one.records) > place]
        return rung.cost if rung.stated or len(spent) < 3 else max(sum(spent) / len(spent), 1e-6)

    def ended(self) -> str:
        """By which rule the campaign ended; empty where it goes on."""
        last = [event for event in self.events if event.kind in (ENDED, RESUMED)][-1:]
        return str(last[0].data["reason"]) if last and last[0].kind == ENDED else ""

    def paused(self) -> bool:
        """Whether the campaign is paused."""
        return is_paused(self.events)

    def _chosen(self) -> dict[str, list[int]] | None:
        """The rungs that each candidate was chosen for; None where everyone climbs as far as the gates allow."""
        chosen: dict[str, list[int]] = {}
        for event in self.events:
            if event.kind == ROUND:
                if event.data["climbs"] is None:
                    return None
                for address, place in event.data["climbs"]:
                    chosen.setdefault(address, []).append(int(place))
        return chosen


def is_paused(events: tuple[Event, ...] | list[Event]) -> bool:
    """Whether the last word of these is a pause."""
    last = [event.kind for event in events if event.kind in (PAUSED, RESUMED)]
    return last[-1:] == [PAUSED]


def _rung(data: Mapping[str, Any], known: Mapping[int, EvaluatorFacts]) -> RungFacts:
    return RungFacts(
        name=data["name"],
        evaluator=known[data["evaluator"]],
        gate=tuple(parse_target(text) for text in data["gate"]),
        queue=data["queue"],
        cost=data["cost"],
        stated=data["stated"],
    )


def _records(store: Store, rung: RungFacts) -> dict[str, Record]:
    """The records of a rung by the structure that was evaluated."""
    if rung.queue not in store.campaign_names():
        return {}
    found = store.records.iterate(campaign=store.campaign_id(rung.queue), evaluator=rung.evaluator.id)
    return {record.structure: record for record in found}


def _standing(member: Member, rungs: tuple[RungFacts, ...], records: list[dict[str, Record]]) -> Standing:
    climbed: list[Record] = []
    address, stopped = member.structure, ""
    for rung, known in zip(rungs, records, strict=True):
        record = known.get(address)
        if record is None:
            break
        climbed.append(record)
        address = record.result
        stopped = stops(rung.name, rung.gate, record)
        if stopped:
            break
    return Standing(member=member, records=tuple(climbed), stopped=stopped)
