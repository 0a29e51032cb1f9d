"""What a screening ends with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from matwright.api.design.records import DesignRecord
from matwright.api.screen.settings import ScreenSettings
from matwright.screening.residual import culprit, residual_total


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RungCount:
    """What one rung did.

    Attributes:
        rung: name.
        entered, passed: candidates.
        stopped_by: (rule, count) of those that stopped here, most frequent first.
        seconds: wall time of the rung, all candidates together.
    """

    rung: str
    entered: int
    passed: int
    stopped_by: tuple[tuple[str, int], ...]
    seconds: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenResult:
    """Every candidate with every verdict.

    Attributes:
        records: the candidates in the order in which they were read.
        settings: of the screening.
        n_rejected: rows that held no crystal.
        provenance: content of `run.json`.
    """

    records: tuple[DesignRecord, ...]
    settings: ScreenSettings
    n_rejected: int
    provenance: Mapping[str, Any]

    @property
    def survivors(self) -> list[DesignRecord]:
        """Those that passed every rung: by total residual, then by energy above the hull where it is known."""
        return sorted((record for record in self.records if record.alive), key=self._order)

    def residual(self, record: DesignRecord) -> float:
        """Total residual of a candidate over the rungs it climbed (E32)."""
        return residual_total(record.verdicts, self.settings.thresholds.residual)

    def counts(self) -> list[RungCount]:
        """One entry a rung that somebody came to, in order."""
        found = []
        for name in self.settings.rungs:
            reached = [(record, rung) for record in self.records if (rung := record.rung(name)) is not None]
            if not reached:
                continue
            stopped = Counter(self._culprit(record) for record, rung in reached if not rung.passed)
            found.append(
                RungCount(
                    rung=name,
                    entered=len(reached),
                    passed=sum(rung.passed for _, rung in reached),
                    stopped_by=tuple(stopped.most_common()),
                    seconds=sum(rung.seconds for _, rung in reached),
                )
            )
        return found

    def _culprit(self, record: DesignRecord) -> str:
        """The rule with which the total residual exceeded ε; the rung itself where a calculation failed."""
        verdict = culprit(record.verdicts, self.settings.thresholds.residual)
        return verdict.rule if verdict is not None else record.reached

    def _order(self, record: DesignRecord) -> tuple[float, float, str]:
        hull = record.measured("e_above_hull")
        above = hull.value if hull is not None and hull.value is not None else 0.0
        return self.residual(record), above, record.id
