"""The two rungs that ask shipped models: properties with intervals, and the elastic tensor."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from matwright.api.design.judging import target_verdicts, trust_verdicts
from matwright.api.design.surrogate import HULL_DISTANCE, Surrogates
from matwright.api.elastic import PredictedTensor, predict_tensors
from matwright.errors import CalculationError, MatwrightError
from matwright.materials.target import Target
from matwright.physics.elasticity import COMPONENT_NAMES, components
from matwright.screening.rules import at_least, at_most
from matwright.screening.rung import Measurement, broken, judged
from matwright.screening.stage import Climb, Climber
from matwright.screening.thresholds import Thresholds

if TYPE_CHECKING:
    from matwright.api.predict import Predictor


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SurrogateStage:
    """Predicted properties: the interval of each must reach the target, and the candidate lie near the training data.

    Attributes:
        surrogates: the property models.
        targets: demands; that on the energy above the hull waits for the potential, where `judge_hull` is False.
        thresholds: of all rungs.
        code: names of the models.
        judge_hull: whether the predicted energy above the hull is held against a demand.
    """

    surrogates: Surrogates
    targets: tuple[Target, ...]
    thresholds: Thresholds
    code: str
    judge_hull: bool

    @property
    def name(self) -> str:
        """Name of the rung."""
        return "surrogate"

    def climb(self, climbers: Sequence[Climber]) -> list[Climb]:
        """One rung a candidate."""
        start = time.perf_counter()
        answers = self.surrogates.measure([climber.crystal for climber in climbers])
        seconds = (time.perf_counter() - start) / max(len(climbers), 1)
        return [self._climb(climber, answer, seconds) for climber, answer in zip(climbers, answers, strict=True)]

    def _climb(self, climber: Climber, answer: tuple[Measurement, ...] | CalculationError, seconds: float) -> Climb:
        if isinstance(answer, CalculationError):
            return Climb(rung=broken(self.name, str(answer), code=self.code, seconds=seconds))
        demands = [target for target in self.targets if self.judge_hull or target.name != HULL_DISTANCE]
        verdicts = [*target_verdicts(demands, answer), *trust_verdicts(answer, self.thresholds)]
        rung = judged(
            self.name,
            verdicts,
            answer,
            before=climber.verdicts,
            residual=self.thresholds.residual,
            code=self.code,
            seconds=seconds,
        )
        return Climb(rung=rung)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedElasticStage:
    """Born's eigenvalues and anisotropy of the predicted elastic tensor.

    Attributes:
        predictor: of a model with an elastic tensor.
        thresholds: of all rungs.
    """

    predictor: Predictor
    thresholds: Thresholds

    @property
    def name(self) -> str:
        """Name of the rung."""
        return "predicted_elastic"

    def climb(self, climbers: Sequence[Climber]) -> list[Climb]:
        """One rung a candidate."""
        start = time.perf_counter()
        answers = self._tensors(climbers)
        seconds = (time.perf_counter() - start) / max(len(climbers), 1)
        return [self._climb(climber, answer, seconds) for climber, answer in zip(climbers, answers, strict=True)]

    def _tensors(self, climbers: Sequence[Climber]) -> list[PredictedTensor | MatwrightError]:
        """All at once; where that fails, one by one, so that the guilty crystal alone fails."""
        symprec = self.thresholds.symmetry.symprec
        try:
            return list(predict_tensors(self.predictor, [climber.crystal for climber in climbers], symprec=symprec))
        except MatwrightError as error:
            if len(climbers) == 1:
                return [error]
            return [answer for climber in climbers for answer in self._tensors([climber])]

    def _climb(self, climber: Climber, answer: PredictedTensor | MatwrightError, seconds: float) -> Climb:
        if isinstance(answer, MatwrightError):
            return Climb(rung=broken(self.name, str(answer), code=self.predictor.name, seconds=seconds))
        limits, moduli = self.thresholds.predicted_elastic, answer.moduli
        least, anisotropy = float(moduli.least_eigenvalue[0]), float(moduli.anisotropy[0])
        verdicts = [
            at_least("predicted_least_eigenvalue", least, limits.min_eigenvalue, "GPa"),
            at_most("predicted_anisotropy", anisotropy, limits.max_anisotropy, "1"),
        ]
        taken = [
            Measurement(name=f"predicted_{name}", value=float(value), unit="GPa")
            for name, value in zip(COMPONENT_NAMES, components(answer.stiffness), strict=True)
        ]
        taken += [
            Measurement(name="predicted_bulk_modulus", value=float(moduli.bulk[0]), unit="GPa"),
            Measurement(name="predicted_shear_modulus", value=float(moduli.shear[0]), unit="GPa"),
        ]
        rung = judged(
            self.name,
            verdicts,
            taken,
            before=climber.verdicts,
            residual=self.thresholds.residual,
            code=self.predictor.name,
            seconds=seconds,
        )
        return Climb(rung=rung)
