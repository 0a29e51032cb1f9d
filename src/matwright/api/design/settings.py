"""What a design run is asked to do; two runs with equal settings and seed give equal tables on one machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

from matwright.errors import InputError
from matwright.materials.constraints import NO_CONSTRAINTS, Constraints
from matwright.materials.target import Target
from matwright.rng import check_seed
from matwright.screening.relax import RelaxationSettings
from matwright.screening.thresholds import Thresholds

POOL_PER_BUDGET = 50
SMALLEST_POOL = 2000
LARGEST_DEFAULT_POOL = 20000
DEFAULT_THRESHOLDS = Thresholds()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DesignSettings:
    """Demands, limits and sources of a design run.

    Attributes:
        targets: demands and objectives (at least one), in the order in which they are reported.
        constraints: elements, formula, space groups and sizes that every candidate obeys.
        budget: candidates that are relaxed (the dear step), at least 1.
        pool: candidates that are generated and judged by rules and surrogate; None: 50 per relaxed one, within
            2,000..20,000.
        generator: name of a shipped generator or a run folder.
        models: names of shipped property models or run folders; a property is predicted by the first one that knows it.
        conditions: "temperature=700 K" for each under which properties are wanted, "steps=age 850 degC 24 h" for the
            processing; each holds for the models that know it, and what is not said is unknown to them.
        potential: name of the interatomic potential.
        known: file or folder of further known structures, None for the shipped library alone.
        new_compositions: whether a candidate whose formula is known counts as known, whatever its structure.
        thresholds: limits of the rules and of the energy above the hull.
        per_formula: largest number of structures of one formula that are relaxed.
        fmax: eV/Å, largest force left in a relaxed crystal; max_steps: relaxation steps after which it counts as
            failed.
        seed: seed of every random choice.
    """

    targets: tuple[Target, ...]
    constraints: Constraints = NO_CONSTRAINTS
    budget: int = 200
    pool: int | None = None
    generator: str = "mp-generator"
    models: tuple[str, ...] = ("mp-crystal",)
    conditions: tuple[str, ...] = ()
    potential: str = "chgnet"
    known: str | None = None
    new_compositions: bool = False
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    per_formula: int = 3
    fmax: float = 0.05
    max_steps: int = 300
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.targets:
            raise InputError("a design run needs at least one --target, --minimise or --maximise")
        names = [target.name for target in self.targets]
        twice = sorted({name for name in names if names.count(name) > 1 and _clash(self.targets, name)})
        if twice:
            raise InputError(f"{twice[0]} is asked for twice in the same way; state one target or objective for it")
        if self.budget < 1:
            raise InputError(f"the budget is the number of candidates to relax, at least 1; found {self.budget}")
        if self.pool is not None and self.pool < self.budget:
            raise InputError(f"the pool of {self.pool} candidates is smaller than the budget of {self.budget}")
        if self.per_formula < 1:
            raise InputError(f"per_formula must be at least 1, found {self.per_formula}")
        if not self.models:
            raise InputError("a design run needs at least one property model")
        self.relaxation  # noqa: B018 (raises where fmax or max_steps is impossible)
        check_seed(self.seed)

    @property
    def pool_size(self) -> int:
        """Number of candidates to generate."""
        if self.pool is not None:
            return self.pool
        default = min(max(POOL_PER_BUDGET * self.budget, SMALLEST_POOL), LARGEST_DEFAULT_POOL)
        return max(default, self.budget)

    @property
    def stability(self) -> float:
        """Largest energy above the hull of a survivor, eV/atom."""
        return self.thresholds.hull.max_e_above_hull

    @property
    def relaxation(self) -> RelaxationSettings:
        """When a relaxation ends: by forces or steps, never by the clock, so that a run repeats exactly."""
        return RelaxationSettings(fmax=self.fmax, max_steps=self.max_steps)

    def excluding(self, numbers: frozenset[int]) -> DesignSettings:
        """The same settings with further forbidden elements."""
        constraints = replace(self.constraints, forbidden=self.constraints.forbidden | numbers)
        return replace(self, constraints=constraints)


def _clash(targets: tuple[Target, ...], name: str) -> bool:
    """A demand and an objective on one property go together; two of either kind do not."""
    kinds = [target.is_objective for target in targets if target.name == name]
    return len(kinds) != len(set(kinds))
