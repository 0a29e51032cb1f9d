"""What a screening is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import final

from matwright.errors import InputError
from matwright.materials.properties import nearest_hint
from matwright.materials.target import Target
from matwright.screening.thresholds import Thresholds

RUNGS = tuple(one.name for one in fields(Thresholds) if one.name != "residual")
"""The rungs from cheap to dear."""
LARGEST_CHUNK = 256
"""Candidates that climb a cheap rung together; what is done is written down after each chunk."""
CHUNKS = {"relaxation": 16, "equation_of_state": 4, "elastic": 4, "phonon": 1, "conduction": 1}
"""Candidates that climb a dear rung together: with the potential, in worker processes where there are several."""
DEFAULT_UNTIL = "hull"
"""The last rung unless the user says otherwise: those above cost many times as much."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenSettings:
    """Limits, demands and sources of a screening.

    Attributes:
        thresholds: limits of every rung, and of the total residual (E32).
        until: the last rung that is climbed.
        skip: rungs that are left out.
        targets: demands on predicted properties and on the energy above the hull; objectives never reject.
        models: property models of the surrogate rung; a property is predicted by the first that knows it.
        conditions: "temperature=700 K" for each under which properties are wanted (see `DesignSettings`).
        elastic_model: model of the predicted elastic tensor.
        potential: name of the interatomic potential.

    Raises:
        InputError: at construction, when a rung is unknown.
    """

    thresholds: Thresholds = field(default_factory=Thresholds)
    until: str = DEFAULT_UNTIL
    skip: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    models: tuple[str, ...] = ("mp-crystal",)
    conditions: tuple[str, ...] = ()
    elastic_model: str = "elastic"
    potential: str = "chgnet"

    def __post_init__(self) -> None:
        for rung in (self.until, *self.skip):
            if rung not in RUNGS:
                raise InputError(f"there is no rung {rung!r}{nearest_hint(rung, RUNGS)}; known: {', '.join(RUNGS)}")
        if not self.models:
            raise InputError("a screening needs at least one property model")

    @property
    def rungs(self) -> tuple[str, ...]:
        """The rungs that are climbed, in order."""
        return tuple(rung for rung in RUNGS[: RUNGS.index(self.until) + 1] if rung not in self.skip)
