"""What a distillation is asked for, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

from matwright.errors import InputError
from matwright.explain import expression
from matwright.explain.descriptors import Descriptor
from matwright.explain.expression import Expression
from matwright.explain.symbolic import SearchSettings
from matwright.materials.properties import PropertySpec
from matwright.rng import check_seed

LEAST_ROWS = 40
"""Rows that a distillation needs."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DistillSettings:
    """What decides the result, beside model and data.

    Attributes:
        property: that the formulas give, one that the model predicts.
        rows: of the table at most, at least 40.
        most: formulas in the list at most, at least 1.
        restarts: searches from different seeds, at least 1.
        search: how long and how wide each is.
        seed: of the run.
    """

    property: str
    rows: int = 2000
    most: int = 8
    restarts: int = 6
    search: SearchSettings = field(default_factory=SearchSettings)
    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)
        for name, value, least in (
            ("rows", self.rows, LEAST_ROWS),
            ("most", self.most, 1),
            ("restarts", self.restarts, 1),
        ):
            if value < least:
                raise InputError(f"{name} is at least {least}, found {value}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedFormula:
    """One formula and how well it does on the held-out rows.

    Attributes:
        formula: of the descriptors' values.
        complexity: numbers, descriptors and operations.
        mae_to_model: mean absolute difference from the model's predictions, in the property's unit.
        r2_to_model: share of the variance of the model's predictions that it repeats.
        mae_to_truth: mean absolute error against the known values, None where the table has none.
    """

    formula: Expression
    complexity: int
    mae_to_model: float
    r2_to_model: float
    mae_to_truth: float | None

    @property
    def text(self) -> str:
        """The formula as people write it."""
        return expression.text(self.formula)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DistillResult:
    """A finished run.

    Attributes:
        spec: the property.
        formulas: by rising complexity, the first a constant.
        descriptors: those the search could use.
        n_train, n_held_out, n_truth: rows of the search, rows of the errors, and those of them with a known value.
        model_mae: error of the model itself against the known values of the held-out rows, None where there are none.
        notes: remarks a reader must know, one sentence each.
    """

    spec: PropertySpec
    formulas: tuple[JudgedFormula, ...]
    descriptors: tuple[Descriptor, ...]
    n_train: int
    n_held_out: int
    n_truth: int
    model_mae: float | None
    notes: tuple[str, ...]
