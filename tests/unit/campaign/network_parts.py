"""An evaluator that says on which network it runs; in a module of its own, because workers import it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matwright.campaign.evaluator import Evaluation, Fidelity, Quantity
from matwright.materials.crystal import Crystal


def network() -> float:
    """Number of the network namespace of this process."""
    return float(Path("/proc/self/ns/net").readlink().name.partition("[")[2].rstrip("]"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Volume, and the network that the worker sees."""

    name: str = "where"
    version: str = "1"
    fidelity: Fidelity = Fidelity.SURROGATE
    batch_size: int = 1
    cost: float = 0.01

    @property
    def settings(self) -> Mapping[str, Any]:
        return {}

    @property
    def units(self) -> Mapping[str, str]:
        return {"volume": "Å^3", "network": "1", "threads": "1"}

    def prepare(self) -> None:
        """Nothing."""

    def evaluate(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        threads = float(os.environ.get("OMP_NUM_THREADS", "0"))
        return [
            Evaluation(
                answer={
                    "volume": Quantity(value=crystal.volume, unit="Å^3"),
                    "network": Quantity(value=network(), unit="1"),
                    "threads": Quantity(value=threads, unit="1"),
                }
            )
            for crystal in crystals
        ]
