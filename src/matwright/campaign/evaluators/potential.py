"""An interatomic potential as an evaluator: relaxation, energy and what is left of the forces."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, final

from matwright.campaign.evaluator import Evaluation, Fidelity, Quantity
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.screening.potential import Failure, FailureKind, Potential, load_potential
from matwright.screening.relax import Outcome, Relaxation, RelaxationSettings, relax


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PotentialEvaluator:
    """Relaxes atoms and cell under a potential; the values belong to the relaxed crystal that comes with them.

    Attributes:
        potential: its name, for instance "chgnet".
        version: of its weights.
        relaxation: when a relaxation ends.
        cost: CPU seconds that one relaxation is expected to take.
    """

    potential: str = "chgnet"
    version: str = "0.3.0"
    relaxation: RelaxationSettings = field(default_factory=RelaxationSettings)
    cost: float = 10.0
    fidelity: ClassVar[Fidelity] = Fidelity.POTENTIAL

    @property
    def name(self) -> str:
        """The potential and what is done with it."""
        return f"{self.potential}-relaxation"

    @property
    def settings(self) -> Mapping[str, Any]:
        """When a relaxation ends; how many advance together is no part of it."""
        return {name: value for name, value in asdict(self.relaxation).items() if name != "batch_size"}

    @property
    def units(self) -> Mapping[str, str]:
        """Energy on the potential's own scale, volume, what is left of force and stress, steps taken."""
        return {
            "energy_per_atom": "eV/atom",
            "volume_per_atom": "Å^3/atom",
            "fmax": "eV/Å",
            "smax": "GPa",
            "steps": "1",
        }

    @property
    def batch_size(self) -> int:
        """Crystals that relax together."""
        return self.relaxation.batch_size

    def prepare(self) -> None:
        """Load the weights.

        Raises:
            InputError: there is no such potential, it is not installed, or its weights are of another version.
        """
        self._loaded()

    def evaluate(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        """Relax each crystal; one that does not converge is a failure. Errors as for `prepare`."""
        from matwright.training.compute import fast_mode  # heavy (torch): behind its door

        with fast_mode():
            return [_evaluation(outcome) for outcome in relax(crystals, self._loaded(), settings=self.relaxation)]

    def _loaded(self) -> Potential:
        return loaded_potential(self.potential, self.version)


def loaded_potential(name: str, version: str) -> Potential:
    """A potential by name, loaded once a process.

    Raises:
        InputError: there is no such potential, it is not installed, or its weights are of another version.
    """
    loaded = _load(name)
    if loaded.version != version:
        raise InputError(f"the evaluator is of {name} {version}, installed is {loaded.version}")
    return loaded


@functools.lru_cache(maxsize=2)
def _load(name: str) -> Potential:
    """Load a potential once a process."""
    return load_potential(name)


def _evaluation(outcome: Outcome) -> Evaluation:
    if isinstance(outcome, Failure):
        return Evaluation(answer=outcome, seconds=outcome.seconds)
    if not outcome.converged:
        failure = Failure(reason=outcome.reason, seconds=outcome.seconds, kind=FailureKind.NOT_CONVERGED)
        return Evaluation(answer=failure, seconds=outcome.seconds)
    return Evaluation(answer=_quantities(outcome), seconds=outcome.seconds, crystal=outcome.crystal)


def _quantities(relaxed: Relaxation) -> dict[str, Quantity]:
    return {
        "energy_per_atom": Quantity(value=relaxed.energy_per_atom, unit="eV/atom"),
        "volume_per_atom": Quantity(value=relaxed.crystal.volume / len(relaxed.crystal), unit="Å^3/atom"),
        "fmax": Quantity(value=relaxed.fmax, unit="eV/Å"),
        "smax": Quantity(value=relaxed.smax, unit="GPa"),
        "steps": Quantity(value=float(relaxed.steps), unit="1"),
    }
