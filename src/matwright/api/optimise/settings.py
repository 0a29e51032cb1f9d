"""What an optimisation is told: targets, constraints, how it learns, and from which generator and models."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

from matwright.api.models import SEARCH_MODELS
from matwright.errors import InputError
from matwright.generation.rl.settings import LearningConfig, RewardConfig
from matwright.materials.constraints import NO_CONSTRAINTS, Constraints
from matwright.materials.target import Target
from matwright.rng import check_seed


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OptimiseSettings:
    """Everything that determines the result of an optimisation.

    Attributes:
        targets: demands and objectives, at least one.
        constraints: what every sequence must satisfy exactly.
        steps: of the loop; each draws `learning.batch` sequences.
        generator: name or folder of a learned generator.
        models: property models in order of preference; one must predict the formation energy. Near the targets every
            model that knows them is asked; one that says nothing of them is not.
        conditions: "temperature=700 K" for each under which properties are wanted (see `DesignSettings`).
        learning: algorithm and its numbers.
        reward: weights of E28.
        assessed: fresh sequences drawn before and after to measure the hit rate.
        seed: of every random choice.

    Raises:
        InputError: there is no target, one property is asked for twice, or a number is impossible.
    """

    targets: tuple[Target, ...]
    constraints: Constraints = NO_CONSTRAINTS
    steps: int = 40
    generator: str = "mp-generator"
    models: tuple[str, ...] = SEARCH_MODELS
    conditions: tuple[str, ...] = ()
    learning: LearningConfig = field(default_factory=LearningConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    assessed: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.targets:
            raise InputError("say what you want: at least one --target, --minimise or --maximise")
        names = [target.name for target in self.targets]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(f"{twice[0]} is asked for twice; state one target or one objective for a property")
        if self.steps < 1 or self.assessed < 1:
            raise InputError("the numbers of steps and of assessed sequences are at least 1")
        if not self.models:
            raise InputError("an optimisation needs at least one property model")
        check_seed(self.seed)
