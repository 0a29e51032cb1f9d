"""The campaign: the one thing here that has state. It proposes, lets an engine evaluate, and records."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from matwright.campaign.engine.interface import Engine, Outcome
from matwright.campaign.evaluator import Evaluation, Evaluator, Pending
from matwright.campaign.leases import Leases
from matwright.campaign.retry import RetryPolicy
from matwright.campaign.store.owner import Owner
from matwright.campaign.store.store import Store
from matwright.campaign.store.work import OpenWork, Postponement, Task
from matwright.campaign.store.writing import Finding
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.progress import Progress, silent

_LONGEST_WAIT = 2.0  # s between two looks at work that others hold or that waits for its next try


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignStatus:
    """Where a campaign stands with one evaluator.

    Attributes:
        candidates: proposed so far.
        left: what is open; everything else has its record.
    """

    candidates: int
    left: OpenWork

    @property
    def recorded(self) -> int:
        """Candidates that have values or a failure with its reason."""
        return self.candidates - self.left.computing - self.left.pending


@final
class Campaign:
    """Candidates and one evaluator in a store. Any number of processes may work on one campaign, and any may be killed.

    Args:
        store: where everything is kept.
        name: of the campaign in it; the same name goes on with the same campaign.
        evaluator: what says something about the candidates.
        settings: what determines the campaign, kept with it; they must not change.
        retry: which failures are tried again.
        lease: s after which work of a process that no longer answers is free for others.

    Raises:
        InputError: the store has a campaign of that name with other settings, or the lease is too short.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        evaluator: Evaluator,
        *,
        settings: Mapping[str, object] | None = None,
        retry: RetryPolicy | None = None,
        lease: float = 120.0,
    ) -> None:
        if not lease >= 1.0:
            raise InputError(f"a lease lasts at least 1 s, found {lease}")
        self.evaluator = evaluator
        self.id = store.campaign(name, settings)
        self._store, self._lease = store, lease
        self._retry = retry if retry is not None else RetryPolicy()
        self._registered = store.register(evaluator)
        self._queue = store.queue(self.id, self._registered, owner=Owner.this_process(), lease=lease)

    def propose(
        self,
        crystals: Sequence[Crystal],
        *,
        round_number: int = 0,
        provenance: Mapping[str, object] | None = None,
    ) -> int:
        """Add candidates and want their evaluation; how many are new. What the store knows is not computed again."""
        return self._store.propose(
            self.id, crystals, queue=self._queue, round_number=round_number, provenance=provenance
        )

    def status(self) -> CampaignStatus:
        """Where the campaign stands, whoever works on it."""
        return CampaignStatus(candidates=self._store.n_candidates(self.id), left=self._queue.left())

    def run(
        self, engine: Engine, *, progress: Progress | None = None, stop: Callable[[], bool] = lambda: False
    ) -> CampaignStatus:
        """Evaluate until every candidate has a record or waits for somebody outside; also what a killed run left.

        Args:
            engine: open already.
            progress: listens.
            stop: asked before more work is begun; once it says so, what runs is recorded and nothing else begun.

        Raises:
            InputError: the evaluator is misused.
            ResourceError: the store or the machine cannot go on; what was recorded stays, and a new run goes on.
        """
        listener = progress if progress is not None else silent()
        self._store.request(self._queue)
        self._queue.release_dead()
        self._queue.wake_pending()
        listener.start(f"evaluating with {self.evaluator.name}", self.status().left.computing)
        with Leases(self._queue, self._lease):
            while True:
                for outcomes in engine.run(self.evaluator, lambda n: [] if stop() else self._queue.claim(n)):
                    listener.advance(self._settle(outcomes))
                left = self._queue.left()
                if left.computing == 0 or stop():
                    break
                if left.ready == 0:
                    time.sleep(min(_LONGEST_WAIT, max(0.05, left.next_in or 0.0)))
                    self._queue.release_dead()
        listener.finish()
        return self.status()

    def _settle(self, outcomes: Sequence[Outcome]) -> int:
        """Record what is final, put the rest back; how many are final."""
        findings: list[Finding] = []
        postponed: list[Postponement] = []
        for outcome in outcomes:
            decided = self._decide(outcome.task, outcome.evaluation)
            if isinstance(decided, Finding):
                findings.append(decided)
            else:
                postponed.append(decided)
        self._store.settle(self._registered, findings, queue=self._queue, postponed=postponed)
        return len(findings)

    def _decide(self, task: Task, evaluation: Evaluation) -> Finding | Postponement:
        if isinstance(evaluation.answer, Pending):
            return Postponement(
                structure=task.structure,
                reason=evaluation.answer.waits_for,
                delay=self._retry.ask_again,
                failed=False,
            )
        attempts = task.attempts + 1
        failure = evaluation.failure
        delay = None if failure is None else self._retry.delay(failure, attempts)
        if failure is not None and delay is not None:
            return Postponement(structure=task.structure, reason=failure.reason, delay=delay, failed=True)
        return Finding(structure=task.structure, evaluation=self._retry.final(evaluation, attempts), attempts=attempts)
