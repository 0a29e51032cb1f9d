"""The filter between proposing and choosing: the cheap rungs of the cascade, and what each one stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import final

from matwright.api.campaign.asked_models import conditions_of_filter
from matwright.api.campaign.proposers import Proposal
from matwright.api.campaign.settings import FILTERS, FilterSettings
from matwright.api.design.records import DesignRecord
from matwright.api.screen.settings import ScreenSettings
from matwright.api.screen.stages import StageLoader
from matwright.campaign.objective import Goal
from matwright.generation.interface import Candidate, Provenance
from matwright.screening.residual import culprit
from matwright.screening.rules import RULES_OF_RUNG
from matwright.screening.stage import RulesStage, Stage


@final
class Filter:
    """Sends proposals up the cheap rungs; what a structure got is remembered as long as the process lives."""

    def __init__(self, settings: FilterSettings, goal: Goal, conditions: Sequence[str] = ()) -> None:
        targets = goal.targets if settings.until in ("surrogate", "predicted_elastic") else ()
        self._settings = ScreenSettings(
            thresholds=settings.thresholds,
            until=settings.until,
            targets=targets,
            models=settings.models,
            conditions=conditions_of_filter(settings.models, conditions) if targets else (),
        )
        loader = StageLoader(self._settings)
        self._stages: list[Stage] = [
            _stage(loader, rung, settings)
            for rung in FILTERS[: FILTERS.index(settings.until) + 1]
            if rung in self._settings.rungs
        ]
        self._verdicts: dict[str, str] = {}

    def passed(self, proposals: Sequence[Proposal]) -> tuple[list[Proposal], Counter[str]]:
        """Those that passed every rung, and how many each rule stopped."""
        fresh = [proposal for proposal in proposals if proposal.address not in self._verdicts]
        self._judge(fresh)
        stopped = Counter(self._verdicts[one.address] for one in proposals if self._verdicts[one.address])
        return [one for one in proposals if not self._verdicts[one.address]], stopped

    def _judge(self, proposals: Sequence[Proposal]) -> None:
        """The rule that stops each proposal, "" where none does."""
        records = [_record(number, proposal) for number, proposal in enumerate(proposals)]
        for stage in self._stages:
            alive = [place for place, record in enumerate(records) if record.alive]
            climbs = stage.climb([records[place] for place in alive]) if alive else []
            for place, climb in zip(alive, climbs, strict=True):
                records[place] = records[place].climbed(climb.rung)
        for proposal, record in zip(proposals, records, strict=True):
            self._verdicts[proposal.address] = "" if record.alive else self._rule(record)

    def _rule(self, record: DesignRecord) -> str:
        verdict = culprit(record.verdicts, self._settings.thresholds.residual)
        return record.reached if verdict is None else verdict.rule


def _stage(loader: StageLoader, rung: str, settings: FilterSettings) -> Stage:
    """Rules are made here: the loader would load what only the rung chemistry needs."""
    if rung in RULES_OF_RUNG and rung != "chemistry":
        return RulesStage(name=rung, thresholds=settings.thresholds)
    return loader.load(rung)


def _record(number: int, proposal: Proposal) -> DesignRecord:
    provenance = Provenance(generator="proposal", seed=0, index=number, parents=(proposal.address,))
    return DesignRecord(id=f"p{number:06d}", candidate=Candidate(crystal=proposal.crystal, provenance=provenance))
