"""What a compression is asked for, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

from matwright.api.parts import SplitSettings
from matwright.errors import InputError
from matwright.materials.properties import PropertySpec
from matwright.rng import check_seed
from matwright.training.settings import TrainingProtocol

TABLE_FILE, CONTENT_FILE = "compression.csv", "compression.json"
TEACHER = "teacher"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CompressSettings:
    """What decides the student, beside teacher and data.

    Attributes:
        split: how the data are divided; that of the teacher, else its test part holds records the teacher has seen.
        how: the training protocol with its budget.
        protocol: its name, for the card.
        width, layers: of the student's network, at least 1.
        half: whether the weights are kept in half precision where that costs nothing.
        seed: of the run.
    """

    split: SplitSettings
    how: TrainingProtocol
    protocol: str = "default"
    width: int = 48
    layers: int = 2
    half: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if self.width < 1 or self.layers < 1:
            raise InputError(f"width and layers of a student are at least 1, found {self.width} and {self.layers}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FormReport:
    """One form of the model on the test part.

    Attributes:
        name: "teacher", or the student's form.
        errors: by property, against known values: mean absolute error in its unit, for a class the share of wrong ones.
        to_teacher: the same against the teacher's predictions.
        ms: CPU milliseconds for one material alone, from its graph to its numbers.
        per_second: materials a CPU second in batches of 64.
        kilobytes: of its weights on disk.
        verdict: whether it helps and why, one sentence.
    """

    name: str
    errors: Mapping[str, float]
    to_teacher: Mapping[str, float]
    ms: float
    per_second: float
    kilobytes: float
    verdict: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CompressResult:
    """A finished run.

    Attributes:
        folder: which `load_predictor` reads.
        specs: the properties that the student predicts.
        n_test: test records.
        forms: the teacher, then the student in each form that could be made.
        kept: name of the form that was written.
        notes: remarks a reader must know, one sentence each.
    """

    folder: Path
    specs: tuple[PropertySpec, ...]
    n_test: int
    forms: tuple[FormReport, ...]
    kept: str
    notes: tuple[str, ...]
