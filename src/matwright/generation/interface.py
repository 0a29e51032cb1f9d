"""What every generator of crystals offers: learned, random symmetric and ion exchange alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, final

from matwright.materials.constraints import NO_CONSTRAINTS, Constraints
from matwright.materials.crystal import Crystal


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a candidate comes from: enough to make it again.

    Attributes:
        generator: name of the generator, for instance "mp-generator", "random", "ion-exchange".
        seed: seed of the sampling call.
        index: position in that call's output.
        parents: ids of known materials it was derived from (ion exchange), else empty.
    """

    generator: str
    seed: int
    index: int
    parents: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A proposed crystal with its provenance."""

    crystal: Crystal
    provenance: Provenance


class Generator(Protocol):
    """A source of candidate crystals; the same seed and constraints give the same candidates."""

    @property
    def name(self) -> str:
        """The name that stands in provenance and reports."""
        ...

    def sample(self, n: int, *, constraints: Constraints = NO_CONSTRAINTS, seed: int = 0) -> list[Candidate]:
        """Return n candidates that satisfy the constraints exactly.

        Raises:
            InputError: the constraints contradict each other or what the generator has learned.
        """
        ...
