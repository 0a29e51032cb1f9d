"""An evaluator that costs next to nothing: the volume of the cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matwright.campaign.evaluator import Evaluation, Fidelity, Quantity
from matwright.materials.crystal import Crystal


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeEvaluator:
    """Gives the volume of the cell as a score."""

    version: str
    name: str = "volume"
    fidelity: Fidelity = Fidelity.SURROGATE
    settings: Mapping[str, Any] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=lambda: {"score": "Å^3"})
    batch_size: int = 1
    cost: float = 0.0

    def prepare(self) -> None:
        """Nothing."""

    def evaluate(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        """The volumes."""
        return [Evaluation(answer={"score": Quantity(value=one.volume, unit="Å^3")}) for one in crystals]
