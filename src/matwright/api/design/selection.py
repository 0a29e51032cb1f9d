"""Which candidates are worth a relaxation: the best by score, with a limit on structures of one formula."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import final

from matwright.api.design import result
from matwright.api.design.describe import formula_of
from matwright.api.design.judging import judged
from matwright.api.design.records import DesignRecord, Measurement, Rung
from matwright.api.design.score import Belief, Pool, Score, belief, pool_of, score
from matwright.api.design.settings import DesignSettings
from matwright.api.design.surrogate import HULL_DISTANCE
from matwright.screening.rules import at_most
from matwright.screening.verdict import Verdict


@final
class Scoring:
    """The score of this run: targets, and the pool's centre and spread in every objective.

    Args:
        settings: targets and the stability limit.
        records: the pool; those that the surrogate measured define centre and spread.
    """

    def __init__(self, settings: DesignSettings, records: Sequence[DesignRecord]) -> None:
        self._settings = settings
        measured = [rung for record in records if (rung := record.rung(result.SURROGATE)) is not None]
        self.pools: Mapping[str, Pool] = {
            target.name: pool_of(
                [m.value for rung in measured if (m := rung.measured(target.name)) and m.value is not None]
            )
            for target in settings.targets
            if target.is_objective
        }

    def of(self, rung: Rung, hull: Belief | None = None) -> Score:
        """The score from the measurements of a rung; `hull` replaces what the surrogate thinks of stability."""
        beliefs = {measurement.name: belief(measurement) for measurement in rung.measurements}
        distance = hull if hull is not None else beliefs.get(HULL_DISTANCE, Belief(median=0.0, below=0.0, above=0.0))
        beliefs[HULL_DISTANCE] = distance
        return score(self._settings.targets, beliefs, self.pools, distance, self._settings.stability)


def measurements_of(found: Score) -> list[Measurement]:
    """The score and its factors as measurements ("score", "P(bulk_modulus)", …)."""
    taken = [Measurement(name="score", value=found.value, unit="1")]
    names: Counter[str] = Counter()
    for name, probability in found.factors:
        names[name] += 1
        label = f"P({name})" if names[name] == 1 else f"P({name}, better than the pool)"
        taken.append(Measurement(name=label, value=probability, unit="1"))
    return taken


def select(records: Sequence[DesignRecord], settings: DesignSettings, scoring: Scoring) -> list[DesignRecord]:
    """All records; those that were alive climb the selection rung, the best `budget` of them pass it."""
    alive = [
        (record, scoring.of(rung)) for record in records if record.alive and (rung := record.rung(result.SURROGATE))
    ]
    alive.sort(key=lambda pair: (-pair[1].value, pair[0].id))
    taken: Counter[str] = Counter()
    chosen = 0
    rungs: dict[str, Rung] = {}
    for record, found in alive:
        formula = formula_of(record.candidate.crystal)
        taken[formula] += 1
        verdicts = [
            _place("same_formula", taken[formula], settings.per_formula, f"better-scored structures of {formula}")
        ]
        if verdicts[0].passed:
            chosen += 1
            verdicts.append(_place("budget", chosen, settings.budget, "better-scored candidates"))
        rungs[record.id] = judged(result.SELECTION, verdicts, measurements_of(found))
    return [record.climbed(rungs[record.id]) if record.id in rungs else record for record in records]


def _place(rule: str, place: int, limit: int, better: str) -> Verdict:
    """Whether a place in an order is within a limit; the residual counts the places beyond it."""
    verdict = at_most(rule, float(place), float(limit), "1")
    reason = "" if verdict.passed else f"{place - 1} {better} come first, the limit is {limit}"
    return Verdict(
        rule=rule,
        residual=verdict.residual,
        value=verdict.value,
        threshold=verdict.threshold,
        passed=verdict.passed,
        reason=reason,
    )


def chosen_in_order(records: Sequence[DesignRecord]) -> list[DesignRecord]:
    """The candidates that are to be relaxed, best score first."""
    chosen = [record for record in records if record.alive and record.reached == result.SELECTION]
    return sorted(chosen, key=lambda record: (-_score(record), record.id))


def _score(record: DesignRecord) -> float:
    measured = record.measured("score")
    return measured.value if measured is not None and measured.value is not None else 0.0
