"""Molecular dynamics as an evaluator: ionic conductivity at 300 K and its activation energy, with errors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, final

from matwright.campaign.evaluator import Evaluation, Fidelity, Quantity
from matwright.campaign.evaluators.potential import loaded_potential
from matwright.materials.crystal import Crystal
from matwright.screening.conduction import ConductionSettings, Conductivity, conductivity, plain
from matwright.screening.potential import Failure, FailureKind


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ConductionEvaluator:
    """Moves a supercell of the relaxed crystal at several temperatures; the curves come as the blob "diffusion.json".

    Attributes:
        potential: its name, for instance "chgnet".
        weights: version of its weights.
        conduction: ion, temperatures, lengths of the runs.
        cost: CPU seconds that one crystal is expected to take.
    """

    potential: str = "chgnet"
    weights: str = "0.3.0"
    conduction: ConductionSettings = field(default_factory=ConductionSettings)
    cost: float = 1500.0
    fidelity: ClassVar[Fidelity] = Fidelity.POTENTIAL
    batch_size: ClassVar[int] = 1  # the temperatures of a crystal fill a batch

    @property
    def name(self) -> str:
        """The potential and what is done with it."""
        return f"{self.potential}-conduction"

    @property
    def version(self) -> str:
        """Of what is recorded, with that of the weights: the first one, of the weights alone, gave mS/cm."""
        return f"2 ({self.potential} {self.weights})"

    @property
    def settings(self) -> Mapping[str, Any]:
        """Ion, temperatures, dynamics, supercell, lags."""
        return {**asdict(self.conduction), "temperatures": list(self.conduction.temperatures)}

    @property
    def units(self) -> Mapping[str, str]:
        """Those of the properties of these names; the logarithm is there because its error is the even one."""
        kelvin = [f"{one:g}K" for one in self.conduction.temperatures]
        return {
            "ionic_conductivity": "S/cm",
            "log_ionic_conductivity": "log10(S/cm)",
            "activation_energy": "eV",
            **{f"diffusion_{one}": "cm^2/s" for one in kelvin},
            **{f"collective_diffusion_{one}": "cm^2/s" for one in kelvin},
            **{f"diffusion_resolved_{one}": "1" for one in kelvin},
        }

    def prepare(self) -> None:
        """Load the weights.

        Raises:
            InputError: there is no such potential, it is not installed, or its weights are of another version.
        """
        loaded_potential(self.potential, self.weights)

    def evaluate(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        """Conductivities; too few temperatures with diffusion are a failure with the reason. Errors as `prepare`."""
        from matwright.training.compute import fast_mode  # heavy (torch): behind its door

        potential = loaded_potential(self.potential, self.weights)
        with fast_mode():
            return [conduction_evaluation(conductivity(one, potential, settings=self.conduction)) for one in crystals]


def conduction_evaluation(found: Conductivity | Failure) -> Evaluation:
    """What is recorded of a conductivity."""
    if isinstance(found, Failure):
        return Evaluation(answer=found, seconds=found.seconds)
    curves = {"diffusion.json": json.dumps(plain(found)).encode()}
    if found.fit is None or found.at_room is None or found.log_std is None:
        failure = Failure(reason=found.reason, seconds=found.seconds, kind=FailureKind.NOT_CONVERGED)
        return Evaluation(answer=failure, seconds=found.seconds, blobs=curves)
    ten = math.log(10.0)
    answer = {
        "ionic_conductivity": Quantity(value=found.at_room, unit="S/cm", std=found.at_room * found.log_std),
        "log_ionic_conductivity": Quantity(
            value=math.log10(found.at_room), unit="log10(S/cm)", std=found.log_std / ten
        ),
        "activation_energy": Quantity(value=found.fit.energy, unit="eV", std=found.fit.energy_std),
    }
    for point in found.points:
        kelvin = f"{point.temperature:g}K"
        answer[f"diffusion_{kelvin}"] = Quantity(value=point.tracer.value, unit="cm^2/s", std=point.tracer.std)
        collective = Quantity(value=point.collective.value, unit="cm^2/s", std=point.collective.std)
        answer[f"collective_diffusion_{kelvin}"] = collective
        answer[f"diffusion_resolved_{kelvin}"] = Quantity(value=float(point.resolved), unit="1")
    return Evaluation(answer=answer, seconds=found.seconds, crystal=found.crystal, blobs=curves)
