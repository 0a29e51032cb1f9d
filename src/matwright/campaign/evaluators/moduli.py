"""Elastic moduli under a potential: by an equation of state, or by the whole elastic tensor."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, final

from matwright.campaign.evaluator import Evaluation, Fidelity, Quantity
from matwright.campaign.evaluators.potential import loaded_potential
from matwright.materials.crystal import Crystal
from matwright.physics.elasticity import moduli
from matwright.screening.compression import EquationOfState, equations_of_state
from matwright.screening.deformation import ElasticTensor, elastic_tensors
from matwright.screening.potential import Failure, Potential


@final
class Route(Enum):
    """How moduli are found: energies over seven volumes, or stresses of strained cells; ions relax in both."""

    EQUATION_OF_STATE = "equation-of-state"
    ELASTIC_TENSOR = "elastic-tensor"


_UNITS: Mapping[Route, Mapping[str, str]] = {
    Route.EQUATION_OF_STATE: {"bulk_modulus": "GPa", "volume_per_atom": "Å^3/atom", "misfit": "meV/atom"},
    Route.ELASTIC_TENSOR: {"bulk_modulus": "GPa", "shear_modulus": "GPa", "least_eigenvalue": "GPa", "misfit": "1"},
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ModuliEvaluator:
    """Bulk modulus (and shear modulus, by the tensor) of each crystal, which comes to rest first.

    Attributes:
        route: equation of state or elastic tensor.
        potential, version: energies, forces and stresses, and of which weights.
        span: largest relative change of the volume (equation of state).
        strain: Frobenius norm of the strains (tensor).
        cost: CPU seconds that one crystal is expected to take.
    """

    route: Route = Route.EQUATION_OF_STATE
    potential: str = "chgnet"
    version: str = "0.3.0"
    span: float = 0.06
    strain: float = 0.01
    cost: float = 2.0
    fidelity: ClassVar[Fidelity] = Fidelity.POTENTIAL
    batch_size: ClassVar[int] = 4  # crystals whose deformed cells share the model calls

    @property
    def name(self) -> str:
        """The potential and the route."""
        return f"{self.potential}-{self.route.value}"

    @property
    def settings(self) -> Mapping[str, Any]:
        """The deformation."""
        return {"span": self.span} if self.route is Route.EQUATION_OF_STATE else {"strain": self.strain}

    @property
    def units(self) -> Mapping[str, str]:
        """Moduli, and what the fit leaves over."""
        return _UNITS[self.route]

    def prepare(self) -> None:
        """Load the weights.

        Raises:
            InputError: there is no such potential, it is not installed, or its weights are of another version.
        """
        loaded_potential(self.potential, self.version)

    def evaluate(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        """Moduli of each crystal; one without a state of rest is a failure. Errors as for `prepare`."""
        from matwright.training.compute import fast_mode  # heavy (torch): behind its door

        potential = loaded_potential(self.potential, self.version)
        begun = time.perf_counter()
        with fast_mode():
            answers = self._answers(crystals, potential)
        seconds = (time.perf_counter() - begun) / max(1, len(crystals))
        return [_evaluation(answer, seconds) for answer in answers]

    def _answers(
        self, crystals: Sequence[Crystal], potential: Potential
    ) -> Sequence[EquationOfState | ElasticTensor | Failure]:
        if self.route is Route.EQUATION_OF_STATE:
            return equations_of_state(crystals, potential, span=self.span)
        return elastic_tensors(crystals, potential, strain=self.strain)


def _evaluation(answer: EquationOfState | ElasticTensor | Failure, seconds: float) -> Evaluation:
    if isinstance(answer, Failure):
        return Evaluation(answer=answer, seconds=seconds)
    values = _of_energies(answer) if isinstance(answer, EquationOfState) else _of_tensor(answer)
    if isinstance(values, Failure):
        return Evaluation(answer=values, seconds=seconds)
    return Evaluation(answer=values, seconds=seconds, crystal=answer.crystal)


def _of_energies(found: EquationOfState) -> Mapping[str, Quantity]:
    return {
        "bulk_modulus": Quantity(value=found.bulk_modulus, unit="GPa"),
        "volume_per_atom": Quantity(value=found.volume, unit="Å^3/atom"),
        "misfit": Quantity(value=found.misfit, unit="meV/atom"),
    }


def _of_tensor(found: ElasticTensor) -> Mapping[str, Quantity] | Failure:
    """Averages of Voigt, Reuss and Hill; those of an unstable crystal mean nothing."""
    averages = moduli(found.stiffness[None])
    least = float(averages.least_eigenvalue[0])
    if not averages.is_stable[0]:
        return Failure(reason=f"elastically unstable: the least eigenvalue of the tensor is {least:.3g} GPa")
    return {
        "bulk_modulus": Quantity(value=float(averages.bulk[0]), unit="GPa"),
        "shear_modulus": Quantity(value=float(averages.shear[0]), unit="GPa"),
        "least_eigenvalue": Quantity(value=least, unit="GPa"),
        "misfit": Quantity(value=found.misfit, unit="1"),
    }
