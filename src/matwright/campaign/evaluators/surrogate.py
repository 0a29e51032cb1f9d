"""A trained property model as an evaluator: the cheapest evidence, each value with its standard deviation."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np

from matwright.campaign.evaluator import Evaluation, Fidelity, Quantity
from matwright.errors import InputError
from matwright.materials.conditions import Conditions, ConditionSchema
from matwright.materials.crystal import Crystal
from matwright.models.learned import Learned
from matwright.screening.potential import Failure, FailureKind
from matwright.serialization import hash_file, hash_json

if TYPE_CHECKING:
    from matwright.graphs.builder import Graph
    from matwright.graphs.ragged import Labels
    from matwright.models.checkpoint import ModelFile
    from matwright.models.interface import Prediction, PropertyModel


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SurrogateEvaluator:
    """Predicts with a model folder as `train` writes it, under the same conditions for every crystal.

    Attributes:
        folder: of the model, which every worker must be able to read.
        name: of the evaluator.
        version: hash of weights and settings of the model.
        units: of the properties that the model predicts.
        conditions: under which it predicts, all of them in the model's schema; None: unknown.
        cost: CPU seconds of one prediction.
    """

    folder: Path
    name: str
    version: str
    units: Mapping[str, str]
    conditions: Conditions | None = None
    cost: float = 0.005
    fidelity: ClassVar[Fidelity] = Fidelity.SURROGATE
    batch_size: ClassVar[int] = 64  # crystals of one model call

    @classmethod
    def of(cls, folder: Path, *, name: str | None = None) -> Self:
        """Make the evaluator of a model folder.

        Raises:
            InputError: it holds no model.
        """
        model, described = _load(folder)
        units = {spec.name: spec.unit for spec in model.specs if not spec.classes}
        version = _version(folder, described)
        return cls(folder=folder, name=name or f"surrogate-{folder.name}", version=version, units=units)

    @property
    def settings(self) -> Mapping[str, Any]:
        """The conditions in words; the version says the rest."""
        return {} if self.conditions is None else self.conditions.in_words()

    @property
    def schema(self) -> ConditionSchema | None:
        """The conditions that the model knows, None for none."""
        return _load(self.folder)[1].config.conditions

    def prepare(self) -> None:
        """Load the weights.

        Raises:
            InputError: the folder holds no model.
        """
        _load(self.folder)

    def evaluate(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        """Mean and standard deviation of every property; a crystal of which no graph can be made is refused.

        Raises:
            InputError: the folder holds no model, or no longer the one that the evaluator was made of.
        """
        model, described = _load(self.folder)
        if _version(self.folder, described) != self.version:
            raise InputError(f"the model in {self.folder} is no longer the one that the campaign began with")
        start = time.perf_counter()
        graphs = [_graph(crystal, described) for crystal in crystals]
        good = [graph for graph in graphs if not isinstance(graph, Failure)]
        predictions = _predict(model, self._labels(len(good)), good) if good else {}
        seconds = (time.perf_counter() - start) / max(1, len(crystals))
        answers: list[Evaluation] = []
        place = 0
        for graph in graphs:
            if isinstance(graph, Failure):
                answers.append(Evaluation(answer=graph, seconds=seconds))
                continue
            values = {name: _quantity(predictions[name], place) for name in self.units}
            answers.append(Evaluation(answer=values, seconds=seconds))
            place += 1
        return answers

    def _labels(self, n: int) -> Labels:
        """The conditions of n graphs."""
        from matwright.graphs.ragged import Labels

        schema = self.schema
        if schema is None:
            return Labels.of_conditions(np.zeros((n, 0)))
        stated = self.conditions or schema.unknown
        values = np.tile(schema.encode(stated), (n, 1))
        return Labels.of_conditions(values, steps=[schema.encode_steps(stated)] * n)


def _quantity(prediction: Prediction, place: int) -> Quantity:
    return Quantity(value=float(prediction.mean[place]), unit=prediction.spec.unit, std=float(prediction.std[place]))


def _graph(crystal: Crystal, described: ModelFile) -> Graph | Failure:
    try:
        return described.graph(crystal)
    except InputError as problem:
        return Failure(reason=str(problem), kind=FailureKind.REFUSED)


def _predict(model: PropertyModel, labels: Labels, graphs: Sequence[Graph]) -> Mapping[str, Prediction]:
    # heavy (torch): behind its door
    from matwright.graphs.batch import collate
    from matwright.training.compute import fast_mode

    with fast_mode():
        return model.predict(collate(graphs, labels)).properties


def _version(folder: Path, described: ModelFile) -> str:
    """Hash of weights and settings, and of what a model of compositions sees, which used to be the structure."""
    files = [*sorted(folder.rglob("*.safetensors")), folder / "model.json"]
    found = {str(file.relative_to(folder)): hash_file(file) for file in files if file.is_file()}
    return hash_json(found | ({"sees": "composition"} if described.learned is Learned.COMPOSITIONS else {}))


@functools.lru_cache(maxsize=2)
def _load(folder: Path) -> tuple[PropertyModel, ModelFile]:
    """Load a model once a process."""
    from matwright.uncertainty.stored import load_property_model  # heavy (torch): behind its door

    return load_property_model(folder)
