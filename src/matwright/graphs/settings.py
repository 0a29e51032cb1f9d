"""The constants of the neighbour rule; they travel with every store and every checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, final

from matwright.errors import InputError

GRAPH_SCHEMA = 1
"""Raised whenever the same crystal and settings would give another graph: stores of another schema are rebuilt."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSettings:
    """Which neighbours an atom has: all with d < r_i = min(cutoff, stretch * d_k(i)).

    Attributes:
        cutoff: Å, in (0, 100), the largest r_i.
        k: >= 1, the neighbour whose distance d_k(i) sets r_i.
        stretch: in (1, 10], r_i / d_k(i); above 1 so that the k-th neighbour itself has weight.
    """

    cutoff: float = 6.0
    k: int = 8
    stretch: float = 1.25

    def __post_init__(self) -> None:
        if not 0.0 < self.cutoff < 100.0:
            raise InputError(f"the neighbour cutoff lies in (0, 100) Å, found {self.cutoff}")
        if self.k < 1:
            raise InputError(f"the number of neighbours k is at least 1, found {self.k}")
        if not 1.0 < self.stretch <= 10.0:
            raise InputError(f"the neighbour stretch lies in (1, 10], found {self.stretch}")

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, the schema of the graph with them."""
        return {**asdict(self), "schema": GRAPH_SCHEMA}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> GraphSettings:
        """The settings written by `as_dict`.

        Raises:
            InputError: when a name is unknown or the graphs were defined by another schema.
        """
        known = {field.name for field in fields(cls)}
        given = dict(values)
        schema = given.pop("schema", GRAPH_SCHEMA)
        if schema != GRAPH_SCHEMA:
            raise InputError(f"the graph schema is {schema}, this version of matwright reads {GRAPH_SCHEMA}")
        if unknown := set(given) - known:
            raise InputError(f"unknown graph settings {sorted(unknown)}; the known ones are {sorted(known)}")
        return cls(**given)
