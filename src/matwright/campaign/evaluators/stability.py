"""A potential's word on stability: the relaxed crystal against the elements, and against known compounds."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any, final

from matwright.campaign.evaluator import Evaluation, Fidelity, Quantity
from matwright.campaign.evaluators.potential import PotentialEvaluator
from matwright.data.hull import Hull
from matwright.data.references import ElementReferences, load_references
from matwright.errors import CalculationError
from matwright.materials.crystal import Crystal
from matwright.physics.thermodynamics import stability
from matwright.screening.hull_distance import FORMATION_ENERGY, HULL_DISTANCE
from matwright.screening.potential import Failure, FailureKind
from matwright.screening.relaxing import smallest_cell
from matwright.serialization import hash_file, hash_json


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StabilityEvaluator:
    """Relaxes the primitive cell, then places it on the shipped hull; the values belong to the relaxed crystal.

    Attributes:
        relaxation: what relaxes, and when it ends.
    """

    relaxation: PotentialEvaluator = field(default_factory=PotentialEvaluator)

    @property
    def name(self) -> str:
        """The potential and what is done with it."""
        return f"{self.relaxation.potential}-stability"

    @property
    def version(self) -> str:
        """Of the potential's weights."""
        return self.relaxation.version

    @property
    def fidelity(self) -> Fidelity:
        """A potential."""
        return self.relaxation.fidelity

    @property
    def settings(self) -> Mapping[str, Any]:
        """When a relaxation ends, and the hashes of the hull and the reference energies."""
        return {**self.relaxation.settings, **_tables(self.relaxation.potential)}

    @property
    def units(self) -> Mapping[str, str]:
        """Those of the relaxation, formation energy and distance to the hull."""
        return {**self.relaxation.units, FORMATION_ENERGY: "eV/atom", HULL_DISTANCE: "eV/atom"}

    @property
    def batch_size(self) -> int:
        """Crystals that relax together."""
        return self.relaxation.batch_size

    @property
    def cost(self) -> float:
        """CPU seconds that one relaxation is expected to take; the hull costs milliseconds."""
        return self.relaxation.cost

    def prepare(self) -> None:
        """Load the weights, the hull and the references.

        Raises:
            InputError: the potential cannot be used, or nothing is known of the elements under it.
        """
        self.relaxation.prepare()
        _references(self.relaxation.potential)
        Hull.load()

    def evaluate(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        """Relax and place each crystal; one that does not come to rest is a failure. Errors as for `prepare`."""
        return [self._placed(one) for one in self.relaxation.evaluate([smallest_cell(crystal) for crystal in crystals])]

    def _placed(self, evaluation: Evaluation) -> Evaluation:
        if evaluation.crystal is None:
            return evaluation
        energy = evaluation.values["energy_per_atom"].value
        try:
            found = stability(evaluation.crystal, energy, _references(self.relaxation.potential), Hull.load())
        except CalculationError as problem:
            failure = Failure(reason=str(problem), seconds=evaluation.seconds, kind=FailureKind.REFUSED)
            return Evaluation(answer=failure, seconds=evaluation.seconds)
        further = {FORMATION_ENERGY: found.formation_energy, HULL_DISTANCE: found.e_above_hull}
        values = {name: Quantity(value=value, unit="eV/atom") for name, value in further.items()}
        return replace(evaluation, answer={**evaluation.values, **values})


@functools.lru_cache(maxsize=2)
def _references(potential: str) -> ElementReferences:
    """Read the references once a process."""
    return load_references(potential)


@functools.lru_cache(maxsize=2)
def _tables(potential: str) -> Mapping[str, str]:
    """Hashes of what the energies are held against."""
    with resources.as_file(resources.files("matwright.data") / "tables" / "mp_hull_stable.npz") as path:
        return {"hull": hash_file(path), "references": hash_json(dict(_references(potential).energies))}
