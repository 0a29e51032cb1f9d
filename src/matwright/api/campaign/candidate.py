"""The record of a candidate: every rung that it climbed, with numbers, code, version, settings and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, final

from matwright.api.campaign.status import duration
from matwright.campaign.evaluator import Quantity
from matwright.campaign.store.journal import Member
from matwright.campaign.store.records import Record
from matwright.campaign.store.store import Store
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.materials.interop import reduced_formula

SHORTEST = 4
"""Digits of an address that name a candidate, where they name one."""
_SHOWN = 10


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One rung of a candidate.

    Attributes:
        record: what was found.
        given: the structure that was evaluated: the candidate, or what a rung below made of it.
        origin: what recorded it: command, version, commit, machine, time.
    """

    record: Record
    given: Crystal
    origin: Mapping[str, Any]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRecord:
    """A candidate with its ladder.

    Attributes:
        address, formula, crystal: of the structure as it was proposed.
        places: the campaigns that it is a candidate of, with what they say of it.
        steps: from the lowest rung up.
    """

    address: str
    formula: str
    crystal: Crystal
    places: Mapping[str, Member]
    steps: tuple[Step, ...]

    @property
    def reached(self) -> str:
        """The evaluator of the highest rung that gave values; "" for none."""
        return next((one.record.evaluator.name for one in reversed(self.steps) if one.record.failure is None), "")

    def lines(self) -> list[str]:
        """The record as a person reads it."""
        rows = [f"{self.formula}, {len(self.crystal)} sites, {self.address}"]
        rows += [f"candidate of {name}, round {one.round_number + 1}{_said(one)}" for name, one in self.places.items()]
        for number, step in enumerate(self.steps, start=1):
            rows += _step_lines(number, step)
        return rows if self.steps else [*rows, "nothing is known of it yet"]


def find_candidates(store: Store, word: str) -> list[CandidateRecord]:
    """The candidates whose address begins with a word, or that have this formula.

    A structure that an evaluator made of another one belongs to that one's ladder and is no candidate itself.

    Raises:
        InputError: there is none.
    """
    found = store.structures(prefix=word.lower()) if len(word) >= SHORTEST and _is_hex(word) else {}
    found = found or store.structures(formula=_reduced(word))
    if not found:
        raise InputError(
            f"the store has no candidate {word!r}: give a formula, or at least {SHORTEST} digits of an address"
        )
    records = [record for address in found for record in store.records.of_structure(address)]
    made = {record.result for record in records if record.result != record.structure}
    members = _members(store)
    roots = [address for address in found if address in members or address not in made] or list(found)
    return [candidate_record(store, address, found[address], members.get(address, {})) for address in roots]


def candidate_record(store: Store, address: str, crystal: Crystal, places: Mapping[str, Member]) -> CandidateRecord:
    """The ladder of one structure: its records, then those of what they made of it."""
    steps: list[Step] = []
    todo, seen = [(address, crystal)], {address}
    while todo:
        here, given = todo.pop(0)
        for record in store.records.of_structure(here):
            steps.append(Step(record=record, given=given, origin=store.records.origin(record.key)))
            if record.result not in seen:
                seen.add(record.result)
                todo.append((record.result, record.crystal))
    return CandidateRecord(
        address=address,
        formula=reduced_formula(crystal),
        crystal=crystal,
        places=dict(places),
        steps=tuple(sorted(steps, key=lambda one: (one.record.evaluator.fidelity.rank, one.record.created))),
    )


def listing(candidates: Sequence[CandidateRecord]) -> list[str]:
    """Several candidates, one line each."""
    rows = [f"{len(candidates)} candidates; give more digits of an address to see one:"]
    for one in candidates[:_SHOWN]:
        values = [value for step in one.steps for value in step.record.values.items()]
        told = ", ".join(f"{name} {number_text(quantity)}" for name, quantity in values[:4])
        rows.append(f"{one.address[:12]}  {one.formula}  {one.reached or 'nothing known'}  {told}".rstrip())
    left = len(candidates) - _SHOWN
    return [*rows, f"and {left} more"] if left > 0 else rows


def number_text(quantity: Quantity) -> str:
    """A value with its standard deviation and unit."""
    unit = "" if quantity.unit == "1" else f" {quantity.unit}"
    spread = "" if quantity.std is None else f" ± {quantity.std:.3g}"
    return f"{quantity.value:.6g}{spread}{unit}"


def moment(seconds: float) -> str:
    """A time since 1970 as date and time, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _members(store: Store) -> dict[str, dict[str, Member]]:
    """Structure → campaign → what it says of it; the queues of single rungs are no campaigns of their own."""
    found: dict[str, dict[str, Member]] = {}
    names = store.campaign_names()
    for name in names:
        if name.rpartition("/")[0] in names:
            continue
        for member in store.members(store.campaign_id(name)):
            found.setdefault(member.structure, {})[name] = member
    return found


def _said(member: Member) -> str:
    said = dict(member.provenance)
    words = [f"from {said['proposer']}" + (f" ({said['id']})" if "id" in said else "")] if "proposer" in said else []
    words += [f"seed {said['seed']}, index {said['index']}"] if "index" in said else []
    words += [f"chosen by {said['chosen_by']}"] if "chosen_by" in said else []
    expected = said.get("expected") or {}
    words += [f"expected {name} {one['mean']:.4g} ± {one['std']:.2g}" for name, one in expected.items()]
    return f": {', '.join(words)}" if words else ""


def _step_lines(number: int, step: Step) -> list[str]:
    record, facts = step.record, step.record.evaluator
    made = step.origin
    rows = [
        f"{number}. {facts.name} {facts.version[:12]} ({facts.fidelity.value}), {moment(record.created)}, "
        f"took {duration(record.seconds)}"
    ]
    if record.failure is not None:
        rows.append(f"   failed ({record.failure.kind.value}, tries: {record.attempts}): {record.failure.reason}")
    rows += [f"   {name:<28}{number_text(quantity)}" for name, quantity in record.values.items()]
    settings = ", ".join(f"{name} {_short(value)}" for name, value in facts.settings.items())
    rows.append(f"   settings: {settings or 'none'}")
    commit = f", commit {str(made['commit'])[:10]}" if made.get("commit") else ""
    rows.append(f"   recorded by matwright {made.get('version')}{commit}: {made.get('command')}")
    rows += [f"   file {blob.name}: {blob.size} bytes, {blob.hash[:12]}" for blob in record.blobs]
    if record.result != record.structure:
        rows.append(f"   left the structure {record.result[:12]}, {len(record.crystal)} sites")
    return rows


def _short(value: object) -> str:
    text = str(value)
    return text[:12] if len(text) == 64 and _is_hex(text) else text


def _is_hex(word: str) -> bool:
    return all(digit in "0123456789abcdef" for digit in word.lower())


def _reduced(word: str) -> str:
    """The formula in the store's spelling; the word itself where it is none."""
    from pymatgen.core.composition import Composition  # heavy: behind its door

    try:
        return str(Composition(word).reduced_formula)
    except (ValueError, KeyError):
        return word
