"""How a relaxation's outcome is written down while a run goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matwright.materials.crystal_json import crystal_from_json, crystal_to_json
from matwright.screening.potential import Failure, FailureKind
from matwright.screening.relax import Outcome, Relaxation


def outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    """The outcome as JSON values; a failure has no key "crystal"."""
    if isinstance(outcome, Failure):
        return {"reason": outcome.reason, "seconds": outcome.seconds, "kind": outcome.kind.value}
    fields = {name: getattr(outcome, name) for name in outcome.__dataclass_fields__}
    return {**fields, "crystal": crystal_to_json(outcome.crystal)}


def outcome_from_json(data: Mapping[str, Any]) -> Outcome:
    """The outcome written by `outcome_to_json`."""
    if "crystal" not in data:
        kind = FailureKind(data.get("kind", FailureKind.CALCULATION.value))  # absent in runs of version 0.1
        return Failure(reason=data["reason"], seconds=data["seconds"], kind=kind)
    return Relaxation(**{**data, "crystal": crystal_from_json(data["crystal"])})
