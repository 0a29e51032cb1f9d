"""What goes wrong in a density-functional calculation, which kind of failure it is, and what the second try changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import final

from matwright.screening.dft.settings import DftSettings
from matwright.screening.potential import FailureKind


@final
class Trouble(Enum):
    """The known ways in which a calculation ends without an answer."""

    NO_CONVERGENCE = "the density did not converge"
    NO_REST = "the atoms did not come to rest"
    WALL_TIME = "the time was used up"
    BAD_GEOMETRY = "the geometry cannot be computed"
    NO_PSEUDOPOTENTIAL = "a pseudopotential is missing"
    NOT_FINITE = "a number is not finite"
    CRASH = "the program ended without a result"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One such end.

    Attributes:
        trouble: which.
        detail: what the program said, one clause.
    """

    trouble: Trouble
    detail: str

    @property
    def reason(self) -> str:
        """One sentence."""
        return f"{self.trouble.value}: {self.detail}" if self.detail else self.trouble.value

    @property
    def kind(self) -> FailureKind:
        """Of the failure that is left of it."""
        return REMEDIES[self.trouble].kind


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What is done about a trouble.

    Attributes:
        kind: of the failure that is left when nothing helps; the campaign's own tries depend on it.
        second: the settings of the second try; None where the same end is certain.
        says: what the second try does, for tables.
    """

    kind: FailureKind
    second: Callable[[DftSettings], DftSettings] | None
    says: str


def _gentler(settings: DftSettings) -> DftSettings:
    return replace(settings, mixing=settings.mixing * 0.3, max_steps=2 * settings.max_steps)


def _longer(settings: DftSettings) -> DftSettings:
    return replace(settings, wall_minutes=2 * settings.wall_minutes)


def _same(settings: DftSettings) -> DftSettings:
    return settings


REMEDIES: Mapping[Trouble, Remedy] = MappingProxyType(
    {
        Trouble.NO_CONVERGENCE: Remedy(
            kind=FailureKind.NOT_CONVERGED, second=_gentler, says="0.3 times the mixing, twice the iterations"
        ),
        Trouble.NO_REST: Remedy(kind=FailureKind.NOT_CONVERGED, second=None, says="none"),
        Trouble.WALL_TIME: Remedy(kind=FailureKind.TIMED_OUT, second=_longer, says="twice the time"),
        Trouble.BAD_GEOMETRY: Remedy(kind=FailureKind.REFUSED, second=None, says="none"),
        Trouble.NO_PSEUDOPOTENTIAL: Remedy(kind=FailureKind.REFUSED, second=None, says="none"),
        Trouble.NOT_FINITE: Remedy(kind=FailureKind.NOT_FINITE, second=None, says="none"),
        Trouble.CRASH: Remedy(kind=FailureKind.CALCULATION, second=_same, says="the same once more"),
    }
)
"""One policy a trouble: at most one second try."""
