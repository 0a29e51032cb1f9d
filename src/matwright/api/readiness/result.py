"""What a readiness report holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, final

from matwright.api.knowledge import RegionErrors, TargetKnowledge
from matwright.elements import SYMBOLS
from matwright.materials.target import Target

READINESS_FILE = "readiness.json"


@final
class Standing(StrEnum):
    """Where a target lies against what the model knows.

    INSIDE, at its EDGE, or OUTSIDE; EXACT for a property that needs no model; UNKNOWN where the model does not say what
    it knows.
    """

    INSIDE = "inside"
    EDGE = "edge"
    OUTSIDE = "outside"
    EXACT = "exact"
    UNKNOWN = "unknown"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TargetReadiness:
    """What is known of one target.

    Attributes:
        target: the demand or objective.
        model: that predicts it, "" for none.
        basis: the property whose knowledge this is: that of the target, or the formation energy for the energy above
            the hull.
        standing: see `Standing`.
        unit: of the numbers below, that of the model.
        lower, upper: the range in that unit; for an objective the best of the training values; None: no bound.
        knowledge: of the basis, None where there is none.
        n_inside: training materials in the range.
        region: held-out errors in the range, None where there is no knowledge.
    """

    target: Target
    model: str
    basis: str
    standing: Standing
    unit: str
    lower: float | None
    upper: float | None
    knowledge: TargetKnowledge | None
    n_inside: int
    region: RegionErrors | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        knowledge = self.knowledge
        return {
            "target": str(self.target),
            "model": self.model,
            "basis": self.basis,
            "standing": self.standing.value,
            "unit": self.unit,
            "lower": self.lower,
            "upper": self.upper,
            "n_training": None if knowledge is None else knowledge.n,
            "n_training_inside": None if knowledge is None else self.n_inside,
            "training_range": None if knowledge is None else [float(knowledge.values[0]), float(knowledge.values[-1])],
            "held_out_part": None if knowledge is None else knowledge.part,
            "held_out_mae": None if knowledge is None else knowledge.mae,
            "region": None if self.region is None else asdict(self.region),
        }


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class KnownMaterials:
    """Known materials near the demands.

    Attributes:
        n_stable, n_stable_all: compounds on the shipped hull of the elements that are allowed, and all of them.
        n_energy: of the former, those whose formation energy is in the target's range; None without such a target.
        n_given, n_given_near: materials that the user gave, and those predicted to meet every demand; None for none.
    """

    n_stable: int
    n_stable_all: int
    n_energy: int | None = None
    n_given: int | None = None
    n_given_near: int | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """The report before a design run.

    Attributes:
        targets: one a demand or objective, in their order.
        unknown_elements: atomic numbers that are asked for and that a model has not seen in training.
        known: what is known nearby.
        sentences: the three sentences: what the models know, how accurate they are there, what is known nearby.
        remarks: a sentence for each model that predicts under conditions or from compositions alone.
    """

    targets: tuple[TargetReadiness, ...]
    unknown_elements: tuple[int, ...]
    known: KnownMaterials
    sentences: tuple[str, str, str]
    remarks: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "sentences": list(self.sentences),
            "remarks": list(self.remarks),
            "targets": [one.as_dict() for one in self.targets],
            "unknown_elements": [SYMBOLS[number] for number in self.unknown_elements],
            "known": asdict(self.known),
        }
