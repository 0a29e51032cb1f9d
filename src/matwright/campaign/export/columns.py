"""Records as rows of a table: what they are, where they come from, and one column a quantity with its unit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self, final

from matwright.campaign.store.records import EvaluatorFacts, Record

Cell = str | int | float | None

DESCRIBED: tuple[tuple[str, type], ...] = (
    ("key", str),
    ("structure", str),
    ("formula", str),
    ("n_sites", int),
    ("evaluator", str),
    ("version", str),
    ("fidelity", str),
    ("failure", str),
    ("reason", str),
    ("attempts", int),
    ("seconds", float),
    ("created", str),
)
"""The columns before the quantities, with what they hold."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns of a table that holds every record of some evaluators.

    Attributes:
        quantities: (name, unit) of each quantity; one that two evaluators give in two units has two columns.
    """

    quantities: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, evaluators: Iterable[EvaluatorFacts]) -> Self:
        """The columns for these evaluators."""
        return cls(quantities=tuple(sorted({pair for one in evaluators for pair in one.units.items()})))

    @property
    def headings(self) -> list[str]:
        """The name of every column."""
        numbers = [f"{name}{suffix} [{unit}]" for name, unit in self.quantities for suffix in ("", ".std")]
        return [name for name, _ in DESCRIBED] + numbers

    def row(self, record: Record) -> list[Cell]:
        """The cells of one record, in the order of `headings`; None for what it does not have."""
        failure = record.failure
        cells: list[Cell] = [
            record.key,
            record.structure,
            record.formula,
            record.n_sites,
            record.evaluator.name,
            record.evaluator.version,
            record.evaluator.fidelity.value,
            None if failure is None else failure.kind.value,
            None if failure is None else failure.reason,
            record.attempts,
            record.seconds,
            moment(record),
        ]
        for name, unit in self.quantities:
            found = record.values.get(name)
            there = found is not None and found.unit == unit
            cells += [found.value, found.std] if found is not None and there else [None, None]
        return cells


def moment(record: Record) -> str:
    """When a record was written, UTC, as ISO 8601."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
