"""What `evaluate` measures and with which settings; they stand beside every number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

from matwright.errors import InputError
from matwright.evaluation.coverage import CUT_OFFS, Scaling
from matwright.evaluation.generation import MatchSettings
from matwright.evaluation.matching import PREDICTION_MATCH
from matwright.screening.trials import TrialSettings


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSettings:
    """Settings of an evaluation.

    Attributes:
        same: tolerances at which two generated crystals, or a generated and a reference one, are the same.
        prediction: tolerances of METRe and match rate.
        symprec: Å, tolerance of the space groups.
        cut_offs: data set whose COV cut-offs are used (`evaluation.coverage.CUT_OFFS`); None: no COV.
        scaling: what COV standardises compositions by; "published" has to stand beside published numbers.
        sample: crystals of each side, drawn at random, for COV and the distances of distributions.
        model: property model whose predictions are compared as distributions; None for none.
        paired: whether generated crystals were made each for the reference crystal of its name: match rate.
        trials: how S.U.N. is measured; None: it is not.
        seed: of the samples.
    """

    same: MatchSettings = field(default_factory=MatchSettings)
    prediction: MatchSettings = PREDICTION_MATCH
    symprec: float = 0.01
    cut_offs: str | None = None
    scaling: str = Scaling.PUBLISHED
    sample: int = 1000
    model: str | None = None
    paired: bool = False
    trials: TrialSettings | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.cut_offs is not None and self.cut_offs not in CUT_OFFS:
            raise InputError(f"the COV cut-offs are those of {', '.join(CUT_OFFS)}; found {self.cut_offs!r}")
        if self.scaling not in list(Scaling):
            raise InputError(f"the scale of COV's compositions is {' or '.join(Scaling)}; found {self.scaling!r}")
        if self.sample < 1:
            raise InputError(f"the sample must hold at least 1 crystal, found {self.sample}")

    def described(self) -> str:
        """`StructureMatcher(…)` of `same`."""
        return matcher_text(self.same)


def matcher_text(settings: MatchSettings) -> str:
    """How the tolerances are written beside a number."""
    return f"StructureMatcher(ltol={settings.ltol}, stol={settings.stol}, angle_tol={settings.angle_tol})"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One number of an evaluation.

    Attributes:
        name, value, unit: "1" for a share or a number without unit; NaN where it could not be measured.
        n: crystals it rests on.
        setting: everything it depends on beside the crystals, in words.
        interval: 95 % interval of a share (Wilson), None where there is none.
    """

    name: str
    value: float
    unit: str
    n: int
    setting: str
    interval: tuple[float, float] | None = None
