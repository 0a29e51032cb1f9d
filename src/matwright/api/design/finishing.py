"""The dear half of a design run after the potential has spoken: checked again, hull, predicted again, ranked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from matwright.api.design import result
from matwright.api.design.distinct import Seen, group_of
from matwright.api.design.judging import duplicate_verdict, judged, rules_rung, target_verdicts
from matwright.api.design.novelty import Library
from matwright.api.design.proposal import surrogate_rung
from matwright.api.design.records import DesignRecord, Measurement, Rung
from matwright.api.design.score import Belief
from matwright.api.design.selection import Scoring, measurements_of
from matwright.api.design.settings import DesignSettings
from matwright.api.design.stability import POTENTIAL_ERROR
from matwright.api.design.surrogate import HULL_DISTANCE, Surrogates
from matwright.data.hull import Hull
from matwright.data.references import ElementReferences
from matwright.errors import CalculationError
from matwright.screening.hull_distance import hull_rung
from matwright.screening.potential import Failure
from matwright.screening.relax import Outcome
from matwright.screening.relaxing import relaxation_rung
from matwright.screening.thresholds import Thresholds


def relaxed_record(record: DesignRecord, outcome: Outcome, potential: str, thresholds: Thresholds) -> DesignRecord:
    """The record with what became of it under the potential; an unconverged crystal is kept when its rest is small."""
    given = record.candidate.crystal
    rung = relaxation_rung(given, outcome, potential, thresholds, before=record.verdicts)
    return record.climbed(rung, relaxed=None if isinstance(outcome, Failure) else outcome.crystal)


@final
class Finisher:
    """The rungs after relaxation, for all relaxed candidates of a run at once.

    Args:
        settings: of the run.
        surrogates, library, hull: as in the first half.
        references: energies of the elements on the potential's scale.
        scoring: the run's score, with the pool it was fixed on.
    """

    def __init__(
        self,
        settings: DesignSettings,
        surrogates: Surrogates,
        library: Library,
        hull: Hull,
        references: ElementReferences,
        scoring: Scoring,
    ) -> None:
        self._settings = settings
        self._surrogates = surrogates
        self._library = library
        self._hull = hull
        self._references = references
        self._scoring = scoring

    def finish(self, relaxed: Sequence[DesignRecord]) -> list[DesignRecord]:
        """The same records, in the same order, with every rung that is left for them."""
        by_id = {record.id: record for record in relaxed}
        for step in (self._checked, self._above_hull, self._predicted):
            alive = [record for record in by_id.values() if record.alive]
            by_id |= {record.id: record for record in step(alive)}
        return [by_id[record.id] for record in relaxed]

    def _checked(self, records: Sequence[DesignRecord]) -> list[DesignRecord]:
        """Rules, uniqueness and novelty of the relaxed structures; of equal ones the lowest in energy stays."""
        seen, done = Seen(), []
        for record in sorted(records, key=lambda record: (_energy(record), record.id)):
            crystal = record.crystal
            group = group_of(crystal)
            bucket = (group[0], 0, ())  # after relaxation equal structures may differ in the symmetry found
            twin = seen.twin(crystal, bucket)
            rules = rules_rung(crystal, self._settings.thresholds, self._settings.targets)
            verdicts = [*rules.verdicts, duplicate_verdict("duplicate_relaxed", twin)]
            verdicts += self._library.verdicts(crystal, group[1])
            taken = [Measurement(name="space_group", value=float(group[1]), unit="1")]
            rung = judged(result.RECHECK, verdicts, taken, seconds=rules.seconds)
            if twin is None:
                seen.add(record.id, crystal, bucket)
            done.append(record.climbed(rung))
        return done

    def _above_hull(self, records: Sequence[DesignRecord]) -> list[DesignRecord]:
        return [record.climbed(self._hull_rung(record)) for record in records]

    def _hull_rung(self, record: DesignRecord) -> Rung:
        relaxation = record.rung(result.RELAXATION)
        code, version = (relaxation.code, relaxation.version) if relaxation is not None else ("", "")
        demands = [target for target in self._settings.targets if target.name == HULL_DISTANCE]
        return hull_rung(
            record,
            self._hull,
            self._references,
            self._settings.thresholds,
            code=code,
            version=version,
            asked=lambda taken: target_verdicts(demands, taken),
        )

    def _predicted(self, records: Sequence[DesignRecord]) -> list[DesignRecord]:
        """Surrogate and score of the relaxed structures."""
        answers = self._surrogates.measure([record.crystal for record in records])
        done = []
        for record, answer in zip(records, answers, strict=True):
            rung = surrogate_rung(result.PREDICTION, self._settings, _without_hull(answer), 0.0)
            hull = record.measured(HULL_DISTANCE)
            distance = hull.value if hull is not None and hull.value is not None else 0.0
            if not isinstance(answer, CalculationError):
                believed = Belief(median=distance, below=POTENTIAL_ERROR, above=POTENTIAL_ERROR)
                found = measurements_of(self._scoring.of(rung, believed))
                rung = judged(
                    rung.name, rung.verdicts, (*rung.measurements, *found), code=rung.code, version=rung.version
                )
            done.append(record.climbed(rung))
        return done


def ranking(records: Sequence[DesignRecord]) -> tuple[str, ...]:
    """Ids of the candidates that passed every rung, best score first; equal scores by energy above the hull."""
    survivors = [record for record in records if record.alive and record.reached == result.PREDICTION]
    return tuple(record.id for record in sorted(survivors, key=_order))


def _order(record: DesignRecord) -> tuple[float, float, str]:
    score, hull = record.measured("score"), record.measured(HULL_DISTANCE)
    best = score.value if score is not None and score.value is not None else 0.0
    above = hull.value if hull is not None and hull.value is not None else 0.0
    return -best, above, record.id


def _energy(record: DesignRecord) -> float:
    """eV/atom after relaxation."""
    measured = record.measured("energy_per_atom")
    return measured.value if measured is not None and measured.value is not None else float("inf")


def _without_hull(answer: tuple[Measurement, ...] | CalculationError) -> tuple[Measurement, ...] | CalculationError:
    """The potential's hull distance stands; the surrogate's would only contradict it under the same name."""
    if isinstance(answer, CalculationError):
        return answer
    return tuple(measurement for measurement in answer if measurement.name != HULL_DISTANCE)
