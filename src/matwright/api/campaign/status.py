"""Where a campaign stands: rung by rung, how fast, how good so far, how long still."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import final

from matwright.api.campaign.ledger import ENDED, STARTED, Ledger
from matwright.api.campaign.settings import CampaignSettings, StopSettings
from matwright.campaign.ladder import Standing
from matwright.campaign.store.owner import Owner
from matwright.campaign.store.store import Store
from matwright.errors import InputError
from matwright.materials.interop import reduced_formula

_WINDOW = 600.0  # s that the present pace is measured over


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RungStatus:
    """One rung.

    Attributes:
        name, fidelity: of the rung.
        done, failed: records, and how many of them are failures.
        stopped: candidates that the gate stopped.
        open: wanted and not recorded yet.
        seconds: wall time of one computing thread for one evaluation, the mean; 0 before the first.
    """

    name: str
    fidelity: str
    done: int
    failed: int
    stopped: int
    open: int
    seconds: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignStatus:
    """Where a campaign stands.

    Attributes:
        name: of the campaign; stage: what happens to it now, in words.
        runs: whether a process works on it.
        rounds, candidates, evaluations, hits: so far.
        seconds: wall time of one computing thread, of all evaluations together.
        rungs: from the lowest up.
        pace: evaluations a minute over the last ten minutes.
        best: the best candidate so far, in words; "" for none.
        left: s until a limit on rounds or evaluations is reached, at the present pace; None where nobody can say.
    """

    name: str
    stage: str
    runs: bool
    rounds: int
    candidates: int
    evaluations: int
    hits: int
    seconds: float
    rungs: tuple[RungStatus, ...]
    pace: float
    best: str
    left: float | None


def status_of(settings: CampaignSettings) -> CampaignStatus:
    """Where the campaign of a file stands.

    Raises:
        InputError: it has not been run.
    """
    if "://" not in settings.store and not Path(settings.store).is_file():
        raise InputError(f"the campaign {settings.name!r} has not been run: there is no store at {settings.store}")
    with Store.open(settings.store, create=False) as store:
        return summarise(Ledger.read(store, settings.name), settings.stop)


def summarise(ledger: Ledger, stop: StopSettings, *, now: float | None = None) -> CampaignStatus:
    """The status that a ledger gives at a moment (s since 1970, the present by default)."""
    moment = time.time() if now is None else now
    runs = _runs(ledger)
    rungs = tuple(_rung(ledger, place) for place in range(len(ledger.rungs)))
    times = [record.created for one in ledger.standings for record in one.records]
    recent = [at for at in times if at > moment - _WINDOW]
    since = max(min(recent, default=moment), moment - _WINDOW)
    pace = 60.0 * len(recent) / max(moment - since, 1.0) if recent else 0.0
    return CampaignStatus(
        name=ledger.name,
        stage=_stage(ledger, rungs, runs=runs),
        runs=runs,
        rounds=ledger.rounds,
        candidates=len(ledger.standings),
        evaluations=ledger.n_evaluations,
        hits=len(ledger.hits),
        seconds=ledger.spent,
        rungs=rungs,
        pace=pace,
        best=_best(ledger),
        left=_left(ledger, stop, pace) if runs else None,
    )


def status_lines(status: CampaignStatus) -> list[str]:
    """The status as a person reads it."""
    rows = [
        f"{status.name}: {status.stage}",
        f"round {status.rounds}, {status.candidates} candidates, {status.evaluations} evaluations, "
        f"{status.hits} hits, {duration(status.seconds)} of computing",
        f"{'rung':<22}{'fidelity':<12}{'done':>7}{'failed':>8}{'stopped':>9}{'open':>7}  each",
    ]
    rows += [
        f"{one.name:<22}{one.fidelity:<12}{one.done:>7}{one.failed:>8}{one.stopped:>9}{one.open:>7}  "
        f"{duration(one.seconds)}"
        for one in status.rungs
    ]
    if status.runs:
        left = "" if status.left is None else f", {duration(status.left)} left"
        rows.append(f"{status.pace:.3g} evaluations a minute{left}")
    return [*rows, f"best so far: {status.best}" if status.best else "nothing found yet"]


def duration(seconds: float) -> str:
    """A time with two digits in the unit that suits it."""
    for size, unit in ((86400.0, "days"), (3600.0, "h"), (60.0, "min"), (0.1, "s"), (1e-4, "ms")):
        if seconds >= size:
            number = seconds / {"s": 1.0, "ms": 1e-3}.get(unit, size)
            return f"{number:.0f} {unit}" if number >= 10 else f"{number:.2g} {unit}"
    return "below 0.1 ms" if seconds > 0 else "0 s"


def told(ledger: Ledger, standing: Standing) -> str:
    """A candidate in one line: formula, address, what is known of the quantities asked for."""
    values = ledger.decided(standing)
    numbers = [f"{name} {values[name].value:.4g} {values[name].unit}" for name in ledger.goal.names if name in values]
    return f"{reduced_formula(standing.member.crystal)} ({standing.member.structure[:10]}): {', '.join(numbers)}"


def _rung(ledger: Ledger, place: int) -> RungStatus:
    climbed = [one for one in ledger.standings if len(one.records) > place]
    failed = sum(one.records[place].failure is not None for one in climbed)
    halted = sum(bool(one.stopped) and len(one.records) == place + 1 for one in climbed)
    spent = [one.records[place].seconds for one in climbed]
    return RungStatus(
        name=ledger.rungs[place].name,
        fidelity=ledger.rungs[place].evaluator.fidelity.value,
        done=len(climbed),
        failed=failed,
        stopped=halted - failed,
        open=len(ledger.chosen_for(place)),
        seconds=sum(spent) / len(spent) if spent else 0.0,
    )


def _runs(ledger: Ledger) -> bool:
    """Whether the process that started last still lives; one of another machine is taken to."""
    started = [event for event in ledger.events if event.kind in (STARTED, ENDED)][-1:]
    if not started or started[0].kind == ENDED:
        return False
    return not Owner.this_process().knows_dead(str(started[0].data["owner"]))


def _stage(ledger: Ledger, rungs: tuple[RungStatus, ...], *, runs: bool) -> str:
    busy = next((rung for rung in rungs if rung.open), None)
    if ledger.ended():
        return f"ended: {ledger.ended()}"
    if ledger.paused():
        return "pausing" if runs else "paused"
    if not runs:
        return "stopped in the middle; run goes on" if busy or ledger.rounds else "begun"
    return "choosing a round" if busy is None else f"round {ledger.rounds}, evaluating on {busy.name}"


def _best(ledger: Ledger) -> str:
    hits = ledger.hits
    if hits:
        return f"a hit, {told(ledger, hits[0])}"
    leaders = ledger.leaders
    return f"no hit yet, {told(ledger, leaders[0])}" if leaders else ""


def _left(ledger: Ledger, stop: StopSettings, pace: float) -> float | None:
    """Seconds until the nearest limit on evaluations or rounds, by evaluations a minute."""
    if pace <= 0 or not ledger.rounds:
        return None
    todo = []
    if stop.evaluations is not None:
        todo.append(float(stop.evaluations - ledger.n_evaluations))
    if stop.rounds is not None:
        todo.append((stop.rounds - ledger.rounds + 0.5) * ledger.n_evaluations / ledger.rounds)
    return 60.0 * max(min(todo), 0.0) / pace if todo else None
