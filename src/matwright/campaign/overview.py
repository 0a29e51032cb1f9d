"""What is in a store, in a few lines: campaigns, evaluators, records, failures, open work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from matwright.campaign.store.records import EvaluatorFacts
from matwright.campaign.store.store import Store
from matwright.screening.potential import FailureKind


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What is in a store.

    Attributes:
        where: its address.
        records: how many; failed: how many of them, by kind.
        evaluators: with the number of records of each.
        campaigns: name → number of candidates.
        open_work: pieces of work that are wanted and not recorded.
    """

    where: str
    records: int
    failed: Mapping[FailureKind, int]
    evaluators: tuple[tuple[EvaluatorFacts, int], ...]
    campaigns: Mapping[str, int]
    open_work: int

    def lines(self) -> list[str]:
        """The overview as a person reads it."""
        failed = sum(self.failed.values())
        kinds = ", ".join(f"{number} {kind.value}" for kind, number in self.failed.items())
        rows = [
            f"store: {self.where}",
            f"records: {self.records}, {failed} of them failures" + (f" ({kinds})" if failed else ""),
        ]
        for one, number in self.evaluators:
            units = ", ".join(f"{name} [{unit}]" for name, unit in one.units.items())
            rows.append(
                f"evaluator {one.id}: {one.name} {one.version[:12]} ({one.fidelity.value}), {number} records: {units}"
            )
        rows += [f"campaign {name}: {number} candidates" for name, number in self.campaigns.items()]
        return [*rows, f"open work: {self.open_work}"]


def overview(store: Store) -> Overview:
    """What is in a store."""
    counts = store.records.count_by_evaluator()
    return Overview(
        where=store.where,
        records=store.records.count(),
        failed=store.records.failures(),
        evaluators=tuple((one, counts.get(one.id, 0)) for one in store.records.evaluators()),
        campaigns={name: store.n_candidates(store.campaign_id(name)) for name in store.campaign_names()},
        open_work=store.open_work(),
    )
