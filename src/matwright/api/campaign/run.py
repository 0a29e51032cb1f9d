"""The campaign from its file: propose, filter, evaluate, record, retrain, propose, until a rule ends it.

Its state is the store's. A round is chosen in one transaction, from what is recorded and the seed; so a campaign that
was killed at any moment goes on with the same round, and where evaluators repeat it ends as it would have ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from matwright.api.campaign.asked_models import campaign_remarks
from matwright.api.campaign.choosing import Chooser, Option, options
from matwright.api.campaign.filtering import Filter
from matwright.api.campaign.identity import begin
from matwright.api.campaign.ledger import ENDED, RESUMED, ROUND, STARTED, Ledger, is_paused
from matwright.api.campaign.proposers import GeneratorProposer, PoolProposer, Proposer
from matwright.api.campaign.rungs import make_ladder
from matwright.api.campaign.settings import CampaignSettings
from matwright.api.campaign.stopping import stop_reason
from matwright.campaign.campaign import Campaign
from matwright.campaign.engine.in_process import InProcessEngine
from matwright.campaign.engine.interface import Engine
from matwright.campaign.ladder import Rung
from matwright.campaign.retry import RetryPolicy
from matwright.campaign.store.owner import Owner
from matwright.campaign.store.store import Store
from matwright.data.record import Rejection
from matwright.errors import InputError
from matwright.progress import Progress, silent

_LOOK = 1.0  # s between two looks whether somebody wants a pause


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run of a campaign came to its end.

    Attributes:
        ledger: what the store knows now.
        reason: the rule that ended the campaign, or that it is paused or waits.
    """

    ledger: Ledger
    reason: str


def run_campaign(
    settings: CampaignSettings,
    *,
    resume: bool = False,
    progress: Progress | None = None,
    on_reject: Callable[[Rejection], None] = lambda _: None,
    on_remark: Callable[[str], None] = lambda _: None,
    retry: RetryPolicy | None = None,
) -> Outcome:
    """Run a campaign until a rule ends it, it is paused, or nothing is left but what somebody outside has to answer.

    Args:
        settings: of the file.
        resume: lift a pause, and go on after a rule that has been changed since.
        progress: listens.
        on_reject: told of each row of a pool that cannot be used.
        on_remark: told under which conditions each model predicts, and what it is not told, before anything begins.
        retry: which failures are tried again.

    Raises:
        InputError: a setting is wrong, the store holds the campaign with other settings, or it is paused.
        ResourceError: the store or the machine cannot go on; a new run goes on from there.
    """
    listener = progress if progress is not None else silent()
    ladder = make_ladder(settings.evaluators, settings.goal, settings.folder, settings.conditions)
    for remark in campaign_remarks(settings):
        on_remark(remark)
    with Store.open(settings.store) as store:
        campaign = begin(store, settings, ladder)
        paused = is_paused(store.events(campaign))
        if paused and not resume:
            raise InputError(f"the campaign {settings.name!r} is paused; `matwright campaign resume` goes on with it")
        if resume:
            store.note(campaign, RESUMED)
        listener.start("reading proposals" if settings.proposer.pool else "loading the generator")
        proposer = _proposer(settings, on_reject)
        director = _Director(settings, ladder, store, campaign, proposer, listener, retry)
        store.note(campaign, STARTED, {"owner": Owner.this_process().name, "workers": _workers(settings)})
        with _engine(settings) as engine:
            return director.run(engine)


@final
class _Director:
    """One process's run of a campaign."""

    def __init__(
        self,
        settings: CampaignSettings,
        ladder: tuple[Rung, ...],
        store: Store,
        campaign: int,
        proposer: Proposer,
        progress: Progress,
        retry: RetryPolicy | None,
    ) -> None:
        self._settings, self._ladder, self._store, self._campaign = settings, ladder, store, campaign
        self._proposer, self._progress, self._retry = proposer, progress, retry
        self._filter = Filter(settings.filter, settings.goal, settings.conditions)
        self._chooser = Chooser(settings.choice, settings.surrogate, settings.seed, settings.conditions)
        self._looked, self._paused = 0.0, False

    def run(self, engine: Engine) -> Outcome:
        """Rounds until something ends them."""
        while True:
            pending = self._climb(engine)
            ledger = Ledger.read(self._store, self._settings.name)
            if self._pause_wanted(now=True):
                return Outcome(ledger=ledger, reason="paused")
            if sum(len(ledger.chosen_for(place)) for place in range(len(self._ladder))) > pending:
                continue  # another process has begun the next round meanwhile
            reason = stop_reason(ledger, self._settings.stop)
            if not reason and not self._next_round(ledger):
                reason = "nothing is left to choose from"
            if reason and pending:
                word = "an answer" if pending == 1 else f"{pending} answers"
                return Outcome(ledger=ledger, reason=f"{reason}; waits for {word} from outside, then resume")
            if reason:
                self._store.note(self._campaign, ENDED, {"reason": reason})
                return Outcome(ledger=Ledger.read(self._store, self._settings.name), reason=reason)

    def _climb(self, engine: Engine) -> int:
        """Evaluate whatever is wanted on every rung, from the lowest up; how many wait for somebody outside."""
        pending = 0
        for place, rung in enumerate(self._ladder):
            ledger = Ledger.read(self._store, self._settings.name)
            wanted = ledger.chosen_for(place)
            if not wanted or self._pause_wanted(now=True):
                continue
            queue = Campaign(self._store, ledger.rungs[place].queue, rung.evaluator, retry=self._retry)
            queue.propose([one.crystal for one in wanted], round_number=ledger.rounds - 1)
            status = queue.run(engine, progress=self._progress, stop=self._pause_wanted)
            pending += status.left.pending
        return pending

    def _next_round(self, ledger: Ledger) -> bool:
        """Choose the next round and write it down; False where there is nothing to choose."""
        number = ledger.rounds
        self._progress.start(f"round {number + 1}: choosing")
        known = [one.member.crystal for one in ledger.standings]
        fresh = self._proposer.propose(number, known, [one.member.crystal for one in ledger.leaders])
        passed, stopped = self._filter.passed(fresh)
        choices = options(ledger, passed, self._settings.choice)
        batch = self._chooser.batch(ledger, choices, self._size(ledger))
        self._progress.finish()
        if not batch:
            return False
        note = {
            "round": number,
            "proposed": len(fresh),
            "stopped": dict(stopped),
            "chosen": len(batch),
            "climbs": [[one.address, one.place] for one in batch] if self._settings.choice.cost_aware else None,
        }
        new = [option for option in batch if option.proposal is not None]
        self._store.propose(
            self._campaign,
            [option.crystal for option in new],
            round_number=number,
            provenance=[_provenance(option, self._settings) for option in new],
            event=(ROUND, note),
        )
        return True

    def _size(self, ledger: Ledger) -> int:
        """Evaluations that the round may begin: the batch, within what the budget leaves."""
        choice = self._settings.choice
        size = choice.batch if ledger.rounds or choice.start is None else choice.start
        budget = self._settings.stop.evaluations
        return size if budget is None else min(size, budget - ledger.n_evaluations)

    def _pause_wanted(self, *, now: bool = False) -> bool:
        """Whether somebody has paused the campaign; asked of the store at most once a second."""
        if now or time.monotonic() - self._looked > _LOOK:
            self._looked = time.monotonic()
            self._paused = is_paused(self._store.events(self._campaign))
        return self._paused


def _provenance(option: Option, settings: CampaignSettings) -> Mapping[str, object]:
    origin: dict[str, Any] = {} if option.proposal is None else dict(option.proposal.origin)
    expected = {name: {"mean": mean, "std": std} for name, (mean, std) in option.expected.items()}
    return {
        **origin,
        "chosen_by": settings.choice.acquisition.kind.value if expected else "random",
        "expected": expected,
    }


def _proposer(settings: CampaignSettings, on_reject: Callable[[Rejection], None]) -> Proposer:
    if settings.proposer.pool:
        return PoolProposer(settings.proposer, settings.constraints, on_reject)
    return GeneratorProposer(settings.proposer, settings.constraints, settings.seed)


def _engine(settings: CampaignSettings) -> AbstractContextManager[Engine]:
    if settings.engine is None:
        return InProcessEngine()
    from matwright.campaign.engine.parsl_engine import ParslEngine  # of an extra: only where workers are wanted

    return ParslEngine(settings.engine, limits=settings.limits)


def _workers(settings: CampaignSettings) -> int:
    return 1 if settings.engine is None else settings.engine.all_workers


def pause_campaign(settings: CampaignSettings) -> None:
    """Ask whatever process runs a campaign to record what it has begun and to end.

    Raises:
        InputError: there is no such store or campaign.
    """
    from matwright.api.campaign.ledger import PAUSED

    with Store.open(_existing(settings), create=False) as store:
        store.note(store.campaign_id(settings.name), PAUSED)


def _existing(settings: CampaignSettings) -> str:
    if "://" not in settings.store and not Path(settings.store).is_file():
        raise InputError(f"the campaign {settings.name!r} has not been run: there is no store at {settings.store}")
    return settings.store
