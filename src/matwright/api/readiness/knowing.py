"""What the facts of trained models say, without their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from matwright.api.knowledge import TargetKnowledge, read_knowledge
from matwright.materials.conditions import ConditionSchema
from matwright.models.learned import Learned


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class KnowingModel:
    """What the facts of one model say.

    Attributes:
        name: as it was asked for.
        properties: that it predicts.
        knowledge: by property; empty for a model that was made before models said what they know.
        elements: atomic numbers seen in training, empty where unknown.
        schema: the conditions that it knows, None for none.
        ranges: what the training data say of each (see `condition_facts`).
        learned: from what it learned.
    """

    name: str
    properties: frozenset[str]
    knowledge: Mapping[str, TargetKnowledge]
    elements: frozenset[int]
    schema: ConditionSchema | None = None
    ranges: Mapping[str, Any] = field(default_factory=dict)
    learned: Learned = Learned.BOTH


def knowing_models(names: Sequence[str]) -> list[KnowingModel]:
    """What the models of these names know: shipped ones, or run folders of `train`.

    Raises:
        InputError: one is not there or broken.
    """
    from matwright.api.models import find_model
    from matwright.elements import atomic_number
    from matwright.models.checkpoint import read_model_file  # heavy (torch): behind its door

    found = []
    for name in names:
        described = read_model_file(find_model(name))
        seen = described.facts.get("data", {}).get("elements", ())
        found.append(
            KnowingModel(
                name=name,
                properties=frozenset(spec.name for spec in described.specs),
                knowledge=read_knowledge(described.facts),
                elements=frozenset(atomic_number(word) for word in seen),
                schema=described.config.conditions,
                ranges=described.facts.get("conditions", {}),
                learned=described.learned,
            )
        )
    return found
