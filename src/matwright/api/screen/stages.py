"""The stages that the settings of a screening name, loaded and ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import final

from matwright.api.design.judging import target_verdicts
from matwright.api.design.surrogate import HULL_DISTANCE, load_surrogates
from matwright.api.screen.settings import CHUNKS, ScreenSettings
from matwright.data.hull import Hull
from matwright.data.references import load_references
from matwright.errors import InputError
from matwright.physics.chemistry import is_charge_balanced
from matwright.screening.potential import Potential, check_potential, load_potential
from matwright.screening.rules import RULES_OF_RUNG
from matwright.screening.stage import RulesStage, Stage

_PACKAGES: Mapping[str, tuple[str, str]] = {"phonon": ("phonopy", "potentials"), "specimen": ("skfem", "continuum")}
"""What a rung needs beside the core, and the extra that brings it."""


@final
class StageLoader:
    """Makes the stages of one screening; a potential or a model is loaded when the first rung needs it."""

    def __init__(self, settings: ScreenSettings) -> None:
        self._settings = settings
        self._potential: Potential | None = None

    def load(self, rung: str) -> Stage:
        """The stage of a rung.

        Raises:
            InputError: a model or potential is not there, or no model predicts a target.
        """
        if rung in RULES_OF_RUNG:
            is_charge_balanced({11: 1, 17: 1})  # loads what the rule needs, so that no candidate is charged for it
            return RulesStage(name=rung, thresholds=self._settings.thresholds)
        return _LOADERS[rung](self)

    def check(self) -> None:
        """Raise InputError where a rung could not be loaded, before anything is computed or written."""
        rungs = self._settings.rungs
        for rung, (package, extra) in _PACKAGES.items():
            if rung in rungs and find_spec(package) is None:
                raise InputError(f"the rung {rung} needs {package}: pip install 'matwright[{extra}]'")
        if set(rungs) & set(CHUNKS):
            check_potential(self._settings.potential)
        if "hull" in rungs:
            load_references(self._settings.potential)
        if "hull" in rungs and "relaxation" not in rungs:
            raise InputError("the rung hull needs the energy of the rung relaxation; skip both or neither")

    def surrogate(self) -> Stage:
        """Properties with intervals."""
        from matwright.api.screen.predicted import SurrogateStage  # heavy (torch): behind its door

        settings = self._settings
        surrogates = load_surrogates(settings.models, settings.conditions, Hull.load())
        surrogates.check(settings.targets)
        return SurrogateStage(
            surrogates=surrogates,
            targets=settings.targets,
            thresholds=settings.thresholds,
            code=", ".join(settings.models),
            judge_hull="hull" not in settings.rungs,
        )

    def predicted_elastic(self) -> Stage:
        """The predicted elastic tensor."""
        from matwright.api.predict import load_predictor  # heavy (torch): behind its door
        from matwright.api.screen.predicted import PredictedElasticStage

        predictor = load_predictor(self._settings.elastic_model)
        return PredictedElasticStage(predictor=predictor, thresholds=self._settings.thresholds)

    def relaxation(self) -> Stage:
        """Forces and stress."""
        from matwright.screening.relaxing import RelaxationStage

        return RelaxationStage(potential=self.potential, thresholds=self._settings.thresholds)

    def hull(self) -> Stage:
        """Energy above the hull."""
        from matwright.screening.hull_distance import HullStage

        demands = [target for target in self._settings.targets if target.name == HULL_DISTANCE]
        return HullStage(
            hull=Hull.load(),
            references=load_references(self._settings.potential),
            thresholds=self._settings.thresholds,
            code=self.potential.name,
            version=self.potential.version,
            asked=lambda taken: target_verdicts(demands, taken),
        )

    def equation_of_state(self) -> Stage:
        """Bulk modulus from energies over volumes."""
        from matwright.screening.evidence import EquationOfStateStage

        return EquationOfStateStage(potential=self.potential, thresholds=self._settings.thresholds)

    def elastic(self) -> Stage:
        """Elastic tensor with relaxed ions."""
        from matwright.screening.evidence import ElasticStage

        return ElasticStage(potential=self.potential, thresholds=self._settings.thresholds)

    def specimen(self) -> Stage:
        """A bar solved by finite elements."""
        from matwright.screening.specimen import SpecimenStage

        return SpecimenStage(thresholds=self._settings.thresholds)

    def phonon(self) -> Stage:
        """Phonons by finite displacements."""
        from matwright.screening.evidence import PhononStage

        return PhononStage(potential=self.potential, thresholds=self._settings.thresholds)

    def conduction(self) -> Stage:
        """Ionic conductivity by molecular dynamics."""
        from matwright.screening.conducting import ConductionStage

        return ConductionStage(potential=self.potential, thresholds=self._settings.thresholds)

    @property
    def potential(self) -> Potential:
        """The interatomic potential, loaded once."""
        if self._potential is None:
            self._potential = load_potential(self._settings.potential)
        return self._potential


_LOADERS: Mapping[str, Callable[[StageLoader], Stage]] = {
    "surrogate": StageLoader.surrogate,
    "predicted_elastic": StageLoader.predicted_elastic,
    "relaxation": StageLoader.relaxation,
    "hull": StageLoader.hull,
    "equation_of_state": StageLoader.equation_of_state,
    "elastic": StageLoader.elastic,
    "specimen": StageLoader.specimen,
    "phonon": StageLoader.phonon,
    "conduction": StageLoader.conduction,
}
