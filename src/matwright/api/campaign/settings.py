"""What a campaign is asked to do, one to one with the tables of its TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from matwright.campaign.acquisition import AcquisitionSettings
from matwright.campaign.engine.interface import Limits
from matwright.campaign.engine.settings import EngineSettings
from matwright.campaign.objective import Goal
from matwright.campaign.surrogate import SurrogateKind
from matwright.errors import InputError
from matwright.materials.constraints import NO_CONSTRAINTS, Constraints
from matwright.rng import check_seed
from matwright.screening.thresholds import Thresholds

FEATURES = ("descriptors", "predictions", "embedding")
"""What the surrogate may see: physical descriptors, the predictions of a model, and where it places a crystal."""
FILTERS = ("density", "geometry", "chemistry", "symmetry", "surrogate", "predicted_elastic")
"""The rungs of the cascade that are cheap enough to filter with."""
LARGEST_BATCH = 1000
"""Candidates of a round become the store's all or not at all, which is one transaction."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ProposerSettings:
    """Where candidates come from: exactly one of pool and generator.

    Attributes:
        pool: structure files, folders or archives of them, tables; the same candidates for every round.
        structure, id_column: columns of a table of the pool.
        generator: name of a shipped generator, "random", "ion-exchange", or a folder of `optimise` or `train`.
        candidates: that the generator draws for each round.
        novel: whether only structures count that the library of known materials does not hold.
        around_best: share of them that is drawn near the best candidates so far, by a learned generator.
        parents: how many of the best; spread: how far from them, 0..1 (1: anywhere).
    """

    pool: tuple[Path, ...] = ()
    structure: str | None = None
    id_column: str | None = None
    generator: str | None = None
    candidates: int = 1000
    novel: bool = False
    around_best: float = 0.0
    parents: int = 8
    spread: float = 0.4

    def __post_init__(self) -> None:
        if not 0 <= self.around_best <= 1 or not 0 <= self.spread <= 1 or self.parents < 1:
            raise InputError("proposer.around_best and proposer.spread lie in 0..1, and parents is at least 1")
        if bool(self.pool) == (self.generator is not None):
            raise InputError("[proposer] names either a pool (files) or a generator")
        if self.candidates < 1:
            raise InputError(f"proposer.candidates must be at least 1, found {self.candidates}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FilterSettings:
    """What a proposal has to pass before it may be chosen.

    Attributes:
        thresholds: limits, as in configs/filter.toml.
        until: the last rung of the cascade that is climbed (see `FILTERS`).
        models: property models of the rung surrogate.
    """

    thresholds: Thresholds = field(default_factory=Thresholds)
    until: str = "symmetry"
    models: tuple[str, ...] = ("mp-crystal",)

    def __post_init__(self) -> None:
        if self.until not in FILTERS:
            raise InputError(f"filter.until is one of {', '.join(FILTERS)}, found {self.until!r}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceSettings:
    """How the batches are chosen.

    Attributes:
        acquisition: the function, and how diverse a batch is.
        batch: evaluations begun in a round; start: those of the first round, chosen at random.
        cost_aware: whether a choice counts what it costs: then each place of a batch goes to a candidate on its next
            rung, and a candidate climbs on only when it is chosen again.
    """

    acquisition: AcquisitionSettings = field(default_factory=AcquisitionSettings)
    batch: int = 20
    start: int | None = None
    cost_aware: bool = False

    def __post_init__(self) -> None:
        for name in ("batch", "start"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= LARGEST_BATCH:
                raise InputError(f"acquisition.{name} lies in 1..{LARGEST_BATCH}, found {value}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SurrogateSettings:
    """What is trained anew after each round.

    Attributes:
        kind: trees or a Gaussian process.
        features: what it sees (see `FEATURES`).
        model: whose predictions and embeddings these are.
        residual: whether it learns what evaluators say beyond the prediction of that model, where there is one; for
            each quantity only if that errs less on what is known, in five folds.
        trees: how many.
    """

    kind: SurrogateKind = SurrogateKind.TREES
    features: tuple[str, ...] = ("descriptors",)
    model: str = "mp-crystal"
    residual: bool = False
    trees: int = 100

    def __post_init__(self) -> None:
        unknown = [name for name in self.features if name not in FEATURES]
        if unknown or not self.features:
            raise InputError(f"surrogate.features are of {', '.join(FEATURES)}, found {', '.join(unknown) or 'none'}")
        if self.trees < 2:
            raise InputError(f"surrogate.trees must be at least 2, found {self.trees}")

    @property
    def asks_model(self) -> bool:
        """Whether the surrogate rests on a trained model."""
        return self.residual or set(self.features) != {"descriptors"}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StopSettings:
    """When a campaign ends; asked between rounds. What is None never ends it; an empty pool always does.

    Attributes:
        rounds, evaluations, hits: that are enough.
        hours: of all evaluations together, each as the wall time of its one computing thread.
        no_improvement: rounds without a better merit and without a new hit.
    """

    rounds: int | None = None
    evaluations: int | None = None
    hits: int | None = None
    hours: float | None = None
    no_improvement: int | None = None

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"stop.{name} must be above 0, found {value}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignSettings:
    """Everything that a campaign's file says.

    Attributes:
        name: of the campaign in its store.
        store: path, or URL of a PostgreSQL database.
        folder: that paths of the file are relative to.
        goal: targets.
        evaluators: the tables [[evaluator]] as they stand, from cheap to dear (see `rungs`).
        proposer, filter, choice, surrogate, stop: the parts.
        constraints: elements, formula, space groups and sizes.
        conditions: of the trained models' predictions, as in `DesignSettings`; each goes to the models that know it.
        engine: where workers come from; None: evaluated in this process.
        limits: of one evaluation, where there are workers.
        seed: of every random choice.
    """

    name: str
    store: str
    folder: Path
    goal: Goal
    evaluators: tuple[Mapping[str, Any], ...]
    proposer: ProposerSettings
    filter: FilterSettings = field(default_factory=FilterSettings)
    choice: ChoiceSettings = field(default_factory=ChoiceSettings)
    surrogate: SurrogateSettings = field(default_factory=SurrogateSettings)
    stop: StopSettings = field(default_factory=StopSettings)
    constraints: Constraints = NO_CONSTRAINTS
    conditions: tuple[str, ...] = ()
    engine: EngineSettings | None = None
    limits: Limits = field(default_factory=Limits)
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name:
            raise InputError(f"a campaign needs a name without '/', found {self.name!r}")
        if not self.evaluators:
            raise InputError("a campaign needs at least one [[evaluator]]")
        check_seed(self.seed)

    def described(self) -> dict[str, object]:
        """What determines the result, kept with the campaign: neither workers and limits nor when it ends."""
        described: dict[str, object] = {
            "targets": [str(target) for target in self.goal.targets],
            "evaluators": [dict(one) for one in self.evaluators],
            "proposer": self.proposer,
            "filter": self.filter,
            "acquisition": self.choice,
            "surrogate": self.surrogate,
            "constraints": self.constraints,
            "seed": self.seed,
        }
        return described | ({"conditions": self.conditions} if self.conditions else {})  # older campaigns have none
